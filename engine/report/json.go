package report

import (
	"fmt"
	"time"

	"fettle/engine/event"
	"fettle/engine/value"
)

// jsonl writes one JSON object a line, as things happen: type, time, and the event's fields.
type jsonl struct{ o Options }

func newJSONL(o Options) Reporter { return &jsonl{o} }

// Emit implements event.Sink.
func (j *jsonl) Emit(e event.Event) {
	d := record(e)
	if d == nil {
		return
	}
	b, err := value.ToJSON(d)
	if err != nil {
		b, _ = value.ToJSON(value.DictOf("type", "error", "msg", err.Error()))
	}
	fmt.Fprintln(j.o.Out, string(b))
}

// Close implements Reporter.
func (j *jsonl) Close() error { return nil }

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

func list(ss []string) *value.List {
	l := value.NewList()
	for _, s := range ss {
		l.V = append(l.V, s)
	}
	return l
}

func taskDict(t *event.Task) *value.Dict {
	return value.DictOf("id", int64(t.ID), "name", taskName(t), "action", t.Module, "path", t.Pos.String())
}

// record is an event as data; nil for those that are for terminals only.
func record(e event.Event) *value.Dict {
	switch x := e.(type) {
	case event.RunStart:
		return value.DictOf("type", "run_start", "time", stamp(x.At), "playbooks", playbookNames(x.Playbooks), "check", x.Check)
	case event.PlayStart:
		return value.DictOf("type", "play_start", "time", stamp(x.At), "play", x.Name, "hosts", list(x.Hosts), "batch", int64(x.Batch))
	case event.NoHosts:
		return value.DictOf("type", "no_hosts", "play", x.Play, "pattern", x.Pattern)
	case event.TaskStart:
		return value.DictOf("type", "task_start", "time", stamp(x.At), "task", taskDict(x.Task), "handler", x.Handler)
	case event.ItemResult:
		return value.DictOf("type", "item", "time", stamp(x.At), "host", x.Host, "task", int64(x.Task.ID), "status", string(x.Status),
			"item", x.Label, "ignored", x.Ignored, "result", resultOf(x.Result))
	case event.HostResult:
		d := value.DictOf("type", "result", "time", stamp(x.At), "host", x.Host, "task", int64(x.Task.ID), "name", taskName(x.Task),
			"status", string(x.Status), "ignored", x.Ignored, "rescued", x.Rescued, "seconds", x.Elapsed.Seconds(), "result", resultOf(x.Result))
		if x.Delegated != "" {
			d.SetString("delegated_to", x.Delegated)
		}
		if len(x.Places) > 0 {
			at := value.NewList()
			for _, p := range x.Places {
				at.V = append(at.V, p.String())
			}
			d.SetString("places", at)
		}
		if len(x.Diff) > 0 {
			d.SetString("diff", &value.List{V: x.Diff})
		}
		return d
	case event.Retry:
		return value.DictOf("type", "retry", "host", x.Host, "task", int64(x.Task.ID), "attempt", int64(x.Attempt), "retries", int64(x.Retries))
	case event.Async:
		return value.DictOf("type", "async", "host", x.Host, "task", int64(x.Task.ID), "job", x.Job, "state", x.State)
	case event.Live:
		return value.DictOf("type", "output", "host", x.Host, "task", int64(x.Task.ID), "stream", x.Stream, "text", x.Text)
	case event.Included:
		return value.DictOf("type", "included", "file", x.File, "hosts", list(x.Hosts))
	case event.Notified:
		return value.DictOf("type", "notified", "host", x.Host, "handler", x.Handler)
	case event.Interrupted:
		return value.DictOf("type", "interrupted", "time", stamp(x.At), "ended", x.Ended, "running", runningList(x.Running))
	case event.Warning:
		return value.DictOf("type", "warning", "text", x.Text, "path", x.Pos.String(), "deprecated", x.Deprecated)
	case event.Display:
		return value.DictOf("type", "display", "text", x.Text)
	case event.RunEnd:
		return value.DictOf("type", "run_end", "time", stamp(x.At), "seconds", x.Elapsed.Seconds(), "exit_code", int64(x.ExitCode),
			"stats", statsDict(x.Stats), "custom_stats", customDict(x.Custom))
	}
	return nil
}

