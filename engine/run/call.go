package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"fettle/engine/action"
	"fettle/engine/diag"
	"fettle/engine/event"
	"fettle/engine/mask"
	"fettle/engine/runner"
	"fettle/engine/transport"
	"fettle/engine/value"
	"fettle/engine/wire"
)

// callResult is what came of running a job.
type callResult struct {
	data *value.Dict
	err  error
}

// isEngineModule names the modules whose work is the engine's own.
func isEngineModule(name string) bool {
	switch name {
	case "ansible.builtin.include_tasks", "ansible.builtin.include_role", "ansible.builtin.meta":
		return true
	}
	return false
}

// timeoutError ends a task that ran into its timeout keyword.
type timeoutError struct {
	action string
	period time.Duration
}

func (e *timeoutError) Error() string {
	return fmt.Sprintf("The %s action failed to execute in the expected time frame (%d) and was terminated", e.action, int(e.period.Seconds()))
}

// call runs one job: an action here, or a module on the host.
func (u *turn) call(ctx context.Context, j *job) callResult {
	if timeout, err := u.timeout(); err != nil {
		return callResult{err: err}
	} else if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, &timeoutError{u.task.Action, timeout})
		defer cancel()
	}
	if err := u.asyncSupported(); err != nil {
		return callResult{err: err}
	}
	if isEngineModule(u.task.Module) {
		return u.engineModule(j)
	}
	if u.act != nil && u.act.Run != nil {
		res, err := u.act.Run(ctx, u.actionCall(j))
		if late := context.Cause(ctx); transport.IsUnreachable(late) {
			err = late
		}
		return callResult{res, err}
	}
	if j.account == nil {
		var err error
		if j.account, err = u.resolveAccount(); err != nil {
			return callResult{err: err}
		}
	}
	seconds, poll, err := u.asyncKeywords()
	if err != nil {
		return callResult{err: err}
	}
	j.async = seconds
	res := u.send(ctx, []*job{j})[0]
	if seconds == 0 || poll == 0 || res.err != nil {
		return res
	}
	return u.awaitJob(ctx, j, res, seconds, poll)
}

// asyncSupported refuses async for what works on the controller.
func (u *turn) asyncSupported() error {
	if !u.task.Async.Set || u.act == nil && !isEngineModule(u.task.Module) || u.act != nil && u.act.Async {
		return nil
	}
	seconds, _, err := u.asyncKeywords()
	if err == nil && seconds > 0 {
		err = fmt.Errorf("This action (%s) does not support async.", u.task.Action) //nolint:staticcheck // Ansible's words
	}
	return err
}

// engineModule checks the arguments of includes and meta; the owner of the run does the rest.
func (u *turn) engineModule(j *job) callResult {
	return callResult{data: value.DictOf("changed", false, "_args", j.args)}
}

func (u *turn) actionCall(j *job) *action.Call {
	return &action.Call{Task: u.task, Host: u.w.host.Name, Args: j.args, T: u.t, Check: u.check, Diff: u.diff, Managed: u.r.Managed, Run: &services{u: u, j: j}}
}

// newCall is a call of a module as the task wants it.
func (u *turn) newCall(module string, env []string) *wire.Call {
	return &wire.Call{Module: module, Check: u.check, Diff: u.diff, Env: env,
		Invocation: u.task.Register != "" || u.r.Verbosity >= 3, Live: u.r.Live && !u.noLog}
}

