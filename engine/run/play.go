package run

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/event"
	"fettle/engine/plan"
	"fettle/engine/template"
	"fettle/engine/value"
	"fettle/engine/vars"
	"fettle/inventory"
)

// playRun is one play, in one batch of hosts after the other.
type playRun struct {
	r            *run
	play         *plan.Play
	vars         *vars.Play
	name         string
	matched      []*inventory.Host // of the play, in inventory order
	all          []*inventory.Host // in the order of the play
	walkers      []*walker         // of the batch
	handlers     []*plan.Handler
	flushes      map[*plan.Vertex]bool
	seq          int
	maxFail      float64
	unordered    bool         // strategy free or host_pinned
	included     []*plan.Role // by tasks, as often as that happened
	abort        error        // ends the run
	fatal        bool         // any_errors_fatal struck: nobody goes on
	forced       bool
	gathers      bool // gather_facts
	ended        bool // meta: end_play
	debug        bool // strategy debug
	current      *event.Task
	roleHandlers map[string]bool // by handlerKey
	removed      map[string]bool // hosts that left the play, even if clear_host_errors lets them come back
	adopted      map[*plan.Expansion]bool
}

// playContext renders keywords of a play: only extra vars, play vars and magic are visible.
func (r *run) playContext(pv *vars.Play) *template.Context {
	scope := &vars.Scope{Store: r.Store, Play: pv}
	return r.Templates.NewContext(r.ctx, scope, pv.Plan.Dir)
}

func (r *run) play(p *plan.Play) error {
	pv := vars.NewPlay(p)
	pr := &playRun{r: r, play: p, vars: pv, maxFail: -1, roleHandlers: map[string]bool{}, removed: map[string]bool{}, adopted: map[*plan.Expansion]bool{}}
	pr.addHandlers(p.Handlers)
	t := r.playContext(pv)
	fail := func(what string, err error) error {
		return fmt.Errorf("%s: play keyword %s: %w", p.Pos, what, err)
	}
	if err := r.prompts(t, pv); err != nil {
		return err
	}
	pattern, err := renderPattern(t, p.Hosts)
	if err != nil {
		return fail("hosts", err)
	}
	pr.name = pattern
	if p.Name.Set {
		if n, err := t.String(p.Name.Value); err == nil {
			pr.name = n
		} else {
			pr.name = value.Str(rawText(p.Name.Value))
		}
	}
	sel, err := r.Inventory.Select([]string{pattern}, r.Limit)
	if err != nil {
		return fmt.Errorf("%s: %w", p.Hosts.At, err)
	}
	for _, w := range sel.Warnings {
		r.warnOnce(p.Hosts.At, w)
	}
	order, err := attrText(t, p.Order, "")
	if err != nil {
		return fail("order", err)
	}
	pr.matched = sel.Hosts
	if pr.all, err = r.inOrder(sel.Hosts, order); err != nil {
		return fmt.Errorf("%s: %w", p.Order.At, err)
	}
	if pr.maxFail, err = pr.percentage(t); err != nil {
		return fail("max_fail_percentage", err)
	}
	if pr.forced, err = attrBool(t, p.ForceHandlers, r.ForceHandlers); err != nil {
		return fail("force_handlers", err)
	}
	if pr.gathers, err = attrBool(t, p.Gather, true); err != nil {
		return fail("gather_facts", err)
	}
	strategy, err := attrText(t, p.Strategy, or(r.Strategy, "linear"))
	if err != nil {
		return fail("strategy", err)
	}
	strategy = strings.TrimPrefix(strategy, "ansible.builtin.")
	drive := strategies[strategy]
	pr.debug = strategy == "debug"
	if drive == nil {
		return fmt.Errorf("%s: strategy %q is not supported; there are linear, free, host_pinned and debug", p.Strategy.At, strategy)
	}
	if len(pr.all) == 0 {
		r.emit(event.PlayStart{At: r.Now(), Name: pr.name, Pos: p.Pos, Check: r.checkMode(&p.Keywords)})
		r.emit(event.NoHosts{Play: pr.name, Pattern: pattern})
		return nil
	}
	return pr.batches(t, drive)
}

