package network

import (
	"context"
	"os"
	"strconv"
	"strings"

	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "community.general.ufw",
		Extra:   true,
		Summary: "Keep Ubuntu's simple firewall, its defaults and its rules.",
		Check:   modules.Full,
		Rules: modules.Rules{
			modules.OneOf("state", "default", "rule", "logging"), modules.Exclusive("name", "proto", "logging"),
			modules.Exclusive("direction", "interface_in"), modules.Exclusive("direction", "interface_out"), modules.RequiredBy("interface", "direction"),
		},
		Examples: `
- name: ssh may come in, nothing else
  community.general.ufw:
    rule: limit
    port: ssh
    proto: tcp

- name: The firewall is on
  community.general.ufw:
    state: enabled
    policy: deny
`,
	}, ufw)
}

type ufwArgs struct {
	State        string `arg:"state" choices:"disabled,enabled,reloaded,reset" doc:"What to do with the firewall."`
	Default      string `arg:"default" alias:"policy" choices:"allow,deny,reject" doc:"What becomes of packets that no rule is about."`
	Direction    string `arg:"direction" choices:"in,incoming,out,outgoing,routed" doc:"Direction of the packets."`
	Logging      string `arg:"logging" choices:"on,off,low,medium,high,full" doc:"How much is logged."`
	Insert       *int64 `arg:"insert" doc:"Number to insert the rule at."`
	InsertBase   string `arg:"insert_relative_to" default:"zero" choices:"first-ipv4,first-ipv6,last-ipv4,last-ipv6,zero" doc:"What insert counts from; only zero is supported."`
	Rule         string `arg:"rule" choices:"allow,deny,limit,reject" doc:"What becomes of the packets."`
	Log          bool   `arg:"log" default:"false" doc:"Log new connections of the rule."`
	FromIP       string `arg:"from_ip" alias:"from,src" default:"any" doc:"Where they come from."`
	FromPort     string `arg:"from_port" doc:"Port they come from."`
	ToIP         string `arg:"to_ip" alias:"dest,to" default:"any" doc:"Where they go."`
	ToPort       string `arg:"to_port" alias:"port" doc:"Port they go to."`
	Proto        string `arg:"proto" alias:"protocol" choices:"any,tcp,udp,ipv6,esp,ah,gre,igmp,vrrp" doc:"Their protocol."`
	Name         string `arg:"name" alias:"app" doc:"An application profile instead of ports."`
	Delete       bool   `arg:"delete" default:"false" doc:"Remove the rule."`
	Interface    string `arg:"interface" alias:"if" doc:"Interface for the direction."`
	InterfaceIn  string `arg:"interface_in" alias:"if_in" doc:"Interface they come in by."`
	InterfaceOut string `arg:"interface_out" alias:"if_out" doc:"Interface they go out by."`
	Route        bool   `arg:"route" default:"false" doc:"The rule is about packets that are passed on."`
	Comment      string `arg:"comment" doc:"Comment of the rule."`
}

type ufwReturn struct {
	Commands []string `json:"commands" doc:"What was called." returned:"success"`
	Text     string   `json:"msg,omitempty" doc:"State of the firewall afterwards." returned:"success"`
}

func ufw(ctx context.Context, h *modules.Host, a ufwArgs) (r modules.Result[ufwReturn], err error) {
	if a.InsertBase != "zero" {
		return r, modules.Failf("insert_relative_to: %s is not supported", a.InsertBase)
	}
	before, err := ufwState(ctx, h)
	if err != nil {
		return r, err
	}
	commands, err := a.commands(strings.Contains(before, "Status: active"))
	if err != nil {
		return r, err
	}
	sure := false
	for _, words := range commands {
		argv := append([]string{"ufw"}, words...)
		if h.Check {
			argv = append([]string{"ufw", "--dry-run"}, words...)
		}
		r.Data.Commands = append(r.Data.Commands, modules.Sh(argv...))
		out, err := h.Tool(ctx, argv...)
		if err != nil {
			return r, err
		}
		if out.RC != 0 {
			return r, modules.Failf("%s%s", out.Stderr, out.Stdout)
		}
		sure = sure || h.Check && ufwWouldChange(words, out.Stdout, before)
	}
	if h.Check {
		r.Changed, r.Data.Text = sure, strings.SplitN(before, "\x00", 2)[0]
		return r, nil
	}
	after, err := ufwState(ctx, h)
	r.Changed, r.Data.Text = before != after || a.State == "reloaded", strings.SplitN(after, "\x00", 2)[0]
	return r, err
}

