package pyre

import "strings"

type searchMode uint8

const (
	atStart     searchMode = 1 << iota // try only the start position
	toEnd                              // the match must reach the end of the text
	mustAdvance                        // an empty match at the start position does not count
)

const (
	baseSteps = 20_000_000
	byteSteps = 200
	maxFrames = 8_000_000
)

// Special values of frame.pc: what to put back when the frame is taken off.
const (
	undoSlot = -1 - iota
	undoLoop
)

// branch in frame.b tells a plain choice from a run of characters to shorten or lengthen.
const branch = -1

// frame is a choice to come back to (pc >= 0) or something to undo on the way.
type frame struct {
	pc   int
	a, b int
	n    int
}

type loop struct{ count, last int }
type mark struct{ height, pos int }

// machine matches one text; it is used by one goroutine at a time.
type machine struct {
	prog   *program
	text   string
	slots  []int
	loops  []loop
	marks  []mark
	stack  []frame
	steps  int
	mode   searchMode
	begin  int
	failed error
}

func (re *Regexp) machine(s string) *machine {
	m, _ := re.pool.Get().(*machine)
	if m == nil {
		p := re.prog
		m = &machine{prog: p, slots: make([]int, p.slots), loops: make([]loop, p.loops), marks: make([]mark, p.marks)}
	}
	m.text, m.steps, m.failed = s, baseSteps+byteSteps*len(s), nil
	return m
}

func (re *Regexp) release(m *machine) {
	m.text = ""
	if cap(m.stack) > 1<<16 {
		m.stack = nil
	}
	re.pool.Put(m)
}

func (m *machine) match(re *Regexp) *Match {
	return &Match{re: re, text: m.text, spans: append([]int(nil), m.slots...)}
}

// search looks for a match that begins at pos or, unless mode forbids it, later.
func (m *machine) search(pos int, mode searchMode) (bool, error) {
	m.mode, m.begin = mode, pos
	for {
		if mode&atStart == 0 {
			if pos = m.candidate(pos); pos < 0 {
				return false, nil
			}
		}
		if m.try(pos) {
			return true, nil
		}
		if m.failed != nil {
			return false, m.failed
		}
		if mode&atStart != 0 || pos >= len(m.text) {
			return false, nil
		}
		_, w := decode(m.text, pos)
		pos += w
		m.mode &^= mustAdvance
	}
}

// candidate is the next place at or after pos where a match may begin, or -1.
func (m *machine) candidate(pos int) int {
	p := m.prog
	switch {
	case p.anchored:
		if pos > 0 {
			return -1
		}
	case p.prefix != "":
		i := strings.Index(m.text[pos:], p.prefix)
		if i < 0 {
			return -1
		}
		if i > 0 {
			m.mode &^= mustAdvance
		}
		return pos + i
	case p.first != nil:
		for pos < len(m.text) {
			r, w := decode(m.text, pos)
			if p.first.has(r) {
				return pos
			}
			pos += w
			m.mode &^= mustAdvance
		}
		return -1
	}
	return pos
}

func (m *machine) try(pos int) bool {
	for i := range m.slots {
		m.slots[i] = -1
	}
	m.stack = m.stack[:0]
	end, ok := m.run(pos)
	if ok {
		m.slots[0], m.slots[1] = pos, end
	}
	return ok
}

func (m *machine) push(f frame) {
	if len(m.stack) >= maxFrames {
		m.failed = ErrTooComplex
		return
	}
	m.stack = append(m.stack, f)
}

// back takes the latest choice, undoing what was done since.
func (m *machine) back() (pc, pos int, ok bool) {
	for len(m.stack) > 0 {
		f := &m.stack[len(m.stack)-1]
		if f.pc < 0 {
			m.undo(f)
			m.stack = m.stack[:len(m.stack)-1]
			continue
		}
		if f.b == branch {
			pc, pos = f.pc, f.a
			m.stack = m.stack[:len(m.stack)-1]
			return pc, pos, true
		}
		in := &m.prog.code[f.pc]
		if in.op == opMany {
			return m.backMany(in, f)
		}
		if pc, pos, ok = m.backFew(in, f); ok {
			return pc, pos, true
		}
	}
	return 0, 0, false
}

