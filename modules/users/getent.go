package users

import (
	"context"
	"slices"
	"strings"

	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.getent",
		Summary: "Look things up in the system's databases (passwd, group, hosts, ...).",
		Check:   modules.Full,
		Examples: `
- name: Home and shell of root, as getent_passwd.root
  ansible.builtin.getent:
    database: passwd
    key: root
`,
	}, getent)
}

type getentArgs struct {
	Database string  `arg:"database,required" doc:"The database."`
	Key      string  `arg:"key" doc:"What to look up; everything when not given."`
	Service  string  `arg:"service" doc:"The source to ask, instead of those of nsswitch.conf."`
	Split    *string `arg:"split" doc:"What separates the fields: a colon for passwd, shadow, group and gshadow, else blanks."`
	FailKey  bool    `arg:"fail_key" default:"true" doc:"Fail when the key is not found."`
}

func getent(ctx context.Context, h *modules.Host, a getentArgs) (r modules.Result[*value.Dict], err error) {
	argv := []string{"getent"}
	if a.Service != "" {
		argv = append(argv, "-s", a.Service)
	}
	argv = append(argv, "--", a.Database)
	if a.Key != "" {
		argv = append(argv, a.Key)
	}
	if a.Split == nil && slices.Contains([]string{"passwd", "shadow", "group", "gshadow"}, a.Database) {
		a.Split = new(":")
	}
	out, err := h.Tool(ctx, argv...)
	if err != nil {
		return r, err
	}
	found := value.NewDict(8)
	const noKey = "One or more supplied key could not be found in the database."
	switch out.RC {
	case 0:
		found = parseGetent(out.Stdout, a.Split)
	case 1:
		return r, modules.Failf("Missing arguments, or database unknown.")
	case 2:
		if a.FailKey {
			return r, modules.Failf(noKey)
		}
		found.SetString(a.Key, nil)
		r.Msg = noKey
	case 3:
		return r, modules.Failf("Enumeration not supported on this database.")
	default:
		return r, modules.Failf("Unexpected failure!")
	}
	r.Facts = value.DictOf("getent_"+a.Database, found)
	return r, nil
}

// parseGetent makes a dict of the first field of each line; when a first field comes
// again, its value becomes a list of the records.
func parseGetent(text string, split *string) *value.Dict {
	found := value.NewDict(16)
	seen := map[string]int{}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		var fields []string
		if split == nil || *split == "" {
			fields = strings.Fields(line)
		} else {
			fields = strings.Split(line, *split)
		}
		if len(fields) == 0 {
			continue
		}
		record := &value.List{V: make([]value.Value, 0, len(fields)-1)}
		for _, f := range fields[1:] {
			record.V = append(record.V, f)
		}
		name := fields[0]
		seen[name]++
		switch old, _ := found.GetString(name); {
		case seen[name] == 1:
			found.SetString(name, record)
		case seen[name] == 2:
			found.SetString(name, value.NewList(old, record))
		default:
			all := old.(*value.List)
			all.V = append(all.V, record)
		}
	}
	return found
}
