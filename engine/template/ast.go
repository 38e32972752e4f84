package template

// pos is a place in a template's text, counted from 1.
type pos struct{ line, col int }

// node is an expression or a statement of the tree.
type node interface{}

type (
	nConst struct{ v any }
	nName  struct {
		n string
		p pos
	}
	nAttr struct {
		x node
		n string
		p pos
	}
	nItem struct {
		x, k node
		p    pos
	}
	nSlice struct{ a, b, c node }
	kwNode struct {
		n string
		v node
	}
	nCall struct {
		f        node
		args     []node
		kw       []kwNode
		dyn, dkw node // *args, **kwargs
		p        pos
	}
	nFilter struct {
		x    node
		n    string
		call *nCall
		p    pos
	}
	nTest struct {
		x    node
		n    string
		call *nCall
		p    pos
	}
	nBin struct {
		op   string
		a, b node
		p    pos
	}
	nUn struct {
		op string
		a  node
		p  pos
	}
	nCmp struct {
		a   node
		ops []string
		bs  []node
		p   pos
	}
	nConcat struct {
		xs []node
		p  pos
	}
	nCond struct {
		t, a, b node
		p       pos
	}
	nList  struct{ xs []node }
	nTuple struct{ xs []node }
	nDict  struct {
		ks, vs []node
		p      pos
	}
	nNsRef struct {
		ns, attr string
		p        pos
	}
	// nEmbed is {{ x }} inside a condition.
	nEmbed struct {
		x node
		p pos
	}
	// nText is a string constant with template syntax inside a condition or a lookup's terms.
	nText struct {
		s    string
		p    pos
		cond bool
	}
	// nClosure is an expression the compiler made itself.
	nClosure struct{ e ev }
)

type (
	sData  struct{ s string }
	sPrint struct {
		x node
		p pos
	}
	sFor struct {
		target, iter, cond node
		body, els          []node
		rec                bool
		p                  pos
	}
	sIf struct {
		cond      node
		body, els []node
		p         pos
	}
	sSet struct {
		target, x node
		p         pos
	}
	sSetBlock struct {
		target node
		filt   *nFilter
		body   []node
		p      pos
	}
	sWith struct {
		ts, vs []node
		body   []node
		p      pos
	}
	sMacro struct {
		n      string
		args   []string
		defs   []node
		body   []node
		isCall bool
		p      pos
	}
	sCall struct {
		call *nCall
		m    *sMacro
		p    pos
	}
	sFilter struct {
		filt *nFilter
		body []node
		p    pos
	}
	sInclude struct {
		x          node
		ign, withC bool
		p          pos
	}
	sImport struct {
		x     node
		as    string
		withC bool
		p     pos
	}
	sFrom struct {
		x     node
		names [][2]string
		withC bool
		p     pos
	}
	sExtends struct {
		x node
		p pos
	}
	sBlock struct {
		n                string
		body             []node
		scoped, required bool
		p                pos
	}
	sDo struct {
		x node
		p pos
	}
	sDebug    struct{ p pos }
	sBreak    struct{ p pos }
	sContinue struct{ p pos }
)
