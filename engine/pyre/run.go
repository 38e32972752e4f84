package pyre

import "strings"

// run executes the program from pos and returns where the match ends.
func (m *machine) run(pos int) (int, bool) {
	pc := 0
	code := m.prog.code
	for {
		if m.steps--; m.steps < 0 {
			m.failed = ErrTooComplex
		}
		if m.failed != nil {
			return 0, false
		}
		in := &code[pc]
		ok := true
		switch in.op {
		case opMatch:
			if ok = m.accept(pos); ok {
				return pos, true
			}
		case opFail:
			ok = false
		case opString:
			if ok = strings.HasPrefix(m.text[pos:], in.str); ok {
				pos += len(in.str)
				pc++
			}
		case opSet, opAny, opAnyAll:
			end := m.char(in, pos)
			if ok = end >= 0; ok {
				pos = end
				pc++
			}
		case opAt:
			ok = m.at(in, pos)
			pc++
		case opSave:
			m.setSlot(in.x, pos)
			pc++
		case opJump:
			pc = in.x
		case opSplit:
			m.push(frame{pc: in.x, a: pos, b: branch})
			pc++
		case opSplitLast:
			m.push(frame{pc: pc + 1, a: pos, b: branch})
			pc = in.x
		case opMany:
			if pos, ok = m.many(pc, in, pos); ok {
				pc++
				if in.next != "" && !strings.HasPrefix(m.text[pos:], in.next) {
					ok = false
				}
			}
		case opFew:
			pos, ok = m.few(pc, in, pos)
			pc++
		default:
			pc, pos, ok = m.control(pc, in, pos)
		}
		if !ok {
			if pc, pos, ok = m.back(); !ok {
				return 0, false
			}
		}
	}
}

// control executes the rarer instructions.
func (m *machine) control(pc int, in *inst, pos int) (int, int, bool) {
	switch in.op {
	case opLoop:
		m.setLoop(in.x, -1, -1)
		return in.y, pos, true
	case opUntil:
		return m.until(pc, in, pos), pos, true
	case opUntilLazy:
		return m.untilLazy(pc, in, pos), pos, true
	case opBody:
		m.setLoop(in.x, m.loops[in.x].count+1, pos)
		return in.y, pos, true
	case opBackref:
		end, ok := m.backref(in, pos)
		return pc + 1, end, ok
	case opCond:
		if s := m.slots[2*in.x:]; s[0] >= 0 && s[1] >= s[0] {
			return pc + 1, pos, true
		}
		return in.y, pos, true
	case opMark:
		m.marks[in.x] = mark{len(m.stack), pos}
		return pc + 1, pos, true
	case opCommit:
		m.commit(m.marks[in.x].height)
		if in.y == 1 {
			pos = m.marks[in.x].pos
		}
		return pc + 1, pos, true
	case opNot:
		m.marks[in.x] = mark{len(m.stack), pos}
		m.push(frame{pc: in.y, a: pos, b: branch})
		return pc + 1, pos, true
	case opNotEnd:
		m.rewind(m.marks[in.x].height)
		return 0, 0, false
	case opBack:
		end, ok := m.stepBack(in.x, pos)
		return pc + 1, end, ok
	}
	panic("pyre: unknown instruction")
}

// until decides at the end of a greedy loop body; an empty iteration ends the loop.
func (m *machine) until(pc int, in *inst, pos int) int {
	l := m.loops[in.x]
	count := l.count + 1
	if count < in.min {
		m.setLoop(in.x, count, l.last)
		return in.y
	}
	if (count < in.max || in.max == maxRepeat) && pos != l.last {
		m.push(frame{pc: pc + 1, a: pos, b: branch})
		m.setLoop(in.x, count, pos)
		return in.y
	}
	return pc + 1
}

func (m *machine) untilLazy(pc int, in *inst, pos int) int {
	l := m.loops[in.x]
	count := l.count + 1
	if count < in.min {
		m.setLoop(in.x, count, l.last)
		return in.y
	}
	if (count < in.max || in.max == maxRepeat) && pos != l.last {
		m.push(frame{pc: pc + 2, a: pos, b: branch})
	}
	return pc + 1
}

func (m *machine) char(in *inst, pos int) int {
	if pos >= len(m.text) {
		return -1
	}
	r, w := decode(m.text, pos)
	if in.op == opSet && !in.set.has(r) || in.op == opAny && r == '\n' {
		return -1
	}
	return pos + w
}

func (m *machine) at(in *inst, pos int) bool {
	end := len(m.text)
	switch in.at {
	case atBegin:
		return pos == 0
	case atBeginLine:
		return pos == 0 || m.text[pos-1] == '\n'
	case atEnd:
		return pos == end || pos == end-1 && m.text[pos] == '\n'
	case atEndLine:
		return pos == end || m.text[pos] == '\n'
	case atEndString:
		return pos == end
	case atBoundary:
		return end > 0 && m.wordEdge(in.asc, pos)
	case atNotBoundary:
		return end > 0 && !m.wordEdge(in.asc, pos)
	}
	return false
}

func (m *machine) wordEdge(ascii bool, pos int) bool {
	before, after := false, false
	if pos > 0 {
		r, _ := decodeLast(m.text, pos)
		before = isWord(r, ascii)
	}
	if pos < len(m.text) {
		r, _ := decode(m.text, pos)
		after = isWord(r, ascii)
	}
	return before != after
}

func (m *machine) backref(in *inst, pos int) (int, bool) {
	start, end := m.slots[2*in.x], m.slots[2*in.x+1]
	if start < 0 || end < start {
		return 0, false
	}
	group := m.text[start:end]
	m.steps -= len(group) / 8
	if !in.fold {
		return pos + len(group), strings.HasPrefix(m.text[pos:], group)
	}
	for i := 0; i < len(group); {
		if pos >= len(m.text) {
			return 0, false
		}
		r, w := decode(group, i)
		t, v := decode(m.text, pos)
		if lower(r, in.asc) != lower(t, in.asc) {
			return 0, false
		}
		i += w
		pos += v
	}
	return pos, true
}

func (m *machine) stepBack(n, pos int) (int, bool) {
	m.steps -= n / 8
	for range n {
		if pos == 0 {
			return 0, false
		}
		_, w := decodeLast(m.text, pos)
		pos -= w
	}
	return pos, true
}