// send runs jobs of one account in one call of the runner.
func (u *turn) send(ctx context.Context, jobs []*job) []callResult {
	out := make([]callResult, len(jobs))
	if len(jobs) == 0 {
		return out
	}
	if len(jobs) == 1 && jobs[0].ready != nil && jobs[0].ready.Result != nil {
		out[0].data = jobs[0].ready.Result
		return out
	}
	c := u.newCall(u.task.Module, jobs[0].env)
	c.Binary = path.Base(u.task.Binary)
	if u.task.Binary == "" {
		c.Binary = ""
	}
	c.Async = jobs[0].async
	streams := u.streams()
	open := map[sourceKey]func() (io.ReadCloser, error){}
	for i, j := range jobs {
		b := j.encoded
		if b == nil {
			var err error
			if b, err = value.ToJSON(j.args); err != nil {
				return fillError(out, fmt.Errorf("cannot encode the arguments: %w", err))
			}
		}
		c.Args = append(c.Args, b)
		if j.ready != nil {
			offer(c, open, i, j.ready.Sources)
		}
	}
	streams.Open = opener(open)
	u.releaseAccounts(ctx, jobs)
	err := u.r.Pool.Call(ctx, jobs[0].account, c, streams, func(res wire.Result) {
		if res.Item >= 0 && res.Item < len(out) {
			out[res.Item] = decodeResult(res.Data)
		}
	})
	for i := range out {
		switch {
		case out[i].data == nil && out[i].err == nil && err != nil:
			out[i].err = cause(ctx, err)
		case out[i].data == nil && out[i].err == nil:
			out[i].err = fmt.Errorf("the runner gave no result")
		case out[i].data != nil && jobs[i].ready != nil && jobs[i].ready.Finish != nil:
			jobs[i].ready.Finish(out[i].data)
		}
	}
	return out
}

// releaseAccounts ends the idle runners of accounts that a task is about to remove: nobody
// may be removed while a process of theirs runs.
func (u *turn) releaseAccounts(ctx context.Context, jobs []*job) {
	pool, ok := u.r.Pool.(runner.Releaser)
	if !ok || u.task.Module != "ansible.builtin.user" || u.check {
		return
	}
	for _, j := range jobs {
		state, _ := j.args.GetString("state")
		for _, option := range [2]string{"name", "user"} {
			if name, _ := j.args.GetString(option); state == value.Value("absent") && name != nil {
				pool.Release(ctx, j.account.Target, value.Str(name))
			}
		}
	}
}

type sourceKey struct {
	item int
	name string
}

// offer announces the sources of an item; small ones travel with the call.
func offer(c *wire.Call, open map[sourceKey]func() (io.ReadCloser, error), item int, sources []action.Source) {
	for _, src := range sources {
		w := wire.Source{Item: item, Name: src.Name, Size: src.Size, SHA1: src.SHA1, Mode: src.Mode}
		if src.Open == nil {
			w.Inline, w.HasInline = src.Content, true
		} else {
			open[sourceKey{item, src.Name}] = src.Open
		}
		c.Sources = append(c.Sources, w)
	}
}

func opener(open map[sourceKey]func() (io.ReadCloser, error)) func(int, string) (io.ReadCloser, error) {
	return func(item int, name string) (io.ReadCloser, error) {
		f := open[sourceKey{item, name}]
		if f == nil {
			return nil, fmt.Errorf("no content %q was offered", name)
		}
		return f()
	}
}

// cause prefers why the context ended over that it did.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil && context.Cause(ctx) != nil {
		return context.Cause(ctx)
	}
	return err
}

func fillError(out []callResult, err error) []callResult {
	for i := range out {
		out[i].err = err
	}
	return out
}

func decodeResult(data json.RawMessage) callResult {
	v, err := value.FromJSON(data)
	if err != nil {
		return callResult{err: fmt.Errorf("the result is not JSON: %w", err)}
	}
	d, ok := v.(*value.Dict)
	if !ok {
		return callResult{err: fmt.Errorf("the result is no object: %s", value.TypeName(v))}
	}
	return callResult{data: d}
}

func (u *turn) output(o wire.Output) {
	u.r.emitLater(event.Live{Host: u.w.host.Name, Task: u.p.eventTask(u.task), Stream: o.Stream, Text: u.r.Masker.String(string(o.Text))})
}

// finish makes an item's outcome of what a call gave: Ansible's defaults, changed_when,
// failed_when, and the status.
func (u *turn) finish(j *job, res callResult) itemOutcome {
	o := itemOutcome{item: j.item, delegated: u.delegate, address: u.address}
	if res.err != nil {
		return u.finishError(o, res.err)
	}
	d := res.data
	if d == nil {
		d = value.NewDict(3)
	}
	o.result = d
	complete(d)
	if u.attempt > 0 {
		d.SetString("attempts", u.attempt)
	}
	u.showFacts(d)
	if err := u.overrule(d); err != nil {
		d.SetString("failed", true)
		_, o.at = failure(err)
	}
	o.status = statusOf(d)
	if o.status == event.Failed {
		o.ignored = u.ignore
	}
	if u.delegHost != nil && u.delegatesFacts() {
		o.host = u.delegHost
	}
	return o
}

