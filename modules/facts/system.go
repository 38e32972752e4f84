package facts

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"fettle/engine/value"
	"fettle/modules"
)

func (g *gatherer) apparmor(context.Context) *value.Dict {
	status := "disabled"
	if g.exists("/sys/kernel/security/apparmor") {
		status = "enabled"
	}
	return value.DictOf("apparmor", value.DictOf("status", status))
}

// caps asks capsh, whose way of writing capability sets is the fact.
func (g *gatherer) caps(ctx context.Context) *value.Dict {
	enforced, caps := value.Value("N/A"), value.Value("N/A")
	if out, ok := g.run(ctx, "capsh", "--print"); ok {
		list := value.NewList()
		for line := range strings.Lines(out) {
			rest, is := strings.CutPrefix(line, "Current:")
			if !is {
				continue
			}
			if strings.TrimSpace(rest) == "=ep" {
				enforced = "False"
				continue
			}
			enforced = "True"
			parts := strings.Split(line, "=")
			if len(parts) > 1 {
				for c := range strings.SplitSeq(parts[1], ",") {
					list.V = append(list.V, strings.TrimSpace(c))
				}
			}
		}
		caps = list
	}
	return value.DictOf("system_capabilities_enforced", enforced, "system_capabilities", caps)
}

func (g *gatherer) chroot(ctx context.Context) *value.Dict {
	return value.DictOf("is_chroot", g.isChroot(ctx))
}

func (g *gatherer) isChroot(ctx context.Context) bool {
	if os.Getenv("debian_chroot") != "" {
		return true
	}
	var mine, first syscall.Stat_t
	if syscall.Stat("/", &mine) != nil {
		return false
	}
	if syscall.Stat("/proc/1/root/.", &first) == nil {
		return mine.Ino != first.Ino || mine.Dev != first.Dev
	}
	return mine.Ino != rootInode()
}

func (g *gatherer) cmdline(context.Context) *value.Dict {
	data, ok := g.content("/proc/cmdline")
	if !ok {
		return nil
	}
	plain, lists := value.NewDict(16), value.NewDict(16)
	for _, piece := range splitKeepQuotes(data) {
		k, v, has := strings.Cut(piece, "=")
		item := value.Value(true)
		if has {
			item = v
		}
		plain.SetString(k, item)
		old, again := lists.GetString(k)
		switch l, isList := old.(*value.List); {
		case again && !has, !again:
			lists.SetString(k, item)
		case isList:
			l.V = append(l.V, item)
		default:
			lists.SetString(k, value.NewList(old, item))
		}
	}
	return value.DictOf("cmdline", plain, "proc_cmdline", lists)
}

// splitKeepQuotes splits at blanks outside of quotes, which stay.
func splitKeepQuotes(s string) []string {
	var out []string
	var word strings.Builder
	quote := byte(0)
	for i := range len(s) {
		c := s[i]
		switch {
		case quote != 0:
			word.WriteByte(c)
			if c == quote {
				quote = 0
			}
		case c == ' ' || c == '\t' || c == '\n':
			if word.Len() > 0 {
				out = append(out, word.String())
				word.Reset()
			}
		default:
			if c == '"' || c == '\'' {
				quote = c
			}
			word.WriteByte(c)
		}
	}
	if word.Len() > 0 {
		out = append(out, word.String())
	}
	return out
}

func (g *gatherer) dateTime(context.Context) *value.Dict {
	return value.DictOf("date_time", dateTime(time.Now()))
}

func dateTime(now time.Time) *value.Dict {
	utc := now.UTC()
	zone, _ := now.Zone()
	micro := fmt.Sprintf("%06d", now.Nanosecond()/1000)
	epoch := strconv.FormatInt(now.Unix(), 10)
	week := (now.YearDay() + 6 - (int(now.Weekday())+6)%7) / 7 // weeks that begin on Monday
	return value.DictOf("year", now.Format("2006"), "month", now.Format("01"), "weekday", now.Weekday().String(),
		"weekday_number", strconv.Itoa(int(now.Weekday())), "weeknumber", fmt.Sprintf("%02d", week),
		"day", now.Format("02"), "hour", now.Format("15"), "minute", now.Format("04"), "second", now.Format("05"),
		"epoch", epoch, "epoch_int", epoch, "date", now.Format("2006-01-02"), "time", now.Format("15:04:05"),
		"iso8601_micro", utc.Format("2006-01-02T15:04:05.")+micro+"Z", "iso8601", utc.Format("2006-01-02T15:04:05Z"),
		"iso8601_basic", now.Format("20060102T150405")+micro, "iso8601_basic_short", now.Format("20060102T150405"),
		"tz", zone, "tz_dst", summerZone(now), "tz_offset", now.Format("-0700"))
}

// summerZone is the name of daylight saving time here, or that of the only time there is.
func summerZone(now time.Time) string {
	name, _ := now.Zone()
	for m := time.January; m <= time.December; m++ {
		if t := time.Date(now.Year(), m, 1, 12, 0, 0, 0, now.Location()); t.IsDST() {
			name, _ = t.Zone()
			return name
		}
	}
	return name
}

