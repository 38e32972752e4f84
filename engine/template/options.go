package template

import (
	"context"

	"fettle/engine/diag"
	"fettle/engine/value"
)

// Compat selects whose behaviour is followed.
type Compat int

const (
	// Default is ansible-core 2.19 and later; what it refuses and 2.18 accepted is accepted
	// with a warning and 2.18's result.
	Default Compat = iota
	// V219 is ansible-core 2.19 and later, strictly.
	V219
	// V216 is ansible-core up to 2.18 without native types: rendered text that looks like a
	// literal becomes data.
	V216
	// V216Native is ansible-core up to 2.18 with jinja2_native.
	V216Native
)

// Old tells the behaviour up to 2.18.
func (c Compat) Old() bool { return c == V216 || c == V216Native }

// literals tells that rendered text may be read back as a literal.
func (c Compat) literals() bool { return c.Old() }

// Files reads templates for include, import and extends.
type Files interface {
	// ReadTemplate finds name in the search path and returns its text and its full path;
	// the error is fs.ErrNotExist (wrapped) when there is none.
	ReadTemplate(name string, search []string) (text, path string, err error)
}

// Options configure an Engine. The zero value works: no files, no secrets, no warnings.
type Options struct {
	Compat Compat
	// Native is the setting jinja2_native of before 2.19, for those who have set it.
	Native  bool
	Decrypt func(*value.Encrypted) (value.Value, error)
	// Secret hears of every secret text that becomes part of a longer one, so that it can be
	// masked wherever it appears on its own.
	Secret func(text string)
	Files  Files
	// Warn is told about deprecated or doubtful things; it may be called by many goroutines.
	Warn func(*diag.Diagnostic)
	// MaxOutput bounds the text of one rendering in bytes, MaxSteps the turns of loops, and
	// MaxDepth the nesting of macros, includes and variables. Zero means the default.
	MaxOutput, MaxSteps, MaxDepth int
	// Globals are further names that templates see when no variable has the name.
	Globals map[string]value.Value
}

// Scope gives outside names.
type Scope interface {
	// Lookup returns a variable's raw value: it may be a *value.Template, or a container
	// that holds some. The engine renders it when it is used.
	Lookup(name string) (v value.Value, ok bool)
	// Names lists the names there are; used for the vars lookups and suggestions.
	Names() []string
}

// MapScope is a Scope over a dict with string keys.
type MapScope struct{ *value.Dict }

// Lookup implements Scope.
func (m MapScope) Lookup(name string) (value.Value, bool) { return m.GetString(name) }

// Trusted implements TrustedScope: a dict is what its maker put there.
func (m MapScope) Trusted(string) bool { return true }

// Names implements Scope.
func (m MapScope) Names() []string {
	var out []string
	for _, e := range m.Entries() {
		out = append(out, value.Str(e.Key))
	}
	return out
}

// Engine renders templates. It is immutable and safe for concurrent use.
type Engine struct {
	opts    Options
	globals map[string]value.Value
	files   *fileCache
}

// New returns an engine; the plugin registries are frozen from then on.
func New(opts Options) *Engine {
	plugins.once.Do(func() { plugins.frozen = true })
	if opts.MaxOutput == 0 {
		opts.MaxOutput = value.MaxText
	}
	if opts.MaxSteps == 0 {
		opts.MaxSteps = 200_000_000
	}
	if opts.MaxDepth == 0 {
		opts.MaxDepth = 250
	}
	e := &Engine{opts: opts, files: newFileCache()}
	e.globals = makeGlobals(opts)
	return e
}

// Context is one host's and task's view of the engine: the variables it sees, what has been
// rendered of them, where included templates are searched. Not safe for concurrent use.
type Context struct {
	e      *Engine
	ctx    context.Context
	scope  Scope
	search []string
	memo   map[string]memo
	busy   []*value.Template // templates of variables that are being rendered
	depth  int
	steps  int
	warned map[string]bool
	pool   pool
	// readBack: texts of variables that look like containers are read as such (see readBack).
	readBack bool
	keepText bool // see RenderFact
}

// NewContext returns a context over s. search are the directories for include, import and
// extends, best first.
func (e *Engine) NewContext(ctx context.Context, s Scope, search ...string) *Context {
	return &Context{e: e, ctx: ctx, scope: s, search: search}
}

// Engine is the engine the context belongs to.
func (c *Context) Engine() *Engine { return c.e }

// Ctx is the context.Context of the run.
func (c *Context) Ctx() context.Context { return c.ctx }

// Search are the directories for include, import, extends.
func (c *Context) Search() []string { return c.search }

// Scope are the variables the context sees.
func (c *Context) Scope() Scope { return c.scope }

// Compat says whose behaviour is followed.
func (c *Context) Compat() Compat { return c.e.opts.Compat }

// Native tells that jinja2_native is set, which means something to content from before 2.19.
func (c *Context) Native() bool { return c.e.opts.Native }

// Warn reports a warning once per context and text.
func (c *Context) Warn(d *diag.Diagnostic) {
	if c.e.opts.Warn == nil || c.warned[d.Summary] {
		return
	}
	if c.warned == nil {
		c.warned = map[string]bool{}
	}
	c.warned[d.Summary] = true
	c.e.opts.Warn(d)
}

// Forget drops what was rendered of the variables, after they changed.
func (c *Context) Forget() { clear(c.memo) }