func (u *turn) finishError(o itemOutcome, err error) itemOutcome {
	var msg string
	msg, o.at = failure(err)
	if transport.IsUnreachable(err) {
		o.status, o.ignored = event.Unreachable, u.ignoreUnreachable
		o.result = value.DictOf("changed", false, "unreachable", true, "msg", u.r.Masker.String(msg))
		return o
	}
	o.status, o.ignored = event.Failed, u.ignore
	o.result = value.DictOf("changed", false, "failed", true, "msg", u.r.Masker.String(msg))
	var timedOut *timeoutError
	if errors.As(err, &timedOut) {
		o.result.SetString("timedout", value.DictOf("period", int64(timedOut.period.Seconds())))
	}
	return o
}

// complete adds the keys that every Ansible result has.
func complete(d *value.Dict) {
	for _, name := range [2]string{"stdout", "stderr"} {
		if s, ok := d.GetString(name); ok {
			if text, isText := s.(string); isText {
				if _, has := d.GetString(name + "_lines"); !has {
					d.SetString(name+"_lines", splitLines(text))
				}
			}
		}
	}
	if _, ok := d.GetString("failed"); !ok {
		rc, has := d.GetString("rc")
		n, isInt := rc.(int64)
		d.SetString("failed", has && isInt && n != 0)
	}
	if _, ok := d.GetString("changed"); !ok {
		d.SetString("changed", false)
	}
}

// splitLines is Python's str.splitlines for the line ends that occur.
func splitLines(s string) *value.List {
	l := value.NewList()
	if s == "" {
		return l
	}
	s = strings.ReplaceAll(s, "\r\n", "\n")
	for line := range strings.SplitSeq(strings.TrimSuffix(s, "\n"), "\n") {
		l.V = append(l.V, line)
	}
	return l
}

// showFacts makes facts an item set visible to its own conditions and to later items.
func (u *turn) showFacts(d *value.Dict) {
	facts, _ := d.GetString("ansible_facts")
	f, ok := facts.(*value.Dict)
	if !ok || u.task.Module != "ansible.builtin.set_fact" {
		return
	}
	for _, e := range f.Entries() {
		if name, ok := e.Key.(string); ok {
			u.scope.SetLocal(name, e.Value)
		}
	}
	u.t.Forget()
}

// overrule applies changed_when and failed_when.
func (u *turn) overrule(d *value.Dict) error {
	if len(u.task.ChangedWhen) == 0 && len(u.task.FailedWhen) == 0 {
		return nil
	}
	if skipped, _ := d.GetString("skipped"); skipped == true {
		return nil
	}
	if u.task.Register != "" {
		u.setLocal(u.task.Register, d)
		defer u.dropLocal(u.task.Register)
	}
	if len(u.task.ChangedWhen) > 0 {
		ok, _, err := u.conditions(u.task.ChangedWhen)
		if err != nil {
			return u.verdict(d, "changed_when_result", err)
		}
		d.SetString("changed", ok)
	}
	if len(u.task.FailedWhen) > 0 {
		u.t.Forget()
		ok, _, err := u.conditions(u.task.FailedWhen)
		if err != nil {
			return u.verdict(d, "failed_when_result", err)
		}
		d.SetString("failed", ok)
		d.SetString("failed_when_result", ok)
	}
	return nil
}

// verdict notes the error of a condition beside the module's own message.
func (u *turn) verdict(d *value.Dict, name string, err error) error {
	err = &taskError{conditional, err}
	d.SetString(name, u.r.Masker.String(words(err, func(diag.Pos) {})))
	return err
}

func statusOf(d *value.Dict) event.Status {
	is := func(name string) bool {
		v, _ := d.GetString(name)
		t, err := value.Truth(v)
		return err == nil && t
	}
	switch {
	case is("unreachable"):
		return event.Unreachable
	case is("failed"):
		return event.Failed
	case is("skipped"):
		return event.Skipped
	case is("changed"):
		return event.Changed
	}
	return event.OK
}