func (g *gatherer) dns(context.Context) *value.Dict {
	d := value.NewDict(4)
	for _, line := range g.lines("/etc/resolv.conf") {
		words := strings.Fields(line)
		if len(words) == 0 || words[0][0] == '#' || words[0][0] == ';' {
			continue
		}
		switch words[0] {
		case "nameserver":
			old, _ := d.GetString("nameservers")
			l, ok := old.(*value.List)
			if !ok {
				l = value.NewList()
				d.SetString("nameservers", l)
			}
			l.V = append(l.V, stringList(words[1:]).V...)
		case "domain":
			if len(words) > 1 {
				d.SetString("domain", words[1])
			}
		case "search", "sortlist":
			d.SetString(words[0], stringList(words[1:]))
		case "options":
			options := value.NewDict(2)
			for _, o := range words[1:] {
				k, v, has := strings.Cut(o, ":")
				if has && v != "" {
					options.SetString(k, v)
				} else {
					options.SetString(k, true)
				}
			}
			d.SetString("options", options)
		}
	}
	return value.DictOf("dns", d)
}

func (g *gatherer) env(context.Context) *value.Dict {
	d := value.NewDict(32)
	for _, kv := range append(os.Environ(), g.h.Env...) {
		k, v, _ := strings.Cut(kv, "=")
		d.SetString(k, v)
	}
	return value.DictOf("env", d)
}

func (g *gatherer) facter(ctx context.Context) *value.Dict {
	p := g.tool("cfacter", "/opt/puppetlabs/bin")
	if p == "" {
		p = g.tool("facter", "/opt/puppetlabs/bin")
	}
	if p == "" {
		return nil
	}
	res, err := g.h.Run(ctx, modules.Command{Argv: []string{p, "--puppet", "--json"}, Timeout: g.limit()})
	if err != nil || res.RC != 0 {
		return nil
	}
	return jsonObject(res.Stdout)
}

func (g *gatherer) ohai(ctx context.Context) *value.Dict {
	out, ok := g.run(ctx, "ohai")
	if !ok {
		return nil
	}
	return jsonObject([]byte(out))
}

func jsonObject(text []byte) *value.Dict {
	v, err := value.FromJSON(text)
	if err != nil {
		return nil
	}
	d, _ := v.(*value.Dict)
	return d
}

func (g *gatherer) fibreChannel(context.Context) *value.Dict {
	l := value.NewList()
	for _, host := range g.entries("/sys/class/fc_host") {
		for _, line := range g.lines("/sys/class/fc_host/" + host + "/port_name") {
			l.V = append(l.V, strings.TrimPrefix(line, "0x"))
		}
	}
	return value.DictOf("fibre_channel_wwn", l)
}

func (g *gatherer) fips(context.Context) *value.Dict {
	return value.DictOf("fips", g.text("/proc/sys/crypto/fips_enabled") == "1")
}

func (g *gatherer) iscsi(context.Context) *value.Dict {
	name := ""
	for _, line := range g.lines("/etc/iscsi/initiatorname.iscsi") {
		if rest, ok := strings.CutPrefix(line, "InitiatorName="); ok {
			name = rest
			break
		}
	}
	return value.DictOf("iscsi_iqn", name)
}

func (g *gatherer) nvme(context.Context) *value.Dict {
	name := ""
	for _, line := range g.lines("/etc/nvme/hostnqn") {
		if strings.HasPrefix(line, "nqn.") {
			name = strings.TrimSpace(line)
			break
		}
	}
	return value.DictOf("hostnqn", name)
}

