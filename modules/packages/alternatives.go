package packages

import (
	"context"
	"strconv"
	"strings"

	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "community.general.alternatives",
		Summary: "Choose which program stands behind a generic name.",
		Check:   modules.Full,
		Diff:    modules.Full,
		Rules:   modules.Rules{modules.OneOf("path", "family")},
		Notes:   []string{"family, of Red Hat's alternatives, is refused."},
		Examples: `
- name: vim is the editor
  community.general.alternatives:
    name: editor
    path: /usr/bin/vim.basic
`,
	}, alternatives)
}

type alternativesArgs struct {
	Name        string           `arg:"name,required" doc:"The generic name."`
	Path        string           `arg:"path" type:"path" doc:"The program."`
	Family      string           `arg:"family" doc:"Not supported."`
	Link        string           `arg:"link" type:"path" doc:"Link of the generic name; needed for a new name."`
	Priority    *int64           `arg:"priority" doc:"Priority of the program; 50 when not given."`
	State       string           `arg:"state" default:"selected" choices:"present,selected,auto,absent" doc:"What should be true of it."`
	Subcommands []subcommandArgs `arg:"subcommands" alias:"slaves" elements:"dict" doc:"Links that follow this one."`
}

type subcommandArgs struct {
	Name string `arg:"name,required" doc:"Generic name."`
	Path string `arg:"path,required" type:"path" doc:"The program or file."`
	Link string `arg:"link,required" type:"path" doc:"The link."`
}

// alternative is what update-alternatives --query says about a name.
type alternative struct {
	link, mode, current string
	priorities          map[string]int64
}

func alternatives(ctx context.Context, h *modules.Host, a alternativesArgs) (r modules.Result[struct{}], err error) {
	if a.Family != "" {
		return r, modules.Failf("option family is not supported")
	}
	if strings.HasPrefix(a.Name, "-") {
		return r, modules.Failf("invalid name %q", a.Name)
	}
	out, err := h.Tool(ctx, "update-alternatives", "--query", a.Name)
	if err != nil {
		return r, err
	}
	now := alternative{}
	if out.RC == 0 {
		now = parseAlternative(out.Stdout)
	}
	commands, err := alternativeCommands(a, now)
	if err != nil || len(commands) == 0 {
		return r, err
	}
	r.Diff = []modules.Diff{{Before: value.DictOf("path", now.current, "state", now.mode), After: value.DictOf("path", a.Path, "state", a.State)}}
	return r, h.Act(func() error {
		for _, argv := range commands {
			out, err := h.Tool(ctx, argv...)
			if err == nil && out.RC != 0 {
				err = modules.Failf("%s: %s", modules.Sh(argv...), strings.TrimSpace(out.Stderr+out.Stdout))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// alternativeCommands are the calls that bring a name to what is wanted.
func alternativeCommands(a alternativesArgs, now alternative) (commands [][]string, err error) {
	const program = "update-alternatives"
	priority, known := now.priorities[a.Path]
	switch {
	case a.State == "absent" && known:
		return [][]string{{program, "--remove", a.Name, a.Path}}, nil
	case a.State == "absent":
		return nil, nil
	}
	if !known || a.Priority != nil && *a.Priority != priority {
		link := a.Link
		if link == "" {
			link = now.link
		}
		if link == "" {
			return nil, modules.Failf("Needed to install the alternative, but unable to do so as we are missing the link")
		}
		want := int64(50)
		if a.Priority != nil {
			want = *a.Priority
		}
		argv := []string{program, "--install", link, a.Name, a.Path, strconv.FormatInt(want, 10)}
		for _, s := range a.Subcommands {
			argv = append(argv, "--slave", s.Link, s.Name, s.Path)
		}
		commands = append(commands, argv)
	}
	switch {
	case a.State == "selected" && (now.current != a.Path || now.mode == ""):
		commands = append(commands, []string{program, "--set", a.Name, a.Path})
	case a.State == "auto" && now.mode != "auto":
		commands = append(commands, []string{program, "--auto", a.Name})
	}
	return commands, nil
}

func parseAlternative(text string) alternative {
	a := alternative{priorities: map[string]int64{}}
	path := ""
	for line := range strings.Lines(text) {
		key, v, ok := strings.Cut(strings.TrimRight(line, "\n"), ":")
		v = strings.TrimSpace(v)
		if !ok || strings.HasPrefix(key, " ") {
			continue
		}
		switch key {
		case "Link":
			a.link = v
		case "Status":
			a.mode = v
		case "Value":
			a.current = v
		case "Alternative":
			path = v
			a.priorities[path] = 0
		case "Priority":
			if n, err := strconv.ParseInt(v, 10, 64); err == nil && path != "" {
				a.priorities[path] = n
			}
		}
	}
	return a
}
