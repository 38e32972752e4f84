package network

import (
	"context"
	"strconv"
	"strings"

	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.posix.firewalld",
		Extra:   true,
		Summary: "Keep ports, services and other settings of a firewalld zone.",
		Check:   modules.Full,
		Rules: modules.Rules{
			modules.Exclusive("icmp_block", "icmp_block_inversion", "service", "protocol", "port", "port_forward", "rich_rule", "interface", "forward", "masquerade", "source", "target"),
			modules.RequiredBy("interface", "zone"), modules.RequiredBy("target", "zone"), modules.RequiredBy("source", "permanent"),
		},
		Examples: `
- name: https may come in, now and after a restart
  ansible.posix.firewalld:
    service: https
    permanent: true
    immediate: true
    state: enabled
`,
	}, firewalld)
}

type firewalldArgs struct {
	Service    string        `arg:"service" doc:"A service firewalld knows."`
	Port       string        `arg:"port" doc:"PORT/PROTOCOL, or a range."`
	Protocol   string        `arg:"protocol" doc:"A protocol."`
	Forwards   []forwardArgs `arg:"port_forward" elements:"dict" doc:"A port to pass on; one element."`
	RichRule   string        `arg:"rich_rule" doc:"A rule in firewalld's rich language."`
	Source     string        `arg:"source" doc:"A source address of the zone."`
	Interface  string        `arg:"interface" doc:"An interface of the zone."`
	ICMPBlock  string        `arg:"icmp_block" doc:"A kind of ICMP message to block."`
	ICMPInvert *bool         `arg:"icmp_block_inversion" doc:"Block all kinds but those."`
	Zone       string        `arg:"zone" doc:"The zone; the default one when not given."`
	Permanent  bool          `arg:"permanent" default:"false" doc:"Change the stored settings."`
	Immediate  bool          `arg:"immediate" default:"false" doc:"Change the running firewall; so when permanent is off, too."`
	State      string        `arg:"state,required" choices:"absent,disabled,enabled,present" doc:"Should it be set? present and absent are for zones and targets."`
	Timeout    int64         `arg:"timeout" default:"0" doc:"Seconds for which the running firewall keeps it."`
	Forward    *bool         `arg:"forward" doc:"Pass packets on within the zone."`
	Masquerade *bool         `arg:"masquerade" doc:"Hide addresses behind this machine."`
	Offline    bool          `arg:"offline" default:"false" doc:"Change the stored settings although firewalld does not run."`
	Target     string        `arg:"target" choices:"default,ACCEPT,DROP,%%REJECT%%" doc:"What becomes of packets that nothing is about."`
}

type forwardArgs struct {
	Port   string `arg:"port,required" doc:"The port."`
	Proto  string `arg:"proto,required" choices:"udp,tcp" doc:"Its protocol."`
	ToPort string `arg:"toport,required" doc:"Port to pass on to."`
	ToAddr string `arg:"toaddr" doc:"Address to pass on to."`
}

type firewalldReturn struct {
	Text string `json:"msg,omitempty" doc:"What was done." returned:"always"`
}

// setting is what a task is about: the words after --query-, --add- and --remove-.
type setting struct {
	name string // port, service, ...
	v    string // "" for switches
	on   bool
}

func (s setting) flag(verb string) string {
	if s.v == "" {
		return "--" + verb + "-" + s.name
	}
	return "--" + verb + "-" + s.name + "=" + s.v
}

func (a *firewalldArgs) setting() (s setting, ok bool) {
	enabled := a.State == "enabled" || a.State == "present"
	for _, o := range []struct{ name, v string }{{"service", a.Service}, {"port", a.Port}, {"protocol", a.Protocol}, {"rich-rule", a.RichRule},
		{"source", a.Source}, {"interface", a.Interface}, {"icmp-block", a.ICMPBlock}} {
		if o.v != "" {
			return setting{o.name, o.v, enabled}, true
		}
	}
	for _, o := range []struct {
		name string
		v    *bool
	}{{"icmp-block-inversion", a.ICMPInvert}, {"forward", a.Forward}, {"masquerade", a.Masquerade}} {
		if o.v != nil {
			return setting{o.name, "", enabled == *o.v}, true
		}
	}
	if len(a.Forwards) == 1 {
		f := a.Forwards[0]
		v := "port=" + f.Port + ":proto=" + f.Proto + ":toport=" + f.ToPort
		if f.ToAddr != "" {
			v += ":toaddr=" + f.ToAddr
		}
		return setting{"forward-port", v, enabled}, true
	}
	return s, false
}

// wall is one call.
type wall struct {
	h    *modules.Host
	a    *firewalldArgs
	done []string
}