// ufwState is the status, and the rules as they are kept, to compare.
func ufwState(ctx context.Context, h *modules.Host) (string, error) {
	out, err := h.Tool(ctx, "ufw", "status", "verbose")
	if err != nil {
		return "", err
	}
	if out.RC != 0 {
		return "", modules.Failf("%s%s", out.Stderr, out.Stdout)
	}
	text := out.Stdout + "\x00"
	for _, f := range []string{"/etc/ufw/user.rules", "/etc/ufw/user6.rules", "/lib/ufw/user.rules", "/lib/ufw/user6.rules", "/var/lib/ufw/user.rules", "/var/lib/ufw/user6.rules", "/etc/default/ufw", "/etc/ufw/ufw.conf"} {
		b, _ := os.ReadFile(f)
		for line := range strings.Lines(string(b)) {
			if strings.HasPrefix(line, "### tuple") || strings.HasPrefix(line, "DEFAULT_") || strings.HasPrefix(line, "LOGLEVEL") || strings.HasPrefix(line, "ENABLED") {
				text += line
			}
		}
	}
	return text, nil
}

// ufwWouldChange reads what a dry run says.
func ufwWouldChange(words []string, out, before string) bool {
	switch {
	case strings.Contains(out, "Skipping adding existing rule"), strings.Contains(out, "Could not delete non-existent rule"), strings.Contains(out, "Skipping inserting existing rule"):
		return false
	case words[len(words)-1] == "enable":
		return !strings.Contains(before, "Status: active")
	case words[len(words)-1] == "disable":
		return strings.Contains(before, "Status: active")
	case len(words) > 2 && words[0] == "default":
		want := "DEFAULT_" + map[string]string{"incoming": "INPUT", "outgoing": "OUTPUT", "routed": "FORWARD"}[words[2]] + "_POLICY=\"" +
			map[string]string{"allow": "ACCEPT", "deny": "DROP", "reject": "REJECT"}[words[1]] + "\""
		return !strings.Contains(before, want)
	case words[0] == "logging":
		level := words[1]
		if level == "on" {
			level = "low"
		}
		return !strings.Contains(before, "LOGLEVEL="+level)
	}
	return true
}

// commands are the calls of ufw, in Ansible's order: state, default, logging, rule.
func (a *ufwArgs) commands(active bool) (list [][]string, err error) {
	switch a.State {
	case "enabled":
		if !active {
			list = append(list, []string{"--force", "enable"})
		}
	case "disabled":
		if active {
			list = append(list, []string{"disable"})
		}
	case "reloaded":
		list = append(list, []string{"reload"})
	case "reset":
		list = append(list, []string{"--force", "reset"})
	}
	direction := map[string]string{"in": "incoming", "incoming": "incoming", "out": "outgoing", "outgoing": "outgoing", "routed": "routed", "": "incoming"}[a.Direction]
	if a.Default != "" {
		list = append(list, []string{"default", a.Default, direction})
	}
	if a.Logging != "" {
		list = append(list, []string{"logging", a.Logging})
	}
	if a.Rule == "" {
		return list, nil
	}
	rule, err := a.rule()
	return append(list, rule), err
}

func (a *ufwArgs) rule() ([]string, error) {
	var w []string
	if a.Route {
		w = append(w, "route")
	}
	if a.Delete {
		w = append(w, "delete")
	} else if a.Insert != nil {
		w = append(w, "insert", strconv.FormatInt(*a.Insert, 10))
	}
	w = append(w, a.Rule)
	switch a.Direction {
	case "in", "incoming":
		w = append(w, "in")
	case "out", "outgoing":
		w = append(w, "out")
	case "routed":
		return nil, modules.Failf("direction: routed is for default only; use route with a rule")
	}
	for _, i := range []struct{ word, name string }{{"on", a.Interface}, {"in on", a.InterfaceIn}, {"out on", a.InterfaceOut}} {
		if i.name != "" {
			w = append(append(w, strings.Fields(i.word)...), i.name)
		}
	}
	if a.Log {
		w = append(w, "log")
	}
	for _, o := range []struct {
		word, v string
	}{{"from", a.FromIP}, {"port", a.FromPort}, {"to", a.ToIP}, {"port", a.ToPort}, {"proto", a.Proto}, {"app", a.Name}, {"comment", a.Comment}} {
		if o.v != "" && !(o.word == "comment" && a.Delete) {
			w = append(w, o.word, o.v)
		}
	}
	return w, nil
}