func renderPattern(t *template.Context, a plan.Attr) (string, error) {
	v, err := t.Render(a.Value)
	if err != nil {
		return "", err
	}
	var parts []string
	for _, e := range asList(v) {
		if s := value.Str(e); s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ","), nil
}

func attrText(t *template.Context, a plan.Attr, dflt string) (string, error) {
	if !a.Set || a.Value == nil {
		return dflt, nil
	}
	v, err := t.Render(a.Value)
	if err != nil || v == value.Value(value.Omit) {
		return dflt, err
	}
	return value.Str(v), nil
}

func attrBool(t *template.Context, a plan.Attr, dflt bool) (bool, error) {
	if !a.Set || a.Value == nil {
		return dflt, nil
	}
	v, err := t.Render(a.Value)
	if err != nil || v == value.Value(value.Omit) {
		return dflt, err
	}
	return toBool(v)
}

func (pr *playRun) percentage(t *template.Context) (float64, error) {
	a := pr.play.MaxFailPercentage
	if !a.Set || a.Value == nil {
		return -1, nil
	}
	v, err := t.Render(a.Value)
	if err != nil || v == value.Value(value.Omit) {
		return -1, err
	}
	return number(v)
}

// batches runs the play for each batch of serial.
func (pr *playRun) batches(t *template.Context, drive func(*playRun)) error {
	r := pr.r
	sizes, err := pr.serial(t)
	if err != nil {
		return fmt.Errorf("%s: play keyword serial: %w", pr.play.Pos, err)
	}
	rest := pr.all
	for n := 0; len(rest) > 0; n++ {
		size := len(rest)
		if len(sizes) > 0 {
			size = min(sizes[min(n, len(sizes)-1)], len(rest))
		}
		batch := rest[:size]
		rest = rest[size:]
		pr.startBatch(batch, n)
		if len(pr.walkers) > 0 {
			if err := pr.loadVarsFiles(); err != nil {
				return err
			}
			drive(pr)
		}
		failed := pr.finishBatch()
		if pr.abort != nil {
			return pr.abort
		}
		if pr.fatal || failed == len(batch) && !pr.ended {
			// Nobody of the batch is left: the hosts that wait are not touched.
			r.ended = true
		}
		if pr.ended || r.ended || r.stop.Err() != nil {
			break
		}
	}
	return nil
}

func (pr *playRun) startBatch(batch []*inventory.Host, n int) {
	r := pr.r
	pr.walkers, pr.current = nil, nil
	names := make([]string, 0, len(batch))
	for _, h := range batch {
		names = append(names, h.Name)
		if r.dead[h.Name] {
			r.failedAny = true // also when a rescue section saved the play it was lost in
			continue
		}
		w := &walker{host: h, state: r.Store.Host(h), notified: map[*plan.Handler]bool{}, doneRoles: map[string]bool{}, ranRoles: map[string]bool{}}
		w.stack = []*frame{newFrame(pr.play.Graph, 0, nil)}
		pr.walkers = append(pr.walkers, w)
	}
	pr.setMagic()
	r.emit(event.PlayStart{At: r.Now(), Name: pr.name, Hosts: names, Batch: n, Pos: pr.play.Pos, Check: r.checkMode(&pr.play.Keywords)})
}

// finishBatch notes who failed in this play and counts them.
func (pr *playRun) finishBatch() int {
	failed := 0
	for _, w := range pr.walkers {
		if w.failed || w.unreachable {
			pr.r.dead[w.host.Name] = true
			if w.failed {
				pr.r.failedHosts[w.host.Name] = true
			}
			failed++
		}
		if w.struck || w.absent {
			pr.r.dead[w.host.Name] = true
		}
		if w.absent {
			failed++
		}
		pr.r.failedAny = pr.r.failedAny || w.failed || w.struck
		pr.r.unreached = pr.r.unreached || w.unreachable
	}
	return failed
}