func firewalld(ctx context.Context, h *modules.Host, a firewalldArgs) (r modules.Result[firewalldReturn], err error) {
	if !a.Permanent {
		a.Immediate = true
	}
	if len(a.Forwards) > 1 {
		return r, modules.Failf("Only one port forward supported at a time")
	}
	state, err := h.Tool(ctx, "firewall-cmd", "--state")
	if err != nil {
		return r, err
	}
	running := state.RC == 0
	switch {
	case !running && !a.Offline:
		return r, modules.Failf("firewalld is not running; with offline: true and permanent: true the stored settings can be changed")
	case !running && a.Immediate:
		return r, modules.Failf("firewall is not currently running, unable to perform immediate actions without a running firewall daemon")
	}
	w := &wall{h: h, a: &a}
	program := []string{"firewall-cmd"}
	if !running {
		program = []string{"firewall-offline-cmd"}
	}
	if a.Permanent {
		w.done = append(w.done, "Permanent operation")
		if running {
			program = append(program, "--permanent")
		}
		if err := w.converge(ctx, program, false); err != nil {
			return r, err
		}
	}
	if a.Immediate {
		w.done = append(w.done, "Non-permanent operation")
		if err := w.converge(ctx, []string{"firewall-cmd"}, true); err != nil {
			return r, err
		}
	}
	r.Data.Text = strings.Join(w.done, ", ")
	return r, nil
}

func (w *wall) act(ctx context.Context, argv []string) error {
	return w.h.Act(func() error {
		out, err := w.h.Tool(ctx, argv...)
		if err == nil && out.RC != 0 {
			err = modules.Failf("ERROR: %s: %s", modules.Sh(argv...), strings.TrimSpace(out.Stderr+out.Stdout))
		}
		return err
	})
}

// with is a new list, so that calls do not share their words.
func with(argv []string, more ...string) []string {
	return append(append([]string{}, argv...), more...)
}

func (w *wall) converge(ctx context.Context, program []string, runtime bool) error {
	s, ok := w.a.setting()
	zoned := program
	if w.a.Zone != "" {
		zoned = with(program, "--zone="+w.a.Zone)
	}
	switch {
	case w.a.Target != "":
		return w.target(ctx, zoned, runtime)
	case !ok:
		return w.zone(ctx, program, runtime)
	case (w.a.State == "present" || w.a.State == "absent"):
		return modules.Failf("absent and present state can only be used in zone level operations")
	}
	out, err := w.h.Tool(ctx, with(zoned, s.flag("query"))...)
	if err != nil {
		return err
	}
	if out.RC > 1 {
		return modules.Failf("ERROR: %s", strings.TrimSpace(out.Stderr+out.Stdout))
	}
	if (out.RC == 0) == s.on {
		return nil
	}
	argv := with(zoned, s.flag(map[bool]string{true: "add", false: "remove"}[s.on]))
	if runtime && s.on && w.a.Timeout > 0 {
		argv = append(argv, "--timeout="+strconv.FormatInt(w.a.Timeout, 10))
	}
	w.done = append(w.done, strings.TrimSpace("Changed "+s.name+" "+s.v)+" to "+w.a.State)
	return w.act(ctx, argv)
}

func (w *wall) target(ctx context.Context, zoned []string, runtime bool) error {
	if runtime {
		return modules.Failf("target can only be changed with permanent: true and immediate: false")
	}
	want := w.a.Target
	if w.a.State == "absent" || w.a.State == "disabled" {
		want = "default"
	}
	out, err := w.h.Tool(ctx, with(zoned, "--get-target")...)
	if err != nil || strings.TrimSpace(out.Stdout) == want {
		return err
	}
	w.done = append(w.done, "Set zone "+w.a.Zone+" target to "+want)
	return w.act(ctx, with(zoned, "--set-target="+want))
}

// zone makes or deletes the zone itself.
func (w *wall) zone(ctx context.Context, program []string, runtime bool) error {
	if w.a.Zone == "" || runtime || w.a.State == "enabled" || w.a.State == "disabled" {
		return modules.Failf("a zone is made or deleted with zone, permanent: true and state present or absent")
	}
	out, err := w.h.Tool(ctx, with(program, "--get-zones")...)
	if err != nil {
		return err
	}
	has := strings.Contains(" "+strings.TrimSpace(out.Stdout)+" ", " "+w.a.Zone+" ")
	if has == (w.a.State == "present") {
		return nil
	}
	w.done = append(w.done, "Changed zone "+w.a.Zone+" to "+w.a.State)
	return w.act(ctx, with(program, map[bool]string{true: "--delete-zone=", false: "--new-zone="}[has]+w.a.Zone))
}