func (m *machine) undo(f *frame) {
	switch f.pc {
	case undoSlot:
		m.slots[f.n] = f.a
	case undoLoop:
		m.loops[f.n] = loop{f.a, f.b}
	}
}

// backMany gives up one character of a greedy run (f.a, not before f.b).
func (m *machine) backMany(in *inst, f *frame) (int, int, bool) {
	pc := f.pc + 1
	for {
		_, w := decodeLast(m.text, f.a)
		f.a -= w
		m.steps--
		if f.a <= f.b {
			pos := f.a
			m.stack = m.stack[:len(m.stack)-1]
			return pc, pos, true
		}
		if in.next == "" || strings.HasPrefix(m.text[f.a:], in.next) {
			return pc, f.a, true
		}
	}
}

// backFew takes one more character into a lazy run (f.a is its end, f.n what may follow).
func (m *machine) backFew(in *inst, f *frame) (int, int, bool) {
	end := f.a
	if f.n > 0 {
		end = m.one(in, f.a)
	}
	if f.n <= 0 || end < 0 {
		m.stack = m.stack[:len(m.stack)-1]
		return 0, 0, false
	}
	f.a = end
	f.n--
	return f.pc + 1, end, true
}

// one matches the single character of a run at pos and returns the place after it, or -1.
func (m *machine) one(in *inst, pos int) int {
	if pos >= len(m.text) {
		return -1
	}
	if in.one == opString {
		if strings.HasPrefix(m.text[pos:], in.str) {
			return pos + len(in.str)
		}
		return -1
	}
	r, w := decode(m.text, pos)
	switch in.one {
	case opSet:
		if !in.set.has(r) {
			return -1
		}
	case opAny:
		if r == '\n' {
			return -1
		}
	}
	return pos + w
}

// many matches a greedy run and leaves the choice to give characters back.
func (m *machine) many(pc int, in *inst, pos int) (int, bool) {
	n, floor := 0, pos
	for n < in.max {
		end := m.one(in, pos)
		if end < 0 {
			break
		}
		pos = end
		if n++; n == in.min {
			floor = pos
		}
	}
	m.steps -= n / 8
	if n < in.min {
		return 0, false
	}
	if pos > floor {
		m.push(frame{pc: pc, a: pos, b: floor})
	}
	return pos, true
}

func (m *machine) few(pc int, in *inst, pos int) (int, bool) {
	for range in.min {
		if pos = m.one(in, pos); pos < 0 {
			return 0, false
		}
		m.steps--
	}
	if in.max > in.min {
		m.push(frame{pc: pc, a: pos, n: in.max - in.min})
	}
	return pos, true
}

func (m *machine) setSlot(i, pos int) {
	if len(m.stack) > 0 {
		m.push(frame{pc: undoSlot, a: m.slots[i], n: i})
	}
	m.slots[i] = pos
}

func (m *machine) setLoop(i, count, last int) {
	if len(m.stack) > 0 {
		m.push(frame{pc: undoLoop, a: m.loops[i].count, b: m.loops[i].last, n: i})
	}
	m.loops[i] = loop{count, last}
}

// commit drops the choices made since the mark but keeps what must be undone.
func (m *machine) commit(height int) {
	kept := m.stack[:height]
	for _, f := range m.stack[height:] {
		if f.pc < 0 {
			kept = append(kept, f)
		}
	}
	m.stack = kept
}

// rewind undoes everything since the mark, the choice at the mark included.
func (m *machine) rewind(height int) {
	for i := len(m.stack) - 1; i >= height; i-- {
		if m.stack[i].pc < 0 {
			m.undo(&m.stack[i])
		}
	}
	m.stack = m.stack[:height]
}

// accept tells whether a match that ends at pos counts.
func (m *machine) accept(pos int) bool {
	if m.mode&toEnd != 0 && pos != len(m.text) {
		return false
	}
	return m.mode&mustAdvance == 0 || pos != m.begin
}