// serial renders the batch sizes; empty means all at once.
func (pr *playRun) serial(t *template.Context) ([]int, error) {
	var out []int
	for _, a := range pr.play.Serial {
		v, err := t.Render(a.Value)
		if err != nil {
			return nil, err
		}
		for _, e := range asList(v) {
			if e == value.Value(value.Omit) {
				continue
			}
			n, err := batchSize(value.Str(e), len(pr.all))
			if err != nil {
				return nil, err
			}
			out = append(out, n)
		}
	}
	return out, nil
}

func batchSize(text string, hosts int) (int, error) {
	if p, ok := strings.CutSuffix(strings.TrimSpace(text), "%"); ok {
		f, err := strconv.ParseFloat(p, 64)
		if err != nil {
			return 0, fmt.Errorf("%q is no percentage", text)
		}
		return max(int(math.Floor(f/100*float64(hosts))), 1), nil
	}
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		return 0, fmt.Errorf("%q is neither a number nor a percentage", text)
	}
	if n <= 0 {
		return max(hosts, 1), nil
	}
	return n, nil
}

// setMagic computes the magic variables of the play and batch anew.
func (pr *playRun) setMagic() {
	m := &value.Vars{}
	list := func(hs []string) *value.List {
		l := &value.List{V: make([]value.Value, len(hs))}
		for i, h := range hs {
			l.V[i] = h
		}
		return l
	}
	all := make([]string, 0, len(pr.all))
	for _, h := range pr.matched {
		all = append(all, h.Name)
	}
	for _, w := range pr.walkers {
		if w.failed || w.unreachable || w.struck || w.absent || w.left {
			pr.removed[w.host.Name] = true
		}
	}
	var live []string
	for _, n := range all {
		if !pr.r.dead[n] && !pr.removed[n] {
			live = append(live, n)
		}
	}
	batch := make([]string, 0, len(pr.walkers))
	for _, w := range pr.walkers {
		if !pr.removed[w.host.Name] {
			batch = append(batch, w.host.Name)
		}
	}
	at := diag.Pos{}
	m.Set("ansible_play_hosts_all", list(all), at)
	m.Set("ansible_play_hosts", list(live), at)
	m.Set("ansible_play_batch", list(batch), at)
	m.Set("play_hosts", list(batch), at)
	m.Set("ansible_play_name", pr.name, at)
	m.Set("playbook_dir", pr.play.Dir, at)
	var own, dependent []string
	for _, role := range slices.Concat(pr.play.Roles, pr.included) {
		if len(role.Parents) == 0 || role.Included {
			own = append(own, role.Name)
		} else {
			dependent = append(dependent, role.Name)
		}
	}
	unique := func(names []string) *value.List {
		names = slices.Clone(names)
		slices.Sort(names)
		return list(slices.Compact(names))
	}
	roles := list(own)
	m.Set("ansible_play_role_names", roles, at)
	m.Set("ansible_dependent_role_names", unique(dependent), at)
	m.Set("ansible_role_names", unique(append(slices.Clone(own), dependent...)), at)
	m.Set("role_names", roles, at)
	pr.vars.Magic.Store(m)
}

func (pr *playRun) hostNames() []string {
	m := pr.vars.Magic.Load()
	if m == nil {
		return nil
	}
	v, _ := m.Get("ansible_play_hosts")
	var out []string
	for _, e := range asList(v.Value) {
		out = append(out, value.Str(e))
	}
	return out
}

// prompts asks for vars_prompt; variables given with -e are not asked for.
func (r *run) prompts(t *template.Context, pv *vars.Play) error {
	pv.Prompted = &value.Vars{}
	for _, p := range pv.Plan.VarsPrompt {
		if given, ok := r.Store.Extra.Get(p.Name); ok {
			if s, isText := given.Value.(string); isText && p.Private {
				r.Store.Extra.Set(p.Name, r.Masker.Keep(s), given.At)
			}
			continue
		}
		v, err := r.prompt(t, p)
		if err != nil {
			return fmt.Errorf("%s: vars_prompt %s: %w", p.At, p.Name, err)
		}
		pv.Prompted.Set(p.Name, v, p.At)
	}
	return nil
}