func playbookNames(all []event.Playbook) *value.List {
	l := value.NewList()
	for _, p := range all {
		l.V = append(l.V, p.Name)
	}
	return l
}

func resultOf(d *value.Dict) value.Value {
	if d == nil {
		return nil
	}
	return visible(d, Options{Verbosity: 3}, false)
}

func statsDict(all []event.Stats) *value.Dict {
	d := value.NewDict(len(all))
	for _, s := range all {
		d.SetString(s.Host, value.DictOf("ok", int64(s.OK), "changed", int64(s.Changed), "unreachable", int64(s.Unreachable),
			"failures", int64(s.Failed), "skipped", int64(s.Skipped), "rescued", int64(s.Rescued), "ignored", int64(s.Ignored)))
	}
	return d
}

func customDict(all map[string]*value.Dict) *value.Dict {
	d := value.NewDict(len(all))
	for _, name := range sortedKeys(all) {
		d.SetString(name, all[name])
	}
	return d
}

// jsonDoc collects everything into one document, in the shape of Ansible's json callback:
// plays with tasks with hosts, and stats.
type jsonDoc struct {
	o        Options
	plays    *value.List
	tasks    *value.List
	hosts    map[int]*value.Dict
	warnings *value.List
	end      event.RunEnd
}

func newJSON(o Options) Reporter {
	return &jsonDoc{o: o, plays: value.NewList(), warnings: value.NewList(), hosts: map[int]*value.Dict{}}
}

// Emit implements event.Sink.
func (j *jsonDoc) Emit(e event.Event) {
	switch x := e.(type) {
	case event.PlayStart:
		j.tasks, j.hosts = value.NewList(), map[int]*value.Dict{}
		j.plays.V = append(j.plays.V, value.DictOf("play", value.DictOf("name", x.Name, "path", x.Pos.String(),
			"duration", value.DictOf("start", stamp(x.At))), "tasks", j.tasks))
	case event.TaskStart:
		j.taskHosts(x.Task)
	case event.HostResult:
		d := resultDict(x)
		j.taskHosts(x.Task).SetString(x.Host, d)
	case event.Interrupted:
		for _, l := range interruptedLines(x) {
			j.warnings.V = append(j.warnings.V, l)
		}
	case event.Warning:
		j.warnings.V = append(j.warnings.V, x.Text)
	case event.RunEnd:
		j.end = x
	}
}

func resultDict(x event.HostResult) *value.Dict {
	d := value.NewDict(8)
	if x.Result != nil {
		d = visible(x.Result, Options{Verbosity: 3}, false)
	}
	d.SetString("action", x.Task.Module)
	if x.Status == event.Skipped {
		d.SetString("skipped", true)
	}
	if len(x.Diff) > 0 {
		d.SetString("diff", &value.List{V: x.Diff})
	}
	return d
}

func (j *jsonDoc) taskHosts(t *event.Task) *value.Dict {
	if d := j.hosts[t.ID]; d != nil {
		return d
	}
	d := value.NewDict(4)
	j.hosts[t.ID] = d
	if j.tasks != nil {
		j.tasks.V = append(j.tasks.V, value.DictOf("task", taskDict(t), "hosts", d))
	}
	return d
}

// Close prints the document.
func (j *jsonDoc) Close() error {
	doc := value.DictOf("plays", j.plays, "stats", statsDict(j.end.Stats), "custom_stats", customDict(j.end.Custom),
		"global_custom_stats", value.NewDict(0), "warnings", j.warnings)
	s, err := value.JSON{Pretty: true, Spaces: true, Indent: "    "}.Encode(doc)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(j.o.Out, s)
	return err
}
