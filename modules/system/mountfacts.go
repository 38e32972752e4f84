package system

import (
	"context"
	"os"
	"path"
	"slices"
	"strings"

	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.mount_facts",
		Summary: "Gather what is mounted, or in fstab, as the fact mount_points.",
		Check:   modules.Full,
		Notes:   []string{"sources are files in the format of fstab or /proc/mounts, and the words all, static and dynamic; the mount program is not asked."},
		Examples: `
- name: The file systems on disks
  ansible.builtin.mount_facts:
    devices: /dev/*
`,
	}, mountFacts)
}

type mountFactsArgs struct {
	Devices   []string    `arg:"devices" elements:"str" doc:"Patterns of devices to take."`
	FSTypes   []string    `arg:"fstypes" elements:"str" doc:"Patterns of file system types to take."`
	Sources   []string    `arg:"sources" elements:"str" doc:"Where to look."`
	Aggregate *bool       `arg:"include_aggregate_mounts" doc:"Return all mounts as a list, too."`
	Binary    value.Value `arg:"mount_binary" type:"raw" default:"mount" doc:"Has no effect: the kernel is asked."`
	Timeout   *float64    `arg:"timeout" doc:"Seconds for one mount point."`
	OnTimeout string      `arg:"on_timeout" default:"error" choices:"error,warn,ignore" doc:"What to do when that is not enough."`
}

// mountLine is one line of fstab or /proc/mounts.
type mountLine struct {
	source, text, device, path, fstype, options string
	dump, passno                                int64
}

func mountFacts(ctx context.Context, h *modules.Host, a mountFactsArgs) (r modules.Result[struct{}], err error) {
	var all []mountLine
	for _, file := range mountSources(a.Sources) {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		all = append(all, parseMounts(string(b), file)...)
	}
	points, list := value.NewDict(16), &value.List{V: []value.Value{}}
	uuids := diskUUIDs()
	for _, m := range all {
		if !matches(a.Devices, m.device) || !matches(a.FSTypes, m.fstype) {
			continue
		}
		d := m.describe(uuids)
		list.V = append(list.V, d)
		if _, seen := points.GetString(m.path); !seen {
			points.SetString(m.path, d)
		}
	}
	facts := value.DictOf("mount_points", points)
	facts.SetString("aggregate_mounts", &value.List{V: []value.Value{}})
	if a.Aggregate != nil && *a.Aggregate {
		facts.SetString("aggregate_mounts", list)
	}
	r.Facts = facts
	return r, ctx.Err()
}

// mountSources are the files that the words stand for.
func mountSources(words []string) (files []string) {
	dynamic := []string{"/proc/mounts", "/etc/mtab"}
	static := []string{"/etc/fstab"}
	if len(words) == 0 {
		words = []string{"all"}
	}
	for _, w := range words {
		switch w {
		case "all":
			files = append(append(files, dynamic[0]), static...)
		case "dynamic":
			files = append(files, dynamic[0])
		case "static":
			files = append(files, static...)
		default:
			files = append(files, w)
		}
	}
	return slices.Compact(files)
}

func matches(patterns []string, v string) bool {
	if len(patterns) == 0 {
		return true
	}
	return slices.ContainsFunc(patterns, func(p string) bool {
		// fnmatch lets a star match a slash
		ok, err := path.Match(strings.ReplaceAll(p, "/", "\x01"), strings.ReplaceAll(v, "/", "\x01"))
		return err == nil && ok
	})
}

func parseMounts(text, source string) (all []mountLine) {
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 4 || strings.HasPrefix(f[0], "#") {
			continue
		}
		m := mountLine{source: source, text: strings.TrimSpace(line), device: unescape.Replace(f[0]), path: unescape.Replace(f[1]), fstype: f[2], options: f[3]}
		if len(f) > 4 && f[4] == "1" {
			m.dump = 1
		}
		if len(f) > 5 && len(f[5]) == 1 {
			m.passno = int64(f[5][0] - '0')
		}
		all = append(all, m)
	}
	return all
}

func diskUUIDs() map[string]string {
	const dir = "/dev/disk/by-uuid"
	found := map[string]string{}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if target, err := os.Readlink(path.Join(dir, e.Name())); err == nil {
			found[path.Join(dir, target)] = e.Name()
		}
	}
	return found
}

func (m mountLine) describe(uuids map[string]string) *value.Dict {
	var uuid value.Value
	if u, ok := uuids[m.device]; ok {
		uuid = u
	}
	d := value.DictOf("device", m.device, "mount", m.path, "fstype", m.fstype, "options", m.options, "dump", m.dump, "passno", m.passno, "uuid", uuid,
		"ansible_context", value.DictOf("source", m.source, "source_data", m.text))
	fillSizes(d, m.path)
	return d
}
