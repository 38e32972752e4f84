package commands

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"fettle/engine/value"
	"fettle/modules"
)

// A job that runs in the background keeps its result in a file named by its id, as JSON,
// in _async_dir (~/.ansible_async): started and ansible_job_id while it runs, the module's
// result and finished when it is over.
func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.async_status",
		Summary: "Ask after a task that was left running in the background.",
		Check:   modules.Full,
		Examples: `
- name: Wait for the long task
  ansible.builtin.async_status:
    jid: "{{ started.ansible_job_id }}"
  register: job
  until: job.finished
  retries: 30
`,
	}, asyncStatus)
}

type asyncStatusArgs struct {
	JID  string `arg:"jid,required" doc:"The job's id."`
	Mode string `arg:"mode" default:"status" choices:"cleanup,status" doc:"Ask, or forget the job."`
	Dir  string `arg:"_async_dir" type:"path" doc:"Where jobs keep their results; ANSIBLE_ASYNC_DIR or ~/.ansible_async."`
}

func asyncStatus(_ context.Context, h *modules.Host, a asyncStatusArgs) (r modules.Result[*value.Dict], err error) {
	if a.JID != filepath.Base(a.JID) || strings.HasPrefix(a.JID, ".") {
		return r, modules.Failf("invalid job id %q", a.JID)
	}
	dir := modules.AsyncDir(h.Env)
	if a.Dir != "" {
		dir = h.ExpandWord(a.Dir)
	}
	path := filepath.Join(dir, a.JID)
	r.Data = value.DictOf("ansible_job_id", a.JID, "results_file", path, "started", true, "finished", false,
		"stdout", "", "stderr", "", "stdout_lines", value.NewList(), "stderr_lines", value.NewList())
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		r.Data.SetString("finished", true)
		return r, modules.Failf("could not find job")
	}
	if err != nil {
		return r, err
	}
	if a.Mode == "cleanup" {
		r.Data.SetString("erased", path)
		return r, os.Remove(path)
	}
	v, err := value.FromJSON(text)
	job, ok := v.(*value.Dict)
	if err != nil || !ok {
		if len(text) == 0 { // just being written
			return r, nil
		}
		return r, modules.Failf("Could not parse job output: %s", text)
	}
	for k, v := range job.All() {
		if s, isText := k.(string); isText && s != "results_file" && s != "started" && s != "finished" {
			r.Data.SetString(s, v)
		}
	}
	r.Data.SetString("finished", finished(job))
	if changed, _ := job.GetString("changed"); changed == true {
		r.Changed = true
	}
	if failed, _ := job.GetString("failed"); failed == true {
		msg, _ := job.GetString("msg")
		return r, modules.Failf("%s", value.Str(msg))
	}
	return r, nil
}

// finished: a result that does not say is one of a module, and over.
func finished(job *value.Dict) bool {
	v, ok := job.GetString("finished")
	if !ok {
		started, _ := job.GetString("started")
		return started == nil
	}
	b, err := modules.ToBool(v)
	return err == nil && b
}
