package pyre

type opcode uint8

const (
	opMatch opcode = iota
	opFail
	opString // str
	opSet    // set
	opAny
	opAnyAll
	opAt        // at
	opSave      // x: slot
	opJump      // x
	opSplit     // try the next instruction, then x
	opSplitLast // try x, then the next instruction
	opMany      // greedy run of one-character matches: one, min, max
	opFew       // lazy run of one-character matches
	opLoop      // start of a general loop: x loop, y the opUntil
	opUntil     // end of a greedy loop body: x loop, y body
	opUntilLazy // end of a lazy loop body: x loop, y body
	opBody      // enter a lazy loop's body again: x loop, y body
	opBackref   // x: group
	opCond      // x: group, y: where to go when it took no part
	opMark      // start of an atomic part: x mark
	opCommit    // end of an atomic part: x mark; back: restore the place
	opNot       // start of a negative look: x mark, y after it
	opNotEnd    // its body matched: x mark
	opBack      // go x characters back
)

type inst struct {
	op       opcode
	at       atKind
	fold     bool
	asc      bool
	x, y     int
	min, max int
	str      string
	set      *charset
	one      opcode // of opMany and opFew: opSet, opAny, opAnyAll or opString
	next     string // literal that must follow an opMany
}

type program struct {
	code     []inst
	slots    int
	loops    int
	marks    int
	prefix   string   // every match begins with it
	first    *charset // or with one of these
	anchored bool     // matches only at the start of the text
}

type assembler struct {
	program
}

func assemble(tree *node, groups int) *program {
	a := &assembler{}
	a.slots = 2 * groups
	a.node(tree)
	a.emit(inst{op: opMatch})
	a.link()
	lead := leading(tree)
	a.anchored = lead.anchored
	a.prefix = lead.prefix
	if a.prefix == "" {
		a.first = lead.first
	}
	return &a.program
}

func (a *assembler) emit(in inst) int {
	a.code = append(a.code, in)
	return len(a.code) - 1
}

// link notes the literal after each greedy run, which saves attempts when backing up.
func (a *assembler) link() {
	for i := range a.code {
		if a.code[i].op == opMany && i+1 < len(a.code) && a.code[i+1].op == opString {
			a.code[i].next = a.code[i+1].str
		}
	}
}

func (a *assembler) node(n *node) {
	switch n.op {
	case nLiteral:
		a.emit(inst{op: opString, str: string(appendChar(nil, n.r))})
	case nSet:
		a.emit(inst{op: opSet, set: n.set})
	case nAny:
		a.emit(inst{op: opAny})
	case nAnyAll:
		a.emit(inst{op: opAnyAll})
	case nAt:
		a.emit(inst{op: opAt, at: n.at, asc: n.asc})
	case nCat:
		a.sequence(n.subs)
	case nAlt:
		a.alternatives(n.subs)
	case nRepeat:
		a.repeat(n)
	case nGroup:
		a.emit(inst{op: opSave, x: 2 * n.group})
		a.node(n.subs[0])
		a.emit(inst{op: opSave, x: 2*n.group + 1})
	case nPlain:
		a.node(n.subs[0])
	case nBackref:
		a.emit(inst{op: opBackref, x: n.group, fold: n.fold, asc: n.asc})
	case nLook:
		a.look(n)
	case nAtomic:
		a.atomic(func() { a.node(n.subs[0]) })
	case nCond:
		a.conditional(n)
	case nFail:
		a.emit(inst{op: opFail})
	}
}

// sequence joins neighbouring literals.
func (a *assembler) sequence(subs []*node) {
	for i := 0; i < len(subs); i++ {
		if subs[i].op != nLiteral {
			a.node(subs[i])
			continue
		}
		var text []byte
		for ; i < len(subs) && subs[i].op == nLiteral; i++ {
			text = appendChar(text, subs[i].r)
		}
		i--
		a.emit(inst{op: opString, str: string(text)})
	}
}

func (a *assembler) alternatives(subs []*node) {
	var ends []int
	for i, s := range subs {
		if i == len(subs)-1 {
			a.node(s)
			break
		}
		split := a.emit(inst{op: opSplit})
		a.node(s)
		ends = append(ends, a.emit(inst{op: opJump}))
		a.code[split].x = len(a.code)
	}
	for _, e := range ends {
		a.code[e].x = len(a.code)
	}
}

func (a *assembler) atomic(body func()) {
	mark := a.marks
	a.marks++
	a.emit(inst{op: opMark, x: mark})
	body()
	a.emit(inst{op: opCommit, x: mark})
}

