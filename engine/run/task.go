package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fettle/engine/action"
	"fettle/engine/diag"
	"fettle/engine/event"
	"fettle/engine/plan"
	"fettle/engine/runner"
	"fettle/engine/template"
	"fettle/engine/transport"
	"fettle/engine/value"
	"fettle/engine/vars"
	"fettle/inventory"
	"fettle/modules"
)

// turn is one task on one host. It is worked on by one goroutine, which reads the state of
// the run but changes none of it: what is to change is in its outcome.
type turn struct {
	r    *run
	p    *playRun
	w    *walker
	task *plan.Task
	// origin is the task as it stands in the plan; task differs when its module is a template.
	origin *plan.Task
	scope  *vars.Scope
	t      *template.Context

	check, diff, noLog, ignore, ignoreUnreachable bool

	mod          *modules.Module
	act          *action.Action
	account      *runner.Account // resolved on first use, per delegation
	attempt      int64           // of until, from 1; 0 without
	told         []event.Event   // retries and looks at jobs of the current item of a loop
	perItem      bool            // the account depends on the item of the loop
	flagsPerItem bool            // so do check_mode, no_log and their like
	delegate     string
	address      string // of the delegate, when another than its name
	delegHost    *inventory.Host
}

// outcome is what a turn came to.
type outcome struct {
	status    event.Status
	ignored   bool
	result    *value.Dict // what is registered
	at        []diag.Pos  // the places that a failure speaks of
	items     []itemOutcome
	isLoop    bool
	delegated string
	address   string
	elapsed   time.Duration
	noLog     bool
	diff      bool
	reported  bool // the debugger has shown it already
	// effects are applied by the owner of the run.
	includes []includeRequest
}

type itemOutcome struct {
	status  event.Status
	ignored bool
	label   value.Value
	item    value.Value
	result  *value.Dict
	at      []diag.Pos // the places that a failure speaks of
	told    []event.Event
	// delegated is the host the item ran on, when another.
	delegated string
	address   string // where that one is reached, when it is not its name
	noLog     bool
	host      *inventory.Host // whose facts it sets, when delegated with delegate_facts
}

type includeRequest struct {
	file string
	role *plan.RoleUse
	vars *value.Vars
	item value.Value
}

// newTurn prepares the scope and the flags of a task on a host.
func (r *run) newTurn(ctx context.Context, p *playRun, w *walker, task *plan.Task, includes []*value.Vars) *turn {
	u := &turn{r: r, p: p, w: w, task: task, origin: task}
	u.scope = &vars.Scope{Store: r.Store, Host: w.state, Play: p.vars, Task: task, Include: includes}
	u.t = r.Templates.NewContext(ctx, u.scope, task.Search...)
	u.scope.Resolve = r.hostResolver(ctx, p.play.Dir)
	u.mod = task.Declared
	u.act = action.Find(task.Module)
	return u
}

func failedTask(t *plan.Task) value.Value {
	name := ""
	if t.Name.Set {
		name = value.Str(rawText(t.Name.Value))
	}
	args := t.Args
	if args == nil {
		args = value.NewDict(0)
	}
	return value.DictOf("name", name, "action", t.Action, "args", args)
}

func rawText(v value.Value) value.Value {
	if t, ok := v.(*value.Template); ok {
		return t.Src
	}
	return v
}

// hostResolver renders the variables of other hosts (hostvars).
func (r *run) hostResolver(ctx context.Context, playDir string) func(*inventory.Host) value.Resolver {
	return func(h *inventory.Host) value.Resolver {
		scope := &vars.Scope{Store: r.Store, Host: r.Store.Host(h), PlayDir: playDir}
		scope.Resolve = r.hostResolver(ctx, playDir)
		return r.Templates.NewContext(ctx, scope)
	}
}

