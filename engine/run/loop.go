package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"fettle/engine/event"
	"fettle/engine/runner"
	"fettle/engine/template"
	"fettle/engine/transport"
	"fettle/engine/value"
	"fettle/engine/vars"
)

// maxBatch is how many items of a loop travel in one call.
const maxBatch = 1000

// maxInline is how much content one call of a loop carries, in bytes.
const maxInline = 2 << 20

// loopVars are the names a loop binds.
type loopVars struct {
	name, index string
	extended    bool
	allItems    bool
	label       value.Value
	pause       time.Duration
}

// loop runs the task for every item: in one round trip where no item depends on the
// result of another.
func (u *turn) loop(ctx context.Context) *outcome {
	lv, err := u.loopControl()
	if err != nil {
		return u.failure(err)
	}
	items, err := u.loopItems()
	if err != nil {
		return u.loopFailed(err)
	}
	u.scope.TrustLocals = trustedItems(u.scope, u.task.Loop.Expr)
	if len(items) == 0 {
		res := value.DictOf("changed", false, "results", value.NewList(), "skipped", true, "skipped_reason", "No items in the list")
		return &outcome{status: event.Skipped, result: res}
	}
	if slices.Contains(u.scope.Names(), lv.name) && len(u.scope.Include) == 0 {
		u.warnLoopVar(lv.name)
	}
	out := &outcome{isLoop: true}
	if u.batchable() {
		out.items = u.batched(ctx, lv, items)
	} else {
		out.items = u.oneByOne(ctx, lv, items)
	}
	for i := range out.items {
		out.includes = append(out.includes, u.includesOf(out.items[i])...)
	}
	u.combine(out)
	return out
}

func (u *turn) warnLoopVar(name string) {
	if name == "item" {
		if _, ok := u.scope.Lookup("item"); !ok {
			return
		}
	}
	u.r.warnOnce(u.task.Pos, fmt.Sprintf("the loop variable %q is already in use; set loop_var in loop_control to something else to avoid variable collisions", name))
}

// loopFailed: the items cannot be had. When the conditions do not hold without them, the
// task is skipped all the same, as in Ansible.
func (u *turn) loopFailed(err error) *outcome {
	var undefined *value.UndefinedError
	if errors.As(err, &undefined) {
		if ok, cond, cerr := u.conditions(u.task.When); cerr == nil && !ok {
			res := value.DictOf("changed", false, "skipped", true, "skip_reason", "Conditional result was False", "false_condition", cond)
			return &outcome{status: event.Skipped, result: res}
		}
	}
	return u.failure(err)
}

// trustedItems tells that no result of a task and no fact goes into the items of a loop.
func trustedItems(s *vars.Scope, expr value.Value) bool {
	return !slices.ContainsFunc(template.Names(expr), func(n template.NameRead) bool { return !s.Trusted(n.Name) })
}

func (u *turn) loopControl() (*loopVars, error) {
	l := u.task.Loop
	lv := &loopVars{name: "item", allItems: true}
	if v, err := u.rendered(l.Var, "item"); err != nil {
		return nil, fmt.Errorf("loop_var: %w", err)
	} else {
		lv.name = value.Str(v)
	}
	if v, err := u.rendered(l.IndexVar, ""); err != nil {
		return nil, fmt.Errorf("index_var: %w", err)
	} else {
		lv.index = value.Str(v)
	}
	if v, err := u.rendered(l.Extended, false); err != nil {
		return nil, fmt.Errorf("extended: %w", err)
	} else if lv.extended, err = value.Truth(v); err != nil {
		return nil, err
	}
	if v, err := u.rendered(l.ExtendedAllItems, true); err != nil {
		return nil, fmt.Errorf("extended_allitems: %w", err)
	} else if lv.allItems, err = value.Truth(v); err != nil {
		return nil, err
	}
	if v, err := u.rendered(l.Pause, int64(0)); err != nil {
		return nil, fmt.Errorf("pause: %w", err)
	} else {
		f, err := number(v)
		if err != nil {
			return nil, fmt.Errorf("pause: %w", err)
		}
		lv.pause = time.Duration(f * float64(time.Second))
	}
	if l.Label.Set {
		lv.label = l.Label.Value
	}
	return lv, nil
}

// loopItems are the items of loop or with_*.
func (u *turn) loopItems() ([]value.Value, error) {
	l := u.task.Loop
	if l.Lookup != "" {
		return u.lookupItems(l.Lookup, l.Expr)
	}
	v, err := u.t.Render(l.Expr)
	if err != nil {
		return nil, err
	}
	switch x := u.unwrapItems(v).(type) {
	case *value.List:
		return x.V, nil
	case value.Tuple:
		return x, nil
	case *value.Set:
		return value.Iterate(x)
	case *value.Range:
		return value.Iterate(x)
	case string:
		// A string that is not a template's result is an error; so is one that is.
		return nil, notItems("str")
	}
	return nil, notItems(value.TypeName(v))
}

func notItems(kind string) error {
	return fmt.Errorf("The `loop` value must resolve to a 'list', not '%s'.", kind)
}

