package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"fettle/engine/event"
	"fettle/engine/value"
	"fettle/engine/vars"
)

// asyncKeywords are async and poll, in seconds; async 0 means in the foreground.
func (u *turn) asyncKeywords() (seconds, poll int, err error) {
	get := func(name string, v value.Value, err error) (int, error) {
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		f, err := number(v)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		return int(f), nil
	}
	if !u.task.Async.Set {
		return 0, 0, nil
	}
	v, rerr := u.rendered(u.task.Async, int64(0))
	if seconds, err = get("async", v, rerr); err != nil || seconds <= 0 {
		return 0, 0, err
	}
	v, rerr = u.rendered(u.task.Poll, int64(cmp.Or(u.r.PollInterval, 15)))
	poll, err = get("poll", v, rerr)
	return seconds, poll, err
}

// awaitJob looks at a job until it has ended or its time is over, and removes its result.
// A look that fails to reach the host is made again: the job goes on without us.
func (u *turn) awaitJob(ctx context.Context, j *job, started callResult, seconds, poll int) callResult {
	id, _ := started.data.GetString("ansible_job_id")
	if id == nil {
		return started
	}
	s := &services{u: u, j: j}
	look := func(mode string) (*value.Dict, error) {
		return s.Module(ctx, "ansible.builtin.async_status", value.DictOf("jid", id, "mode", mode))
	}
	tell := func(state string) {
		u.tell(event.Async{Host: u.w.host.Name, Task: u.p.eventTask(u.task), Job: value.Str(id), State: state})
	}
	late := fmt.Sprintf("async task did not complete within the requested time - %ds", seconds)
	last := callResult{err: errors.New(late)}
	for left := seconds; left > 0 && ctx.Err() == nil; left -= poll {
		sleep(ctx, time.Duration(poll)*time.Second)
		d, err := look("status")
		if err != nil {
			last = callResult{err: err}
			continue
		}
		if finished, _ := value.Truth(orNil(d, "finished")); finished {
			_, _ = look("cleanup")
			state := "ok"
			if bad, _ := value.Truth(orNil(d, "failed")); bad {
				state = "failed"
			}
			tell(state)
			return callResult{data: d}
		}
		tell("poll")
		d.Delete("changed") // a look, which is no result yet
		last = callResult{data: value.DictOf("failed", true, "changed", false, "msg", late, "async_result", d)}
	}
	if ctx.Err() != nil {
		return callResult{err: cause(ctx, ctx.Err())}
	}
	tell("failed")
	return last
}

// asyncDir adds the folder of background jobs that the variable ansible_async_dir or the setting
// names to the environment of a call, unless the task's own environment does.
func (u *turn) asyncDir(env []string) ([]string, error) {
	if !u.task.Async.Set && u.task.Module != "ansible.builtin.async_status" {
		return env, nil
	}
	if slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, "ANSIBLE_ASYNC_DIR=") }) {
		return env, nil
	}
	t := u.t
	if u.delegHost != nil {
		t = u.r.Templates.NewContext(u.t.Ctx(), &vars.Scope{Store: u.r.Store, Host: u.r.Store.Host(u.delegHost), Play: u.p.vars, Task: u.task})
	}
	v, err := t.Render(&value.Template{Src: "{{ ansible_async_dir | default(omit) }}", At: u.task.Pos})
	if err != nil {
		return nil, fmt.Errorf("ansible_async_dir: %w", err)
	}
	dir := u.r.AsyncDir
	if v != nil && v != value.Value(value.Omit) {
		dir = value.Str(v)
	}
	if dir == "" {
		return env, nil
	}
	return append(env, "ANSIBLE_ASYNC_DIR="+dir), nil
}

func orNil(d *value.Dict, name string) value.Value {
	v, _ := d.GetString(name)
	return v
}