// do runs the task and never panics out.
func (u *turn) do(ctx context.Context) (out *outcome) {
	start := time.Now()
	ctx, cancel := u.r.hostTime(ctx, u.r.enter(u))
	defer func() {
		cancel()
		out.elapsed = time.Since(start)
		u.r.leave(u, out)
		out.noLog, out.diff = u.noLog, u.diff
		if u.delegate != "" {
			out.delegated, out.address = u.delegate, u.address
		}
	}()
	if err := context.Cause(ctx); transport.IsUnreachable(err) {
		return u.failure(err)
	}
	if err := u.resolveAction(); err != nil {
		return u.failure(err)
	}
	u.flagsPerItem = u.task.Loop != nil && u.computedFlags()
	if !u.flagsPerItem {
		if err := u.flags(); err != nil {
			return u.failure(err)
		}
	}
	if u.task.Loop != nil {
		return u.loop(ctx)
	}
	res := u.one(ctx, nil)
	return &outcome{status: res.status, ignored: res.ignored, result: res.result, at: res.at, items: []itemOutcome{res}, includes: u.includesOf(res)}
}

func (u *turn) failure(err error) *outcome {
	res := u.failed(err)
	return &outcome{status: res.status, ignored: res.ignored, result: res.result, at: res.at, items: []itemOutcome{res}}
}

// resolveAction finds the module of a task whose module name is a template.
func (u *turn) resolveAction() error {
	if u.task.ActionExpr == nil {
		return nil
	}
	resolver, ok := u.r.Expander.(plan.ActionResolver)
	if !ok {
		return fmt.Errorf("the name of the module is a template, which cannot be resolved here")
	}
	name, err := u.t.String(u.task.ActionExpr)
	if err != nil {
		return fmt.Errorf("the name of the module: %w", err)
	}
	t, err := resolver.ResolveAction(u.task, name)
	if err != nil {
		return err
	}
	u.task, u.scope.Task = t, t
	u.mod, u.act = t.Declared, action.Find(t.Module)
	return nil
}

// computedFlags: a switch holds a template, which may read the loop's variables.
func (u *turn) computedFlags() bool {
	k := &u.task.Keywords
	for _, a := range []plan.Attr{k.NoLog, k.CheckMode, k.Diff, k.IgnoreErrors, k.IgnoreUnreachable} {
		if _, computed := a.Value.(*value.Template); a.Set && computed {
			return true
		}
	}
	return false
}

// flags renders the keywords that are plain switches.
func (u *turn) flags() error {
	k := &u.task.Keywords
	var err error
	get := func(dst *bool, name string, a plan.Attr, dflt bool) {
		*dst = dflt
		v, bad := u.rendered(a, nil)
		if bad == nil && v != nil {
			*dst, bad = modules.ToBool(v)
		}
		if bad != nil && err == nil {
			err = fmt.Errorf("keyword %s: %w", name, bad)
		}
	}
	get(&u.noLog, "no_log", k.NoLog, u.r.NoLog)
	get(&u.check, "check_mode", k.CheckMode, u.r.Check)
	get(&u.diff, "diff", k.Diff, u.r.Diff)
	get(&u.ignore, "ignore_errors", k.IgnoreErrors, false)
	get(&u.ignoreUnreachable, "ignore_unreachable", k.IgnoreUnreachable, false)
	return err
}

// one runs the task once: without a loop, or for the item that is set in the scope.
func (u *turn) one(ctx context.Context, item value.Value) itemOutcome {
	if u.flagsPerItem {
		hidden := u.noLog
		if err := u.flags(); err != nil {
			return u.failed(err)
		}
		itemHidden := u.noLog
		u.noLog = u.noLog || hidden // one secret item hides the result of the whole task
		o := u.oneReady(ctx, item)
		o.noLog = itemHidden
		return o
	}
	return u.oneReady(ctx, item)
}

func (u *turn) oneReady(ctx context.Context, item value.Value) itemOutcome {
	job, done := u.prepare(item)
	if done != nil {
		return *done
	}
	return u.attempts(ctx, job)
}