// lookupItems are the items of with_<lookup>.
func (u *turn) lookupItems(name string, expr value.Value) ([]value.Value, error) {
	v, err := u.t.Render(expr)
	if err != nil {
		return nil, err
	}
	terms := []value.Value{v}
	switch x := u.unwrapItems(v).(type) {
	case *value.List:
		terms = x.V
	case value.Tuple:
		terms = x
	}
	short := strings.TrimPrefix(name, "ansible.builtin.")
	if _, isDict := v.(*value.Dict); isDict && (short == "indexed_items" || short == "list") {
		return nil, fmt.Errorf("with_%s expects a list", short)
	}
	var options []value.Keyword
	if short == "first_found" {
		options = []value.Keyword{{Name: "_subdir", Value: firstFoundFolder(u.task.Action)}}
	}
	items, err := u.t.Query(name, terms, options)
	for i, v := range items {
		items[i] = listsForTuples(v)
	}
	return items, err
}

// firstFoundFolder is the folder in which with_first_found looks: it depends on the action.
func firstFoundFolder(action string) string {
	for _, kind := range [2]string{"template", "var"} {
		if strings.Contains(action, kind) {
			return kind + "s"
		}
	}
	return "files"
}

// listsForTuples turns tuples into lists, as ansible-core does since 2.19.
func listsForTuples(v value.Value) value.Value {
	t, ok := v.(value.Tuple)
	if !ok {
		return v
	}
	out := &value.List{V: make([]value.Value, len(t))}
	for i, e := range t {
		out.V[i] = listsForTuples(e)
	}
	return out
}

// unwrapItems looks into a list that is secret as a whole: its items are.
func (u *turn) unwrapItems(v value.Value) value.Value {
	s, ok := v.(*value.Secret)
	if !ok {
		return v
	}
	if l, ok := s.V.(*value.List); ok {
		out := &value.List{}
		for _, e := range l.V {
			out.V = append(out.V, &value.Secret{V: e})
		}
		return out
	}
	return s.V
}

// bind sets the variables of item i.
func (u *turn) bind(lv *loopVars, items []value.Value, i int) {
	u.scope.SetLocal(lv.name, items[i])
	u.scope.SetLocal("ansible_loop_var", lv.name)
	if lv.index != "" {
		u.scope.SetLocal(lv.index, int64(i))
		u.scope.SetLocal("ansible_index_var", lv.index)
	}
	if lv.extended {
		u.scope.SetLocal("ansible_loop", extendedLoop(items, i, lv.allItems))
	}
	u.t.Forget()
}

func extendedLoop(items []value.Value, i int, all bool) value.Value {
	n := len(items)
	d := value.DictOf("index", int64(i+1), "index0", int64(i), "first", i == 0, "last", i == n-1,
		"length", int64(n), "revindex", int64(n-i), "revindex0", int64(n-i-1))
	if all {
		d.SetString("allitems", &value.List{V: items})
	}
	if i > 0 {
		d.SetString("previtem", items[i-1])
	}
	if i+1 < n {
		d.SetString("nextitem", items[i+1])
	}
	return d
}

// batchable: every item can be prepared before the first one has run.
func (u *turn) batchable() bool {
	t := u.task
	if u.flagsPerItem || u.act != nil && u.act.Run != nil || isEngineModule(t.Module) || t.Binary != "" || len(t.Until) > 0 || t.Retries.Set ||
		len(t.Loop.BreakWhen) > 0 || t.Loop.Pause.Set || t.Async.Set {
		return false
	}
	return t.Register == "" || !u.readsRegister()
}

// readsRegister tells whether an item reads the result of the item before: the registered
// name is visible to it.
func (u *turn) readsRegister() bool {
	reads := func(v value.Value) bool {
		return slices.ContainsFunc(template.Names(v), func(n template.NameRead) bool { return n.Name == u.task.Register })
	}
	for _, c := range u.task.When {
		if slices.ContainsFunc(template.CondNames(c.Value), func(n template.NameRead) bool { return n.Name == u.task.Register }) {
			return true
		}
	}
	return reads(u.task.Args) || u.task.ArgsExpr != nil && reads(u.task.ArgsExpr)
}

// batched prepares all items, sends those that are to run together, and finishes each.
func (u *turn) batched(ctx context.Context, lv *loopVars, items []value.Value) []itemOutcome {
	out := make([]itemOutcome, len(items))
	var jobs []*job
	var at []int
	inline := 0
	flush := func() {
		for k, res := range u.send(ctx, jobs) {
			u.bind(lv, items, at[k])
			u.rebindDelegate(jobs[k])
			out[at[k]] = u.finish(jobs[k], res)
		}
		jobs, at, inline = nil, nil, 0
	}
	for i := range items {
		u.bind(lv, items, i)
		j, done := u.prepare(items[i])
		if done != nil {
			out[i] = *done
			continue
		}
		if j.account == nil {
			var err error
			if j.account, err = u.resolveAccount(); err != nil {
				out[i] = u.failed(err)
				continue
			}
		}
		if j.ready != nil && j.ready.Result != nil {
			out[i] = u.finish(j, callResult{data: j.ready.Result})
			continue
		}
		if len(jobs) > 0 && (!sameAccount(jobs[0], j) || len(jobs) >= maxBatch || inline > maxInline) {
			flush()
			u.bind(lv, items, i)
		}
		inline += j.inline()
		jobs, at = append(jobs, j), append(at, i)
	}
	flush()
	for i := range items {
		u.bind(lv, items, i)
		u.label(lv, &out[i], items[i])
	}
	return out
}

