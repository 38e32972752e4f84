package packages

import (
	"context"
	"slices"
	"strings"

	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.debconf",
		Summary: "Keep the answer to a question that a Debian package asks.",
		Check:   modules.Full,
		Diff:    modules.Full,
		Rules:   modules.Rules{modules.Together("question", "vtype", "value")},
		Examples: `
- name: The default locale
  ansible.builtin.debconf:
    name: locales
    question: locales/default_environment_locale
    value: en_GB.UTF-8
    vtype: select
`,
	}, debconf)
}

type debconfArgs struct {
	Name     string      `arg:"name,required" alias:"pkg" doc:"The package."`
	Question string      `arg:"question" alias:"selection,setting" doc:"The question."`
	Type     string      `arg:"vtype" choices:"boolean,error,multiselect,note,password,seen,select,string,text,title" doc:"Kind of the question."`
	Value    value.Value `arg:"value" type:"raw" alias:"answer" doc:"The answer."`
	Unseen   bool        `arg:"unseen" default:"false" doc:"Leave the question marked as not asked yet."`
}

func debconf(ctx context.Context, h *modules.Host, a debconfArgs) (r modules.Result[*value.Dict], err error) {
	out, err := h.Tool(ctx, "debconf-show", "--", a.Name)
	if err != nil {
		return r, err
	}
	if out.RC != 0 {
		return r, modules.Failf("%s", out.Stderr)
	}
	r.OneDiff, r.AlwaysDiff = true, true
	now := parseDebconf(out.Stdout)
	if a.Question == "" {
		r.Data = value.DictOf("msg", "", "current", now)
		return r, nil
	}
	if a.Value == nil {
		return r, modules.Failf("when supplying a question you must supply a value")
	}
	if err := a.checkList(); err != nil {
		return r, err
	}
	want := debconfValue(a.Type, a.Value)
	old, have := now.GetString(a.Question)
	same := have && (old == want || isList(a.Value) && a.Type == "multiselect" && sameChoices(value.Str(old), want))
	if a.Type == "password" {
		if same, err = passwordIs(ctx, h, a, want); err != nil {
			return r, err
		}
	}
	if same {
		r.Data = value.DictOf("msg", "", "current", now)
		return r, nil
	}
	if !have {
		old = "None"
	}
	shown := value.Value(want)
	if a.Type == "password" {
		shown, old = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER", "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
	}
	before, after := value.DictOf(a.Question, old), value.DictOf(a.Question, shown)
	r.Data = value.DictOf("msg", "", "current", after, "previous", before)
	if h.Diff {
		r.Diff = []modules.Diff{{Before: before, After: after}}
	}
	return r, h.Act(func() error { return setDebconf(ctx, h, a, want) })
}

func setDebconf(ctx context.Context, h *modules.Host, a debconfArgs, want string) error {
	argv := []string{"debconf-set-selections"}
	if a.Unseen {
		argv = append(argv, "-u")
	}
	if strings.ContainsAny(a.Name+a.Question, " \t\n") {
		return modules.Failf("the name of a package or question must be one word")
	}
	want = strings.ReplaceAll(want, "\n", "\\n")
	out, err := h.ToolInput(ctx, a.Name+" "+a.Question+" "+a.Type+" "+want+"\n", argv...)
	if err == nil && out.RC != 0 {
		err = modules.Failf("%s", out.Stderr)
	}
	return err
}

// checkList: a list is for several choices, each a text.
func (a *debconfArgs) checkList() error {
	l, ok := a.Value.(*value.List)
	if !ok {
		return nil
	}
	if a.Type != "multiselect" {
		return modules.Failf("value is a list, which only vtype multiselect takes, not %q", a.Type)
	}
	for _, e := range l.V {
		if _, ok := e.(string); !ok {
			return modules.Failf("Invalid value provided for 'multiselect': %s is no text", value.Repr(e))
		}
	}
	return nil
}

func isList(v value.Value) bool {
	_, ok := v.(*value.List)
	return ok
}

// sameChoices compares answers of several choices, whose order means nothing.
func sameChoices(a, b string) bool {
	choices := func(s string) []string {
		all := strings.Split(s, ",")
		for i := range all {
			all[i] = strings.TrimSpace(all[i])
		}
		slices.Sort(all)
		return all
	}
	return slices.Equal(choices(a), choices(b))
}

// debconfValue is the answer as debconf keeps it.
func debconfValue(kind string, v value.Value) string {
	text := value.Str(v)
	if l, ok := v.(*value.List); ok {
		words := make([]string, len(l.V))
		for i, e := range l.V {
			words[i] = value.Str(e)
		}
		text = strings.Join(words, ", ")
	}
	if kind == "boolean" {
		if b, err := modules.ToBool(v); err == nil {
			return map[bool]string{true: "true", false: "false"}[b]
		}
	}
	return text
}

// passwordIs compares a password, which debconf-show does not tell.
func passwordIs(ctx context.Context, h *modules.Host, a debconfArgs, want string) (bool, error) {
	out, err := h.ToolInput(ctx, "GET "+a.Question+"\n", "debconf-communicate", "--", a.Name)
	if err != nil {
		return false, err
	}
	code, answer, _ := strings.Cut(strings.TrimRight(out.Stdout, "\n"), " ")
	return code == "0" && answer == want, nil
}

// parseDebconf reads lines "* question: answer"; the star marks those that were asked.
func parseDebconf(text string) *value.Dict {
	d := value.NewDict(8)
	for line := range strings.Lines(text) {
		name, v, ok := strings.Cut(strings.TrimLeft(line, "* \t"), ":")
		if ok {
			d.SetString(strings.TrimSpace(name), strings.TrimSpace(v))
		}
	}
	return d
}