func (r *run) prompt(t *template.Context, p plan.Prompt) (value.Value, error) {
	dflt := ""
	if p.Default.Set {
		s, err := t.String(p.Default.Value)
		if err != nil {
			return nil, err
		}
		dflt = s
	}
	text := or(p.Text, p.Name)
	if dflt != "" && !p.Private {
		text += " [" + dflt + "]"
	}
	for {
		answer, ok, err := "", false, error(nil)
		if r.Ask != nil {
			answer, ok, err = r.Ask(r.stop, text+": ", !p.Private, 0)
		}
		if err != nil {
			return nil, err
		}
		if !ok {
			r.warnOnce(p.At, fmt.Sprintf("not prompting for %q: there is no terminal; its default is used", p.Name))
			p.Private = false // the default stands in the playbook for all to read
			return r.answered(dflt, p)
		}
		if p.Confirm && ok {
			again, _, err := r.Ask(r.stop, "confirm "+text+": ", !p.Private, 0)
			if err != nil {
				return nil, err
			}
			if again != answer {
				r.emit(event.Display{Text: "***** VALUES ENTERED DO NOT MATCH ****"})
				continue
			}
		}
		if answer == "" {
			answer = dflt
		}
		return r.answered(answer, p)
	}
}

func (r *run) answered(answer string, p plan.Prompt) (value.Value, error) {
	var v value.Value = answer
	if p.Encrypt != "" {
		hashed, err := r.hashed(answer, p)
		if err != nil {
			return nil, err
		}
		v = hashed
	}
	if p.Private {
		return r.Masker.Keep(v), nil
	}
	return v, nil
}

// hashed is an answer as the encrypt option wants it.
func (r *run) hashed(answer string, p plan.Prompt) (value.Value, error) {
	call := "answer | password_hash(kind"
	if p.Salt != "" {
		call += ", salt"
	}
	if p.SaltSize > 0 {
		call += ", salt_size=size"
	}
	scope := template.MapScope{Dict: value.DictOf("answer", answer, "kind", p.Encrypt, "salt", p.Salt, "size", int64(p.SaltSize))}
	return r.Templates.NewContext(r.ctx, scope).Render(&value.Template{Src: "{{ " + call + ") }}", At: p.At})
}

// loadVarsFiles reads vars_files for every host of the batch: their names may depend on it.
func (pr *playRun) loadVarsFiles() error {
	if len(pr.play.VarsFiles) == 0 {
		return nil
	}
	for _, w := range pr.walkers {
		sets, err := pr.varsFilesOf(w)
		if err != nil {
			return err
		}
		pr.vars.Files.Store(w.host.Name, sets)
	}
	return nil
}

func (pr *playRun) varsFilesOf(w *walker) ([]*value.Vars, error) {
	scope := &vars.Scope{Store: pr.r.Store, Host: w.state, Play: pr.vars}
	t := pr.r.Templates.NewContext(pr.r.ctx, scope, pr.play.Dir)
	var sets []*value.Vars
	for _, a := range pr.play.VarsFiles {
		set, err := pr.firstVarsFile(t, a)
		if err != nil {
			return nil, &placed{at: a.At, err: err}
		}
		if set != nil {
			sets = append(sets, set)
			pr.vars.Files.Store(w.host.Name, sets) // later names may use it
			t.Forget()
		}
	}
	return sets, nil
}

// firstVarsFile reads the first of the alternatives that exists.
func (pr *playRun) firstVarsFile(t *template.Context, a plan.Attr) (*value.Vars, error) {
	alternatives := []value.Value{a.Value}
	if l, ok := a.Value.(*value.List); ok {
		alternatives = l.V
	}
	var tried []string
	for _, alt := range alternatives {
		name, err := t.String(alt)
		if err != nil {
			var undefined *value.UndefinedError
			if errors.As(err, &undefined) {
				// Facts are not known yet: Ansible leaves the file out for now.
				return nil, nil
			}
			return nil, err
		}
		set, err := pr.r.Expander.LoadVarsFile(resolvePath(pr.play.Dir, name))
		if err == nil {
			return set, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		tried = append(tried, name)
	}
	// ansible-core 2.19 goes on without it; that deserves a word.
	pr.r.warnOnce(a.At, fmt.Sprintf("vars file %s was not found and is left out", strings.Join(tried, ", ")))
	return nil, nil
}