// job is a task ready to be sent: its arguments are rendered.
type job struct {
	args      *value.Dict
	encoded   []byte
	env       []string
	account   *runner.Account
	item      value.Value
	delegHost *inventory.Host
	async     int              // seconds it may run in the background; 0: in the foreground
	ready     *action.Prepared // of an action that prepares the module's call
}

// inline is how much content travels with the job's call.
func (j *job) inline() int {
	n := 0
	if j.ready != nil {
		for _, s := range j.ready.Sources {
			n += len(s.Content)
		}
	}
	return n
}

// prepare evaluates when, the delegation and the arguments. A done outcome means that
// nothing is to be run.
func (u *turn) prepare(item value.Value) (*job, *itemOutcome) {
	fail := func(err error) (*job, *itemOutcome) {
		o := u.failed(err)
		o.item = item
		return nil, &o
	}
	j := &job{item: item}
	if err := u.delegation(j); err != nil {
		return fail(err)
	}
	ok, cond, err := u.conditions(u.task.When)
	if err != nil {
		return fail(&taskError{conditional, err})
	}
	if !ok {
		u.delegate = ""
		res := value.DictOf("changed", false, "skipped", true, "skip_reason", "Conditional result was False", "false_condition", cond)
		return nil, &itemOutcome{status: event.Skipped, result: res, item: item}
	}
	if u.task.Broken != nil {
		return fail(u.task.Broken)
	}
	if err := u.arguments(j); err != nil {
		return fail(err)
	}
	if j.env, err = u.environment(); err != nil {
		return fail(err)
	}
	if j.env, err = u.asyncDir(j.env); err != nil {
		return fail(err)
	}
	if u.mod != nil && u.task.Binary == "" {
		if err := u.freeText(j.args); err != nil {
			return fail(err)
		}
		if err := u.mod.UnsupportedAs(j.args, u.task.Action); err != nil {
			return fail(err)
		}
	}
	if u.task.Binary != "" {
		if j.ready, err = u.executable(j); err != nil {
			return fail(err)
		}
		j.args, j.encoded = j.ready.Args, nil
	}
	if u.act != nil && u.act.Prepare != nil {
		if err := u.asyncSupported(); err != nil {
			return fail(err)
		}
		if j.ready, err = u.act.Prepare(u.t.Ctx(), u.actionCall(j)); err != nil {
			return fail(err)
		}
		if j.ready.Args != nil {
			j.args, j.encoded = j.ready.Args, nil
		}
	}
	return j, nil
}

// conditions evaluates when and its like; cond is the one that did not hold, as written.
func (u *turn) conditions(cs []plan.Cond) (ok bool, cond value.Value, err error) {
	for _, c := range cs {
		ok, err := u.t.Cond(c.Value)
		if err != nil {
			return false, nil, &placed{at: c.At, err: err}
		}
		if !ok {
			return false, rawText(c.Value), nil
		}
	}
	return true, nil, nil
}

// delegation finds the host that the task really runs on.
func (u *turn) delegation(j *job) error {
	if u.perItem {
		u.account = nil
	}
	a := u.task.DelegateTo
	if !a.Set {
		return nil
	}
	u.delegate, u.address, u.delegHost, u.account = "", "", nil, nil
	u.scope.Delegate = nil
	v, err := u.t.Render(a.Value)
	if err != nil {
		u.delegate = value.Str(rawText(a.Value))
		return err
	}
	if v == nil || v == value.Value(value.Omit) {
		return nil
	}
	if value.Str(v) == "" {
		if _, computed := a.Value.(*value.Template); computed {
			return &placed{at: a.At, err: fmt.Errorf("empty hostname produced from delegate_to: %q", rawText(a.Value))}
		}
		return nil
	}
	u.delegate = value.Str(v)
	u.delegHost = u.r.delegateHost(u.delegate)
	j.delegHost = u.delegHost
	u.scope.Delegate = u.delegHost
	u.address = u.delegateAddress()
	return nil
}