func (u *turn) rebindDelegate(j *job) {
	u.delegHost, u.account = j.delegHost, j.account
	u.delegate = ""
	if j.delegHost != nil {
		u.delegate = j.delegHost.Name
	}
}

// sameAccount: two jobs may travel in one call.
func sameAccount(a, b *job) bool {
	return a.delegHost == b.delegHost && equalAccounts(a.account, b.account) && slices.Equal(a.env, b.env)
}

func equalAccounts(a, b *runner.Account) bool {
	if a == b {
		return true
	}
	if a.Target.Key() != b.Target.Key() || a.Target.Password != b.Target.Password || (a.Become == nil) != (b.Become == nil) {
		return false
	}
	return a.Become == nil || *a.Become == *b.Become
}

func (u *turn) oneByOne(ctx context.Context, lv *loopVars, items []value.Value) []itemOutcome {
	var out []itemOutcome
	for i := range items {
		if i > 0 && lv.pause > 0 {
			sleep(ctx, lv.pause)
		}
		if err := context.Cause(ctx); transport.IsUnreachable(err) {
			out = append(out, u.failed(err))
			break
		}
		if ctx.Err() != nil {
			break
		}
		u.bind(lv, items, i)
		o := u.one(ctx, items[i])
		u.label(lv, &o, items[i])
		out = append(out, o)
		if u.task.Register != "" {
			u.scope.SetLocal(u.task.Register, o.result)
		}
		if o.status == event.Unreachable && !o.ignored {
			break
		}
		if u.breaks(&o) {
			break
		}
	}
	return out
}

func (u *turn) breaks(o *itemOutcome) bool {
	if len(u.task.Loop.BreakWhen) == 0 {
		return false
	}
	if u.task.Register != "" {
		u.setLocal(u.task.Register, o.result)
		defer u.dropLocal(u.task.Register)
	}
	ok, _, err := u.conditions(u.task.Loop.BreakWhen)
	if err != nil {
		*o = u.failed(&taskError{conditional, err})
		return true
	}
	return ok
}

// label completes an item's result with what names the item.
func (u *turn) label(lv *loopVars, o *itemOutcome, item value.Value) {
	o.item, o.label = item, item
	o.told, u.told = u.told, nil
	if lv.label != nil {
		v, err := u.t.Render(lv.label)
		if err != nil {
			v = "undefined label: " + err.Error()
		}
		o.label = v
	}
	if o.result == nil {
		o.result = value.NewDict(4)
	}
	o.result.SetString(lv.name, plainItem(item))
	o.result.SetString("ansible_loop_var", lv.name)
	if lv.index != "" {
		if i, ok := u.scope.Lookup(lv.index); ok {
			o.result.SetString(lv.index, i)
		}
		o.result.SetString("ansible_index_var", lv.index)
	}
	if lv.extended {
		if d, ok := u.scope.Lookup("ansible_loop"); ok {
			o.result.SetString("ansible_loop", d)
		}
	}
}

func plainItem(v value.Value) value.Value { return v }

// combine makes the result of the whole loop.
func (u *turn) combine(out *outcome) {
	results := &value.List{}
	changed, failed, skipped, unreachable, ignored := false, false, true, false, true
	for i := range out.items {
		o := &out.items[i]
		results.V = append(results.V, o.result)
		switch o.status {
		case event.Changed:
			changed = true
		case event.Failed:
			failed = true
			ignored = ignored && o.ignored
		case event.Unreachable:
			unreachable = true
			ignored = ignored && o.ignored
		}
		if c, _ := o.result.GetString("changed"); c == true {
			changed = true
		}
		skipped = skipped && o.status == event.Skipped
	}
	d := value.NewDict(5)
	d.SetString("changed", changed)
	d.SetString("results", results)
	d.SetString("skipped", skipped)
	out.status = event.OK
	switch {
	case unreachable:
		d.SetString("unreachable", true)
		d.SetString("msg", "One or more items were unreachable")
		out.status, out.ignored = event.Unreachable, ignored
	case failed:
		d.SetString("failed", true)
		d.SetString("msg", "One or more items failed")
		out.status, out.ignored = event.Failed, ignored
	case skipped:
		d.SetString("msg", "All items skipped")
		out.status = event.Skipped
	default:
		d.SetString("msg", "All items completed")
		if changed {
			out.status = event.Changed
		}
	}
	out.result = d
}

// settle computes the outcome anew after the engine completed the results of its items.
func (u *turn) settle(out *outcome) {
	if out.isLoop {
		u.combine(out)
		return
	}
	out.status = out.items[0].status
}
