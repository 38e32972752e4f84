package template

// walk visits every node of ns and below in the order of the text; f returns false to stay
// out of a node.
func walk(ns []node, f func(node) bool) {
	for _, n := range ns {
		if n != nil && !nilNode(n) && f(n) {
			walk(children(n), f)
		}
	}
}

// nilNode tells typed nils, which optional fields of the tree may hold.
func nilNode(n node) bool {
	switch x := n.(type) {
	case *nFilter:
		return x == nil
	case *nCall:
		return x == nil
	}
	return false
}

// children are the nodes directly below n.
func children(n node) []node {
	switch x := n.(type) {
	case *nAttr:
		return []node{x.x}
	case *nItem:
		return []node{x.x, x.k}
	case *nSlice:
		return []node{x.a, x.b, x.c}
	case *nCall:
		out := append([]node{x.f}, x.args...)
		for _, k := range x.kw {
			out = append(out, k.v)
		}
		return append(out, x.dyn, x.dkw)
	case *nFilter:
		return []node{x.x, x.call}
	case *nTest:
		return []node{x.x, x.call}
	case *nBin:
		return []node{x.a, x.b}
	case *nUn:
		return []node{x.a}
	case *nEmbed:
		return []node{x.x}
	case *nCmp:
		return append([]node{x.a}, x.bs...)
	case *nConcat:
		return x.xs
	case *nCond:
		return []node{x.t, x.a, x.b}
	case *nList:
		return x.xs
	case *nTuple:
		return x.xs
	case *nDict:
		var out []node
		for i := range x.ks {
			out = append(out, x.ks[i], x.vs[i])
		}
		return out
	}
	return statementChildren(n)
}

func statementChildren(n node) []node {
	join := func(parts ...[]node) (out []node) {
		for _, p := range parts {
			out = append(out, p...)
		}
		return out
	}
	switch x := n.(type) {
	case *sPrint:
		return []node{x.x}
	case *sFor:
		return join([]node{x.target, x.iter, x.cond}, x.body, x.els)
	case *sIf:
		return join([]node{x.cond}, x.body, x.els)
	case *sSet:
		return []node{x.target, x.x}
	case *sSetBlock:
		return join([]node{x.target, x.filt}, x.body)
	case *sWith:
		return join(x.vs, x.ts, x.body)
	case *sMacro:
		return join(x.defs, x.body)
	case *sCall:
		return []node{x.call, x.m}
	case *sFilter:
		return join([]node{x.filt}, x.body)
	case *sInclude:
		return []node{x.x}
	case *sImport:
		return []node{x.x}
	case *sFrom:
		return []node{x.x}
	case *sExtends:
		return []node{x.x}
	case *sBlock:
		return x.body
	case *sDo:
		return []node{x.x}
	}
	return nil
}

// uses tells that a body reads a name, outside of blocks.
func uses(body []node, name string) bool {
	found := false
	walk(body, func(n node) bool {
		switch x := n.(type) {
		case *nName:
			found = found || x.n == name
		case *sBlock:
			return false
		}
		return !found
	})
	return found
}
