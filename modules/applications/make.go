package applications

import (
	"context"
	"strconv"
	"strings"

	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "community.general.make",
		Extra:   true,
		Summary: "Bring targets of a Makefile up to date.",
		Check:   modules.Full,
		Notes:   []string{"make -q tells whether something is to be done."},
		Examples: `
- name: Install from source
  community.general.make:
    chdir: /usr/src/app
    target: install
    params:
      PREFIX: /opt/app
`,
	}, makeTargets)
}

type makeArgs struct {
	Chdir   string      `arg:"chdir,required" type:"path" doc:"Directory to work in."`
	Target  string      `arg:"target" doc:"The target; the first one of the file when not given."`
	Targets []string    `arg:"targets" elements:"str" doc:"Several targets."`
	Params  *value.Dict `arg:"params" doc:"Variables for make; a null one is given without a value."`
	File    string      `arg:"file" type:"path" doc:"The Makefile."`
	Jobs    *int64      `arg:"jobs" doc:"How many jobs may run at once."`
	Make    string      `arg:"make" type:"path" doc:"The program, instead of gmake or make."`
}

func makeTargets(ctx context.Context, h *modules.Host, a makeArgs) (r modules.Result[*value.Dict], err error) {
	if a.Target != "" && len(a.Targets) > 0 {
		return r, modules.Failf("parameters are mutually exclusive: target|targets")
	}
	argv := a.argv(h)
	if _, err := h.RequirePath(argv[0]); err != nil {
		return r, err
	}
	run := func(argv []string, live bool) (modules.ToolResult, error) {
		return h.ToolWith(ctx, modules.Command{Argv: argv, Dir: a.Chdir, Live: live})
	}
	out, err := run(append([]string{argv[0], "-q"}, argv[1:]...), false)
	if err != nil {
		return r, err
	}
	if out.RC != 0 {
		err = h.Act(func() error {
			if out, err = run(argv, true); err == nil && out.RC != 0 {
				err = modules.Failf("%s", strings.TrimRight(out.Stderr, "\n "))
			}
			return err
		})
	}
	if err != nil {
		r.Data = failed(argv, out)
		return r, err
	}
	var params value.Value
	if a.Params != nil {
		params = a.Params
	}
	var jobs value.Value
	if a.Jobs != nil {
		jobs = *a.Jobs
	}
	r.Data = value.DictOf("chdir", a.Chdir, "command", modules.Sh(argv...), "file", given(a.File), "jobs", jobs, "params", params,
		"target", given(a.Target), "targets", listOf(a.Targets), "stdout", out.Stdout, "stderr", out.Stderr)
	return r, nil
}

// failed are the keys of a command that did not succeed.
func failed(argv []string, out modules.ToolResult) *value.Dict {
	return value.DictOf("cmd", modules.Sh(argv...), "rc", int64(out.RC), "stdout", out.Stdout, "stderr", out.Stderr)
}

func listOf(words []string) value.Value {
	if len(words) == 0 {
		return nil
	}
	l := &value.List{}
	for _, w := range words {
		l.V = append(l.V, w)
	}
	return l
}

func given(s string) value.Value {
	if s == "" {
		return nil
	}
	return s
}

func (a *makeArgs) argv(h *modules.Host) []string {
	argv := []string{a.Make}
	if a.Make == "" {
		if argv[0] = "gmake"; h.LookPath("gmake") == "" {
			argv[0] = "make"
		}
	}
	if a.Jobs != nil {
		argv = append(argv, "--jobs="+strconv.FormatInt(*a.Jobs, 10))
	}
	if a.File != "" {
		argv = append(argv, "--file", a.File)
	}
	if a.Target != "" {
		argv = append(argv, a.Target)
	}
	argv = append(argv, a.Targets...)
	if a.Params == nil {
		return argv
	}
	for _, e := range a.Params.Entries() {
		word := value.Str(e.Key)
		if e.Value != nil {
			word += "=" + value.Str(e.Value)
		}
		argv = append(argv, word)
	}
	return argv
}