func (a *assembler) look(n *node) {
	mark := a.marks
	a.marks++
	start := a.emit(inst{op: opMark, x: mark})
	if n.not {
		a.code[start].op = opNot
	}
	if n.behind && n.min > 0 {
		a.emit(inst{op: opBack, x: n.min})
	}
	a.node(n.subs[0])
	if n.not {
		a.emit(inst{op: opNotEnd, x: mark})
		a.code[start].y = len(a.code)
		return
	}
	a.emit(inst{op: opCommit, x: mark, y: 1})
}

func (a *assembler) conditional(n *node) {
	cond := a.emit(inst{op: opCond, x: n.group})
	a.node(n.subs[0])
	if len(n.subs) == 1 {
		a.code[cond].y = len(a.code)
		return
	}
	jump := a.emit(inst{op: opJump})
	a.code[cond].y = len(a.code)
	a.node(n.subs[1])
	a.code[jump].x = len(a.code)
}

func (a *assembler) repeat(n *node) {
	body := n.subs[0]
	if n.kind == possessive {
		plain := *n
		plain.kind = greedy
		if !oneChar(unwrap(body)) {
			plain.subs = []*node{{op: nAtomic, subs: []*node{body}}}
		}
		a.atomic(func() { a.repeat(&plain) })
		return
	}
	if one := unwrap(body); oneChar(one) {
		a.run(n, one)
		return
	}
	if n.min == 0 && n.max == 1 && n.kind == lazy {
		split := a.emit(inst{op: opSplitLast})
		a.node(body)
		a.code[split].x = len(a.code)
		return
	}
	loop := a.loops
	a.loops++
	start := a.emit(inst{op: opLoop, x: loop})
	a.node(body)
	until := inst{op: opUntil, x: loop, y: start + 1, min: n.min, max: n.max}
	if n.kind == lazy {
		until.op = opUntilLazy
	}
	a.code[start].y = a.emit(until)
	if n.kind == lazy {
		// Reached only through the choice that opUntilLazy leaves behind.
		skip := a.emit(inst{op: opJump})
		a.emit(inst{op: opBody, x: loop, y: start + 1})
		a.code[skip].x = len(a.code)
	}
}

// run emits the repetition of a single character.
func (a *assembler) run(n, one *node) {
	in := inst{op: opMany, min: n.min, max: n.max}
	if n.kind == lazy {
		in.op = opFew
	}
	switch one.op {
	case nLiteral:
		in.one, in.str = opString, string(appendChar(nil, one.r))
	case nSet:
		in.one, in.set = opSet, one.set
	case nAny:
		in.one = opAny
	default:
		in.one = opAnyAll
	}
	a.emit(in)
}

func oneChar(n *node) bool {
	return n.op == nLiteral || n.op == nSet || n.op == nAny || n.op == nAnyAll
}

// unwrap removes non-capturing groups round a single item.
func unwrap(n *node) *node {
	for {
		switch {
		case n.op == nPlain:
			n = n.subs[0]
		case n.op == nCat && len(n.subs) == 1:
			n = n.subs[0]
		default:
			return n
		}
	}
}

// lead is what is known about how every match of a pattern begins.
type lead struct {
	anchored bool
	prefix   string
	first    *charset
}

func leading(n *node) lead {
	switch n.op {
	case nLiteral:
		return lead{prefix: string(appendChar(nil, n.r))}
	case nSet:
		return lead{first: n.set}
	case nAt:
		return lead{anchored: n.at == atBegin}
	case nGroup, nPlain, nAtomic:
		return leading(n.subs[0])
	case nRepeat:
		if n.min == 0 {
			return lead{}
		}
		return leading(n.subs[0])
	case nCat:
		return leadingSeq(n.subs)
	case nAlt:
		return leadingAlt(n.subs)
	}
	return lead{}
}

func leadingSeq(subs []*node) lead {
	var prefix []byte
	for i, s := range subs {
		if s.op == nLiteral {
			prefix = appendChar(prefix, s.r)
			continue
		}
		if len(prefix) > 0 {
			break
		}
		if s.op == nAt && s.at != atBegin && i+1 < len(subs) {
			continue // a position test before the first character
		}
		return leading(s)
	}
	return lead{prefix: string(prefix)}
}

// leadingAlt joins the first characters of alternatives when all are known.
func leadingAlt(subs []*node) lead {
	union := &charset{}
	anchored := true
	for _, s := range subs {
		l := leading(s)
		anchored = anchored && l.anchored
		switch {
		case l.prefix != "":
			r, _ := decode(l.prefix, 0)
			union.items = append(union.items, classItem{lo: r, hi: r})
		case l.first != nil && !l.first.fold && !l.first.not && !l.first.asc:
			union.items = append(union.items, l.first.items...)
		default:
			return lead{anchored: anchored && l.anchored && allAnchored(subs)}
		}
	}
	return lead{first: union.finish()}
}

func allAnchored(subs []*node) bool {
	for _, s := range subs {
		if !leading(s).anchored {
			return false
		}
	}
	return true
}
