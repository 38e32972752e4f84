package template

import "fettle/engine/value"

// pool keeps what one rendering needs over and over. It belongs to a Context, so it is used by
// one goroutine; nested uses take things of their own.
type pool struct {
	calls  []*Call
	frames []*frame
	runs   []*execution
	loops  []*loop
	text   []byte
}

// execution is what evaluating one expression takes.
type execution struct {
	rt  rendering
	f   *frame
	out output
	buf buffer
}

// newCall is a call with room for arguments; done takes it back. A plugin must not keep the call
// or its slices.
func (c *Context) newCall(u *unit, p pos) *Call {
	n := len(c.pool.calls)
	if n == 0 {
		return &Call{C: c, u: u, p: p, Args: make([]value.Value, 0, 4)}
	}
	call := c.pool.calls[n-1]
	c.pool.calls = c.pool.calls[:n-1]
	call.C, call.u, call.p = c, u, p
	return call
}

func (c *Context) done(call *Call) {
	clear(call.Args)
	if len(call.KW) > 0 {
		clear(call.KW)
		call.KW = call.KW[:0]
	}
	clear(call.room[:call.used])
	call.Args, call.used, call.takesUndefined = call.Args[:0], 0, false
	if cap(call.Args) <= 64 && cap(call.KW) <= 64 {
		c.pool.calls = append(c.pool.calls, call)
	}
}

// frame is a frame that release takes back: nothing may hold on to it.
func (c *Context) frame(n int, up *frame, rt *rendering, out *output) *frame {
	k := len(c.pool.frames)
	if k == 0 {
		return newFrame(n, up, rt, out)
	}
	f := c.pool.frames[k-1]
	c.pool.frames = c.pool.frames[:k-1]
	f.up, f.rt, f.out = up, rt, out
	if cap(f.s) < n {
		f.s = make([]value.Value, n)
	}
	f.s = f.s[:n]
	for i := range f.s {
		f.s[i] = missing
	}
	return f
}

func (c *Context) release(f *frame) {
	clear(f.s)
	f.up, f.rt, f.out = nil, nil, nil
	c.pool.frames = append(c.pool.frames, f)
}

// scratch is room to build a text in; keepScratch takes it back.
func (c *Context) scratch() []byte {
	if c == nil {
		return nil
	}
	b := c.pool.text
	c.pool.text = nil
	return b[:0]
}

func (c *Context) keepScratch(b []byte) {
	if c != nil && cap(b) <= maxKeptBuffer {
		c.pool.text = b
	}
}

func (p *pool) loop() *loop {
	n := len(p.loops)
	if n == 0 {
		return &loop{}
	}
	l := p.loops[n-1]
	p.loops = p.loops[:n-1]
	return l
}

// keepLoop takes a loop variable back that nothing holds on to.
func (p *pool) keepLoop(l *loop) {
	*l = loop{}
	p.loops = append(p.loops, l)
}

// begin makes ready to evaluate a unit that is one expression.
func (c *Context) begin(u *unit) *execution {
	var x *execution
	if n := len(c.pool.runs); n > 0 && !u.leaks {
		x = c.pool.runs[n-1]
		c.pool.runs = c.pool.runs[:n-1]
	} else {
		x = &execution{}
	}
	x.rt.c, x.rt.u = c, u
	x.out = output{c: c, native: true, shared: &x.buf}
	x.f = c.frame(u.slots, nil, &x.rt, &x.out)
	return x
}

func (c *Context) end(x *execution) {
	if x.rt.u.leaks {
		return
	}
	c.release(x.f)
	*x = execution{}
	c.pool.runs = append(c.pool.runs, x)
}
