package run

import (
	"slices"

	"fettle/engine/plan"
	"fettle/engine/value"
	"fettle/engine/vars"
	"fettle/inventory"
)

// walker is where one host is in a play. Only the goroutine that owns the run touches it,
// except for host and state, which do not change.
type walker struct {
	host  *inventory.Host
	state *vars.Host
	stack []*frame // innermost last; empty when the host has reached the end

	failed      bool // failed for good in this play
	unreachable bool
	absent      bool     // rescued from an include that failed: not in later plays
	struck      bool     // rescued from a failure of another host (any_errors_fatal): not in later plays
	ended       bool     // end_host and its like: done without failure
	left        bool     // by end_host
	busy        bool     // free strategy: a task is under way
	notices     []string // names notified since the last flush
	notified    map[*plan.Handler]bool
	afterFlush  bool            // failed, but handlers are forced: ends after the next flush
	doneRoles   map[string]bool // by roleKey: through
	ranRoles    map[string]bool // some task of it ran
}

// frame is one level of graphs: the play, an included file, a flush of handlers.
type frame struct {
	graph    *plan.Graph
	at       *plan.Vertex // nil: through
	seq      int          // order among frames made by the same vertex
	blocks   map[*plan.Block]*blockState
	include  *value.Vars // variables of the include that made it
	siblings []*frame    // frames of the same include that follow
	before   bool        // it comes before the vertex below, which did not make it
	handlers bool        // a flush of handlers
	queue    []*plan.Handler
	handler  *plan.Handler
}

// blockState is what a host remembers of a block it is inside of.
type blockState struct {
	pending bool // failed, and the failure is to be passed on at the end
	task    *plan.Task
	result  *value.Dict
}

func (w *walker) top() *frame {
	if len(w.stack) == 0 {
		return nil
	}
	return w.stack[len(w.stack)-1]
}

// active tells whether the host still has something to do.
func (w *walker) active() bool {
	return !w.failed && !w.unreachable && !w.ended && w.top() != nil
}

// next is the task vertex the host stands at, after passing block ends; nil at the end.
func (w *walker) next() *plan.Vertex {
	for {
		f := w.top()
		if f == nil {
			return nil
		}
		if f.at == nil {
			w.pop()
			continue
		}
		if f.at.Kind == plan.VertexTask {
			return f.at
		}
		w.endBlock(f)
	}
}

// endBlock passes the end of a block: on, or, with a failure pending, out of it.
func (w *walker) endBlock(f *frame) {
	v := f.at
	st := f.blocks[v.Ends]
	delete(f.blocks, v.Ends)
	if st != nil && st.pending {
		w.failAt(v, st.task, st.result)
		return
	}
	f.at = v.Next
}

// advance goes on after the task at the top has ended well.
func (w *walker) advance() {
	f := w.top()
	f.at = f.at.Next
}

// pop leaves the innermost frame: for the next file of the same include, the next handler,
// or the vertex behind the one that made it.
func (w *walker) pop() {
	f := w.top()
	if f.handlers {
		w.nextHandler(f)
		if f.at != nil {
			return
		}
	}
	w.stack = w.stack[:len(w.stack)-1]
	if len(f.siblings) > 0 {
		n := f.siblings[0]
		n.siblings = f.siblings[1:]
		w.stack = append(w.stack, n)
		return
	}
	if len(w.stack) > 0 && !f.before {
		w.advance()
	}
}

// push enters graphs that the vertex at the top brought in, one after the other.
func (w *walker) push(frames []*frame) {
	if len(frames) == 0 {
		w.advance()
		return
	}
	first := frames[0]
	first.siblings = frames[1:]
	w.stack = append(w.stack, first)
}

func newFrame(g *plan.Graph, seq int, include *value.Vars) *frame {
	return &frame{graph: g, at: g.Entry, seq: seq, include: include, blocks: map[*plan.Block]*blockState{}}
}

// fail sends the host where a failure of the task at the top leads: into a rescue, an
// always section, or out. It reports whether a rescue section takes over.
func (w *walker) fail(t *plan.Task, result *value.Dict) (rescued bool) {
	f := w.top()
	return w.failAt(f.at, t, result)
}

