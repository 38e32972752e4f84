package compile

import (
	"path/filepath"
	"slices"

	"fettle/engine/plan"
	"fettle/engine/template"
	"fettle/engine/value"
	"fettle/modules"
	"fettle/playbooks/ast"
	"fettle/playbooks/load"
)

func (c *compiler) play(file string, p *ast.Play, from *importing) *plan.Play {
	c.ids++
	as := p.Attrs
	out := &plan.Play{ID: c.ids, Name: as.Get("name"), Pos: p.Pos, File: file, Dir: filepath.Dir(file), Hosts: as.Get("hosts"),
		Strategy: as.Get("strategy"), Serial: attrs(as.Get("serial")), Order: as.Get("order"), Gather: as.Get("gather_facts"),
		GatherSubset: as.Get("gather_subset"), GatherTimeout: as.Get("gather_timeout"), FactPath: as.Get("fact_path"),
		MaxFailPercentage: as.Get("max_fail_percentage"), ForceHandlers: as.Get("force_handlers"),
		VarsFiles: p.VarsFiles, VarsPrompt: p.Prompts}
	vars := &value.Vars{}
	copyVars(vars, p.Vars)
	s := &scope{c: c, play: out, state: &playState{ast: p}, dir: out.Dir, file: file}
	s.state.library = append(slices.Clone(c.opts.LibraryPath), filepath.Join(out.Dir, "library"))
	s.ownContent(out.Dir)
	if from != nil {
		copyVars(vars, from.vars)
	}
	out.Vars = &plan.VarSet{Kind: plan.PlayVars, Where: "vars of the play", Vars: *vars}
	var when []plan.Cond
	if from != nil {
		for _, t := range from.tags {
			s.tags = append(s.tags, s.tagsOf(t)...)
		}
		when = from.when
	}
	in := s.enter(as, nil)
	out.Keywords = in.kw
	for _, t := range in.tags {
		out.Tags = append(out.Tags, t)
	}
	c.playGraph(in, p, when)
	out.Pattern, out.Title = in.shown(out.Hosts), in.shown(out.Name)
	return out
}

// shown is a keyword rendered with what is known before the run, or as it is written.
func (s *scope) shown(a plan.Attr) string {
	if v, err := s.render(a.Value); err == nil {
		a.Value = v
	}
	return patternText(a.Value)
}

// playGraph compiles the sections of a play in Ansible's order.
func (c *compiler) playGraph(s *scope, p *ast.Play, when []plan.Cond) {
	out, g := s.play, newGraph()
	out.Graph = g.Graph
	s.gatherFacts(g)
	tasks := *s
	tasks.when = when
	roles := make([]*roleUse, 0, len(p.Roles))
	for _, r := range p.Roles { // before the tasks: their variables are seen by all of the play
		if u := tasks.roleUse(r, nil); u != nil {
			u.register()
			roles = append(roles, u)
		}
	}
	tasks.items(g, p.PreTasks)
	s.flush(g)
	for _, u := range roles {
		out.Handlers = append(out.Handlers, u.handlers()...)
	}
	for _, u := range roles {
		u.tasks(g)
	}
	tasks.items(g, p.Tasks)
	s.flush(g)
	tasks.items(g, p.PostTasks)
	s.flush(g)
	h := *s
	h.handlers = true
	out.Handlers = append(out.Handlers, h.handlerItems(p.Handler)...)
	out.Handlers = append(out.Handlers, s.state.handlers...)
}

// gatherFacts adds the implicit task at the start of a play.
func (s *scope) gatherFacts(g *graph) {
	p := s.play
	if p.Gather.Set && p.Gather.Value != nil {
		if b, err := modules.ToBool(p.Gather.Value); constant(p.Gather.Value) && err == nil && !b {
			return
		}
	}
	t := s.implicit("ansible.builtin.gather_facts", "gather_facts")
	t.Name = plan.Attr{Value: "Gathering Facts", At: p.Pos, Set: true}
	for name, a := range map[string]plan.Attr{"gather_subset": p.GatherSubset, "gather_timeout": p.GatherTimeout, "fact_path": p.FactPath} {
		if a.Set && a.Value != nil {
			t.Args.SetString(name, a.Value)
		}
	}
	if len(t.Tags) == 0 {
		t.Tags = []string{"always"}
	}
	t.Static, t.Encoded = encode(t)
	g.task(t)
}

func (s *scope) flush(g *graph) {
	t := s.implicit("ansible.builtin.meta", "meta")
	t.Args.SetString("_raw_params", "flush_handlers")
	t.Static, t.Encoded = encode(t)
	g.task(t)
}

// implicit makes a task that no playbook writes.
func (s *scope) implicit(module, action string) *plan.Task {
	return &plan.Task{Keywords: s.kw, ID: s.c.nextID(), Pos: s.play.Pos, Action: action, Module: module, Declared: modules.Find(module),
		Args: value.NewDict(2), Tags: s.tags, Vars: s.vars, Role: s.role, Play: s.play, Implicit: true,
		Search: s.search(), File: s.file, Parent: s.parent}
}

func encode(t *plan.Task) (bool, []byte) {
	if t.ArgsExpr != nil || !constant(t.Args) {
		return false, nil
	}
	for _, e := range t.Args.Entries() {
		if name, ok := e.Key.(string); ok && template.IsTemplate(name) {
			return false, nil
		}
	}
	text, err := value.ToJSON(t.Args)
	return err == nil, text
}

// searchKey is what the search for relative files depends on.
type searchKey struct {
	role      *plan.Role
	file, dir string
}

// search lists the folders for relative files.
func (s *scope) search() []string {
	key := searchKey{s.role, filepath.Dir(s.file), s.dir}
	if out, ok := s.c.searches[key]; ok {
		return out
	}
	var out []string
	add := func(dir string) {
		if !slices.Contains(out, dir) {
			out = append(out, dir)
		}
	}
	if s.role != nil {
		add(s.role.Path)
		for _, p := range s.role.Parents {
			add(p.Path)
		}
	}
	add(filepath.Dir(s.file))
	add(s.dir)
	s.c.searches[key] = out
	return out
}

// searchVars finds a variables file beside the playbook.
func (s *scope) searchVars(name string) string {
	for _, p := range []string{load.Abs(filepath.Join(s.dir, "vars"), name), load.Abs(s.dir, name)} {
		if s.c.exists(p) {
			return p
		}
	}
	return ""
}