// delegateAddress is the ansible_host of the delegate, when it is not its name.
func (u *turn) delegateAddress() string {
	scope := &vars.Scope{Store: u.r.Store, Host: u.r.Store.Host(u.delegHost), Play: u.p.vars}
	v, ok := scope.Lookup("ansible_host")
	if !ok {
		return ""
	}
	v, err := u.r.Templates.NewContext(u.t.Ctx(), scope).Render(v)
	if err != nil || value.Str(v) == u.delegate {
		return ""
	}
	return value.Str(v)
}

// resolveAccount is where the call goes: computed once, or for every item when connection
// or become settings read the loop's variables.
func (u *turn) resolveAccount() (*runner.Account, error) {
	if u.account != nil {
		return u.account, nil
	}
	reads := u.scope.LocalReads
	defer func() { u.perItem = u.perItem || u.scope.LocalReads > reads }()
	t, name := u.t, u.w.host.Name
	if u.delegHost != nil {
		scope := &vars.Scope{Store: u.r.Store, Host: u.r.Store.Host(u.delegHost), Play: u.p.vars, Task: u.task, Include: u.scope.Include}
		scope.Resolve = u.scope.Resolve
		scope.ShareLocals(u.scope)
		defer func() { u.perItem = u.perItem || scope.LocalReads > 0 }()
		t, name = u.r.Templates.NewContext(u.t.Ctx(), scope, u.task.Search...), u.delegHost.Name
	}
	a, err := u.r.account(t, u.task, name)
	if err == nil && u.r.Verbosity >= 4 {
		u.r.traceBecome(name, a)
	}
	u.account = a
	return a, err
}