func (g *gatherer) lsb(ctx context.Context) *value.Dict {
	d, ok := g.lsbRelease(ctx)
	if !ok {
		d = named(g.text("/etc/lsb-release"), "=", map[string]string{"DISTRIB_ID": "id", "DISTRIB_RELEASE": "release",
			"DISTRIB_DESCRIPTION": "description", "DISTRIB_CODENAME": "codename"})
	}
	if r, ok := d.GetString("release"); ok {
		major, _, _ := strings.Cut(r.(string), ".")
		d.SetString("major_release", major)
	}
	for _, e := range d.Entries() {
		d.SetString(e.Key.(string), strings.Trim(e.Value.(string), `'"\`))
	}
	return value.DictOf("lsb", d)
}

// lsbRelease is what lsb_release says. The script of that name in Debian since 12 only
// shows os-release, slowly; that file is then read here.
func (g *gatherer) lsbRelease(ctx context.Context) (*value.Dict, bool) {
	p := g.tool("lsb_release")
	if p == "" {
		return nil, false
	}
	if b, err := os.ReadFile(p); err == nil && strings.HasPrefix(string(b), "#!/bin/sh") && strings.Contains(string(b), "LSB_OS_RELEASE") && os.Getenv("LSB_OS_RELEASE") == "" {
		info := g.osRelease()
		id := info["ID"]
		if id != "" {
			id = strings.ToUpper(id[:1]) + id[1:]
		}
		if strings.EqualFold(id, info["NAME"]) {
			id = info["NAME"]
		}
		orElse := func(s string) string {
			if s == "" {
				return "n/a"
			}
			return s
		}
		return value.DictOf("id", orElse(id), "description", orElse(info["PRETTY_NAME"]), "release", orElse(info["VERSION_ID"]),
			"codename", orElse(info["VERSION_CODENAME"])), true
	}
	out, ok := g.run(ctx, "lsb_release", "-a")
	if !ok {
		return nil, false
	}
	return named(out, ":", map[string]string{"LSB Version": "release", "Distributor ID": "id", "Description": "description",
		"Release": "release", "Codename": "codename"}), true
}

// named picks the lines whose key has a name and gives their values under it.
func named(text, sep string, names map[string]string) *value.Dict {
	d := value.NewDict(len(names))
	for line := range strings.Lines(text) {
		k, v, has := strings.Cut(line, sep)
		if n := names[strings.TrimSpace(k)]; has && n != "" {
			d.SetString(n, strings.TrimSpace(v))
		}
	}
	return d
}

func (g *gatherer) selinux(context.Context) *value.Dict {
	d := value.NewDict(5)
	if !g.exists("/sys/fs/selinux/enforce") {
		d.SetString("status", "disabled")
		return value.DictOf("selinux", d, "selinux_python_present", true)
	}
	d.SetString("status", "enabled")
	policy, mode := value.Value("unknown"), "unknown"
	if n, err := strconv.ParseInt(g.text("/sys/fs/selinux/policyvers"), 10, 64); err == nil {
		policy = n
	}
	d.SetString("policyvers", policy)
	settings := map[string]string{"SELINUX": "unknown", "SELINUXTYPE": "unknown"}
	for _, line := range g.lines("/etc/selinux/config") {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok && settings[k] != "" {
			settings[k] = strings.TrimSpace(v)
		}
	}
	d.SetString("config_mode", settings["SELINUX"])
	switch g.text("/sys/fs/selinux/enforce") {
	case "1":
		mode = "enforcing"
	case "0":
		mode = "permissive"
	}
	d.SetString("mode", mode)
	d.SetString("type", settings["SELINUXTYPE"])
	return value.DictOf("selinux", d, "selinux_python_present", true)
}

func (g *gatherer) sshKeys(context.Context) *value.Dict {
	d := value.NewDict(8)
	for _, dir := range []string{"/etc/ssh", "/etc/openssh", "/etc"} {
		for _, kind := range []string{"dsa", "rsa", "ecdsa", "ed25519"} {
			words := strings.Fields(g.text(dir + "/ssh_host_" + kind + "_key.pub"))
			if len(words) >= 2 {
				d.SetString("ssh_host_key_"+kind+"_public", words[1])
				d.SetString("ssh_host_key_"+kind+"_public_keytype", words[0])
			}
		}
		if d.Len() > 0 {
			return d
		}
	}
	return d
}

const systemdVersion pattern = `^systemd (\d+)[^\n]*\n([^\n]*)`

func (g *gatherer) systemd(ctx context.Context) *value.Dict {
	if g.tool("systemctl") == "" || !g.systemdRuns() {
		return nil
	}
	out, ok := g.run(ctx, "systemctl", "--version")
	m := systemdVersion.find(out)
	if !ok || m == nil {
		return nil
	}
	n, _ := strconv.ParseInt(m[1], 10, 64)
	return value.DictOf("systemd", value.DictOf("features", m[2], "version", n))
}

func (g *gatherer) systemdRuns() bool {
	for _, d := range []string{"/run/systemd/system/", "/dev/.run/systemd/", "/dev/.systemd/"} {
		if g.exists(d) {
			return true
		}
	}
	return false
}

var initNames = map[string]string{"procd": "openwrt_init", "runit-init": "runit", "svscan": "svc", "openrc-init": "openrc"}

func (g *gatherer) serviceMgr(context.Context) *value.Dict {
	return value.DictOf("service_mgr", g.serviceManager())
}

func (g *gatherer) serviceManager() string {
	first := filepath.Base(g.text("/proc/1/comm"))
	if first != "." && first != "init" && !strings.HasSuffix(first, "sh") {
		if n := initNames[first]; n != "" {
			return n
		}
		return first
	}
	systemctl := g.tool("systemctl") != ""
	link, _ := os.Readlink(g.root + "/sbin/init")
	switch {
	case systemctl && g.systemdRuns():
		return "systemd"
	case g.tool("initctl") != "" && g.exists("/etc/init/"):
		return "upstart"
	case g.exists("/sbin/openrc"):
		return "openrc"
	case systemctl && filepath.Base(link) == "systemd":
		return "systemd"
	case g.exists("/etc/init.d/"):
		return "sysvinit"
	case g.exists("/etc/dinit.d/"):
		return "dinit"
	}
	return "service"
}