func (u *turn) delegatesFacts() bool {
	v, err := u.rendered(u.task.DelegateFacts, false)
	if err != nil {
		return false
	}
	ok, err := value.Truth(v)
	return err == nil && ok
}

// shown is a result as events carry it: masked, or hidden by no_log.
func (u *turn) shown(d *value.Dict) *value.Dict { return u.shownIf(d, u.noLog) }

func (u *turn) shownIf(d *value.Dict, hidden bool) *value.Dict {
	if d == nil {
		return nil
	}
	if v, ok := d.GetString("_ansible_no_log"); ok && v == true {
		hidden = true
	}
	if hidden {
		return censored(d)
	}
	if u.r.Masker.Empty() && !mask.Holds(d) {
		return d
	}
	if u.r.ShowSecrets && u.task.Module == "ansible.builtin.debug" {
		plain, _ := u.r.Masker.Reveal(d).(*value.Dict)
		return plain
	}
	return u.r.Masker.Dict(d)
}

// censored is what no_log leaves of a result.
func censored(d *value.Dict) *value.Dict {
	out := value.DictOf("censored", "the output has been hidden due to the fact that 'no_log: true' was specified for this result")
	for _, name := range []string{"changed", "failed", "skipped", "unreachable", "attempts", "retries"} {
		if v, ok := d.GetString(name); ok {
			out.SetString(name, v)
		}
	}
	return out
}

// services is what actions ask of the engine.
type services struct {
	u *turn
	j *job
}

func (s *services) account() (*runner.Account, error) {
	if s.j.account == nil {
		a, err := s.u.resolveAccount()
		if err != nil {
			return nil, err
		}
		s.j.account = a
	}
	return s.j.account, nil
}

func (s *services) Module(ctx context.Context, name string, args *value.Dict, sources ...action.Source) (*value.Dict, error) {
	return s.module(ctx, name, args, sources, nil)
}

func (s *services) Receive(ctx context.Context, name string, args *value.Dict, to func(string, io.Reader) error) (*value.Dict, error) {
	return s.module(ctx, name, args, nil, to)
}

func (s *services) module(ctx context.Context, name string, args *value.Dict, sources []action.Source, to func(string, io.Reader) error) (*value.Dict, error) {
	a, err := s.account()
	if err != nil {
		return nil, err
	}
	u := s.u
	b, err := value.ToJSON(args)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the arguments: %w", err)
	}
	c := u.newCall(name, s.j.env)
	c.Args = []json.RawMessage{b}
	streams := u.streams()
	open := map[sourceKey]func() (io.ReadCloser, error){}
	offer(c, open, 0, sources)
	streams.Open = opener(open)
	if to != nil {
		streams.Receive = func(_ int, name string, r io.Reader) error { return to(name, r) }
	}
	var out callResult
	err = u.r.Pool.Call(ctx, a, c, streams, func(res wire.Result) { out = decodeResult(res.Data) })
	if err != nil {
		return nil, cause(ctx, err)
	}
	if out.data == nil && out.err == nil {
		return nil, fmt.Errorf("the runner gave no result")
	}
	return out.data, out.err
}

func (s *services) Raw(ctx context.Context, command string) (int, []byte, []byte, error) {
	a, err := s.account()
	if err != nil {
		return 0, nil, nil, err
	}
	return s.u.r.Pool.Raw(ctx, a, command)
}

func (s *services) Connect(ctx context.Context) error {
	a, err := s.account()
	if err == nil {
		_, err = s.u.r.Pool.Connect(ctx, a)
	}
	return err
}

func (s *services) Reset(ctx context.Context) error {
	a, err := s.account()
	if err == nil {
		err = s.u.r.Pool.Reset(ctx, a)
	}
	return err
}

func (s *services) ConnectionKind() string {
	a, err := s.account()
	if err != nil {
		return ""
	}
	return a.Target.Connection
}

func (s *services) PlayHosts() []string { return s.u.p.hostNames() }