// renderEnvironment renders one environment keyword. Variables made from ansible_env are
// left out while that fact is not known yet: facts are gathered with this environment.
func (u *turn) renderEnvironment(raw value.Value) (value.Value, error) {
	v, err := u.t.Render(raw)
	d, ok := raw.(*value.Dict)
	if err == nil || !ok || !lacksEnv(err) {
		return v, err
	}
	out := value.NewDict(d.Len())
	for _, e := range d.Entries() {
		v, err := u.t.Render(e.Value)
		if lacksEnv(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		_ = out.Set(e.Key, v)
	}
	return out, nil
}

// lacksEnv tells that err is about the fact ansible_env not being there.
func lacksEnv(err error) bool {
	var missing *value.UndefinedError
	return errors.As(err, &missing) && missing.Undefined.Owner == "" && missing.Undefined.Name == "ansible_env"
}

// environment renders the environment keyword of task, blocks and play.
func (u *turn) environment() ([]string, error) {
	if len(u.task.Environment) == 0 {
		return nil, nil
	}
	merged := value.NewDict(4)
	for _, a := range u.task.Environment {
		v, err := u.renderEnvironment(a.Value)
		if err != nil {
			return nil, &taskError{"Error processing keyword 'environment'", err}
		}
		for _, part := range asList(v) {
			d, ok := part.(*value.Dict)
			if !ok {
				if part == nil || part == value.Value(value.Omit) {
					continue
				}
				return nil, fmt.Errorf("environment must be a dictionary, received %s", value.Repr(part))
			}
			for _, e := range d.Entries() {
				_ = merged.Set(e.Key, e.Value)
			}
		}
	}
	out := make([]string, 0, merged.Len())
	for _, e := range merged.Entries() {
		out = append(out, value.Str(e.Key)+"="+value.Str(u.r.Masker.Reveal(e.Value)))
	}
	return out, nil
}

func asList(v value.Value) []value.Value {
	switch x := v.(type) {
	case *value.List:
		return x.V
	case value.Tuple:
		return x
	}
	return []value.Value{v}
}

// attempts runs a job, again and again where until asks for it.
func (u *turn) attempts(ctx context.Context, j *job) itemOutcome {
	if len(u.task.Until) == 0 && !u.task.Retries.Set {
		return u.finish(j, u.call(ctx, j))
	}
	retries, delay, err := u.retryKeywords()
	if err != nil {
		return u.failed(err)
	}
	if retries == 0 {
		return u.finish(j, u.call(ctx, j)) // until is not looked at
	}
	for n := 1; ; n++ {
		u.attempt = int64(n)
		o := u.finish(j, u.call(ctx, j))
		if n > 1 || len(u.task.Until) > 0 || o.status == event.Failed {
			o.result.SetString("attempts", int64(n))
		}
		done, err := u.untilHolds(&o)
		if err != nil {
			return u.failed(err)
		}
		if done || o.status == event.Unreachable {
			return o
		}
		if err := context.Cause(ctx); transport.IsUnreachable(err) {
			return u.failed(err)
		}
		if n > retries || ctx.Err() != nil {
			o.status = event.Failed
			o.result.SetString("failed", true)
			o.result.SetString("attempts", int64(n-1))
			if _, has := o.result.GetString("msg"); !has {
				o.result.SetString("msg", "")
			}
			o.ignored = u.ignore
			if held, ok := o.result.GetString("failed_when_result"); ok && held == false { // failed_when has the last word
				o.status, o.ignored = event.OK, false
				if changed, _ := o.result.GetString("changed"); changed == true {
					o.status = event.Changed
				}
			}
			return o
		}
		u.tell(event.Retry{Host: u.w.host.Name, Task: u.p.eventTask(u.task), Attempt: n, Retries: retries, Result: u.shown(o.result)})
		sleep(ctx, delay)
	}
}

// tell tells of another round, or a look at a job, at once; in a loop, in its place before the item.
func (u *turn) tell(e event.Event) {
	if u.task.Loop == nil {
		u.r.emitLater(e)
		return
	}
	u.told = append(u.told, e)
}

func (u *turn) retryKeywords() (retries int, delay time.Duration, err error) {
	retries, delay = 3, 5*time.Second
	s := &settings{u.t, u.r.Masker}
	if v, err := s.keyword(u.task.Retries); err != nil {
		return 0, 0, inKeyword("retries", err)
	} else if v != nil {
		n, ok := value.Int(v)
		if !ok {
			m, err := s.number(0, u.task.Retries, "retries")
			if err != nil {
				return 0, 0, err
			}
			n = int64(m)
		}
		retries = max(int(n), 0)
	}
	if v, err := s.keyword(u.task.Delay); err != nil {
		return 0, 0, inKeyword("delay", err)
	} else if v != nil {
		f, ferr := number(v)
		if ferr != nil {
			return 0, 0, fmt.Errorf("delay: %w", ferr)
		}
		delay = time.Duration(max(f, 0) * float64(time.Second))
	}
	return retries, delay, nil
}

func number(v value.Value) (float64, error) {
	if value.IsNumber(v) {
		return value.Float(v), nil
	}
	f, ok := value.ParseFloat(value.Str(v))
	if !ok {
		return 0, fmt.Errorf("%q is not a number", value.Str(v))
	}
	return f, nil
}

func (u *turn) untilHolds(o *itemOutcome) (bool, error) {
	if len(u.task.Until) == 0 {
		return o.status != event.Failed, nil
	}
	if u.task.Register != "" {
		u.setLocal(u.task.Register, o.result)
		defer u.dropLocal(u.task.Register)
	}
	ok, _, err := u.conditions(u.task.Until)
	if err != nil {
		return false, &taskError{conditional, err}
	}
	return ok, nil
}

func (u *turn) setLocal(name string, v value.Value) {
	u.scope.SetLocal(name, v)
	u.t.Forget()
}

func (u *turn) dropLocal(name string) {
	u.scope.DropLocal(name)
	u.t.Forget()
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// failed turns an error before or instead of a module into an outcome.
func (u *turn) failed(err error) itemOutcome {
	var unreachable *transport.UnreachableError
	if errors.As(err, &unreachable) {
		return u.finish(&job{}, callResult{err: err})
	}
	msg, at := failure(err)
	res := value.DictOf("changed", false, "failed", true, "msg", u.r.Masker.String(msg))
	return itemOutcome{status: event.Failed, ignored: u.ignore, result: res, at: at}
}