func (w *walker) failAt(v *plan.Vertex, t *plan.Task, result *value.Dict) bool {
	for {
		f := w.top()
		if to, rescued := f.unwind(v, t, result); to != nil {
			f.at = to
			return rescued
		}
		w.stack = w.stack[:len(w.stack)-1]
		if len(w.stack) == 0 {
			w.failed = true
			return false
		}
		v = w.top().at // the include or flush that made the frame fails
	}
}

// unwind finds the section that a failure at v leads to within the frame.
func (f *frame) unwind(v *plan.Vertex, t *plan.Task, result *value.Dict) (to *plan.Vertex, rescued bool) {
	block, section := v.Block, v.Section
	for block != nil {
		st := f.blocks[block]
		if st == nil {
			st = &blockState{}
			f.blocks[block] = st
		}
		if section == plan.InBody && block.Rescue != nil {
			st.task, st.result = t, result
			return block.Rescue, true
		}
		if section != plan.InAlways && block.Always != nil {
			st.pending, st.task, st.result = true, t, result
			return block.Always, false
		}
		delete(f.blocks, block)
		block, section = block.Parent, block.ParentSection
	}
	return nil, false
}

// canRescue tells whether a failure at the top would be taken over by a rescue section.
func (w *walker) canRescue() bool {
	for i := len(w.stack) - 1; i >= 0; i-- {
		v := w.stack[i].at
		if v == nil {
			continue
		}
		for b, s := v.Block, v.Section; b != nil; b, s = b.Parent, b.ParentSection {
			if s == plan.InBody && b.Rescue != nil {
				return true
			}
		}
	}
	return false
}

// forgive forgets failures that always sections would pass on at their end.
func (w *walker) forgive() {
	for _, f := range w.stack {
		for _, st := range f.blocks {
			st.pending = false
		}
	}
}

// rescueOf finds the failure that the innermost rescue section the host is in handles.
func (w *walker) rescueOf() *blockState {
	for i := len(w.stack) - 1; i >= 0; i-- {
		f := w.stack[i]
		if f.at == nil {
			continue
		}
		for b, s := f.at.Block, f.at.Section; b != nil; b, s = b.Parent, b.ParentSection {
			if st := f.blocks[b]; st != nil && s != plan.InBody && st.task != nil {
				return st
			}
		}
	}
	return nil
}

// includes are the variables of the includes the host is inside of, nearest first.
func (w *walker) includes() []*value.Vars {
	var out []*value.Vars
	for i := len(w.stack) - 1; i >= 0; i-- {
		if v := w.stack[i].include; v != nil {
			out = append(out, v)
		}
	}
	return out
}

// compare orders two hosts by how far they are: program order, level by level.
func (w *walker) compare(o *walker) int {
	for i := 0; i < len(w.stack) && i < len(o.stack); i++ {
		a, b := w.stack[i], o.stack[i]
		if a.seq != b.seq {
			return a.seq - b.seq
		}
		ai, bi := index(a), index(b)
		if ai != bi {
			return ai - bi
		}
	}
	// The one deeper inside the same vertex is further: it has passed it already, but it
	// must be through before the vertex behind it.
	return len(w.stack) - len(o.stack)
}

func index(f *frame) int {
	if f.at == nil {
		return 1 << 30
	}
	if f.handlers && f.handler != nil {
		return f.order()*(1<<12) + f.at.Index
	}
	return f.at.Index
}

// flushing: the host is among handlers.
func (w *walker) flushing() bool {
	return slices.ContainsFunc(w.stack, func(f *frame) bool { return f.handlers })
}

// startFlush enters the pending handlers, in the order they are defined.
func (w *walker) startFlush(handlers []*plan.Handler) {
	f := &frame{handlers: true, queue: handlers, blocks: map[*plan.Block]*blockState{}}
	w.nextHandler(f)
	if f.at == nil {
		w.advance()
		return
	}
	w.stack = append(w.stack, f)
}

// nextHandler moves a flush to the next notified handler behind the current one.
func (w *walker) nextHandler(f *frame) {
	f.at = nil
	from := 0
	if f.handler != nil {
		from = f.order() + 1
	}
	for _, h := range f.queue[from:] {
		if w.notified[h] {
			delete(w.notified, h)
			f.handler, f.graph, f.at = h, h.Graph, h.Graph.Entry
			if f.at != nil {
				return
			}
		}
	}
}

func (f *frame) order() int {
	for i, h := range f.queue {
		if h == f.handler {
			return i
		}
	}
	return 0
}
