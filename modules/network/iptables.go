package network

import (
	"context"
	"slices"
	"strings"

	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.iptables",
		Extra:   true,
		Summary: "Keep a rule, a chain or a policy in the kernel's packet filter.",
		Check:   modules.Full,
		Rules: modules.Rules{
			modules.Exclusive("set_dscp_mark", "set_dscp_mark_class"), modules.Exclusive("flush", "policy"),
			modules.RequiredIf("jump", "TEE", "gateway"), modules.RequiredIf("jump", "tee", "gateway"), modules.RequiredIf("flush", "false", "chain"),
			modules.RequiredBy("set_dscp_mark", "jump"), modules.RequiredBy("set_dscp_mark_class", "jump"),
		},
		Notes: []string{"Rules are not saved; they are gone after a restart."},
		Examples: `
- name: The web server can be reached
  ansible.builtin.iptables:
    chain: INPUT
    protocol: tcp
    destination_port: "80"
    jump: ACCEPT
`,
	}, iptables)
}

type iptablesArgs struct {
	Table       string    `arg:"table" default:"filter" choices:"filter,nat,mangle,raw,security" doc:"The table."`
	State       string    `arg:"state" default:"present" choices:"absent,present" doc:"Should the rule be there?"`
	Action      string    `arg:"action" default:"append" choices:"append,insert" doc:"Put a new rule last or first."`
	RuleNum     string    `arg:"rule_num" doc:"Number to insert the rule at."`
	IPVersion   string    `arg:"ip_version" default:"ipv4" choices:"ipv4,ipv6,both" doc:"Which filter."`
	Chain       string    `arg:"chain" doc:"The chain."`
	Protocol    string    `arg:"protocol" doc:"Protocol of the packet."`
	Source      string    `arg:"source" doc:"Where it comes from."`
	Destination string    `arg:"destination" doc:"Where it goes."`
	TCPFlags    *tcpFlags `arg:"tcp_flags" doc:"TCP flags to look at, and those that must be set."`
	Match       []string  `arg:"match" default:"" elements:"str" doc:"Extensions to match with."`
	Jump        string    `arg:"jump" doc:"What becomes of it."`
	Gateway     string    `arg:"gateway" doc:"Where TEE sends a copy."`
	LogPrefix   string    `arg:"log_prefix" doc:"Beginning of log lines."`
	LogLevel    string    `arg:"log_level" choices:"0,1,2,3,4,5,6,7,emerg,alert,crit,error,warning,notice,info,debug" doc:"Level of log lines."`
	Goto        string    `arg:"goto" doc:"Chain to go on in."`
	InIface     string    `arg:"in_interface" doc:"Interface it came in by."`
	OutIface    string    `arg:"out_interface" doc:"Interface it goes out by."`
	Fragment    string    `arg:"fragment" doc:"Fragments after the first."`
	SetCounters string    `arg:"set_counters" doc:"Values of the counters."`
	SourcePort  string    `arg:"source_port" doc:"Source port or range."`
	DestPort    string    `arg:"destination_port" doc:"Destination port or range."`
	DestPorts   []string  `arg:"destination_ports" default:"" elements:"str" doc:"Several destination ports."`
	ToPorts     string    `arg:"to_ports" doc:"Port to redirect to."`
	ToDest      string    `arg:"to_destination" doc:"Address of DNAT."`
	ToSource    string    `arg:"to_source" doc:"Address of SNAT."`
	Syn         string    `arg:"syn" default:"ignore" choices:"ignore,match,negate" doc:"Packets that open a connection."`
	DSCP        string    `arg:"set_dscp_mark" doc:"DSCP value to set."`
	DSCPClass   string    `arg:"set_dscp_mark_class" doc:"DSCP class to set."`
	Comment     string    `arg:"comment" doc:"Comment."`
	CtState     []string  `arg:"ctstate" default:"" elements:"str" doc:"States of the connection."`
	SrcRange    string    `arg:"src_range" doc:"Range of source addresses."`
	DstRange    string    `arg:"dst_range" doc:"Range of destination addresses."`
	MatchSet    string    `arg:"match_set" doc:"Name of an ipset."`
	SetFlags    string    `arg:"match_set_flags" doc:"Which addresses the set is about: src, dst, or both with a comma."`
	Limit       string    `arg:"limit" doc:"How often at most."`
	LimitBurst  string    `arg:"limit_burst" doc:"How many before the limit counts."`
	UIDOwner    string    `arg:"uid_owner" doc:"User that sent it."`
	GIDOwner    string    `arg:"gid_owner" doc:"Group that sent it."`
	RejectWith  string    `arg:"reject_with" doc:"Answer of REJECT."`
	ICMPType    string    `arg:"icmp_type" doc:"Kind of ICMP message."`
	Flush       bool      `arg:"flush" default:"false" doc:"Remove all rules of the chain, or of the table."`
	Policy      string    `arg:"policy" choices:"ACCEPT,DROP,QUEUE,RETURN" doc:"What becomes of packets that no rule is about."`
	Wait        string    `arg:"wait" doc:"Seconds to wait for others that change the filter."`
	ManageChain bool      `arg:"chain_management" default:"false" doc:"Make and delete the chain, too."`
	Numeric     bool      `arg:"numeric" default:"false" doc:"Look no names up."`
}

type tcpFlags struct {
	Flags []string `arg:"flags" elements:"str" doc:"Flags to look at."`
	Set   []string `arg:"flags_set" elements:"str" doc:"Flags that must be set."`
}

type iptablesReturn struct {
	Chain       string  `json:"chain" doc:"The chain." returned:"success"`
	ManageChain bool    `json:"chain_management" doc:"Is the chain managed?" returned:"success"`
	Flush       bool    `json:"flush" doc:"Were rules flushed?" returned:"success"`
	IPVersion   string  `json:"ip_version" doc:"Which filter." returned:"success"`
	Rule        string  `json:"rule" doc:"The rule in iptables' words." returned:"success"`
	State       string  `json:"state" doc:"The state that was asked for." returned:"success"`
	Table       string  `json:"table" doc:"The table." returned:"success"`
	Policy      *string `json:"policy,omitempty" doc:"The policy." returned:"policy given"`
}

func iptables(ctx context.Context, h *modules.Host, a iptablesArgs) (r modules.Result[iptablesReturn], err error) {
	programs := map[string][]string{"ipv4": {"iptables"}, "ipv6": {"ip6tables"}, "both": {"iptables", "ip6tables"}}[a.IPVersion]
	for _, program := range programs {
		f := filter{h: h, a: &a, program: program, rule: a.rule(program == "ip6tables")}
		r.Data = iptablesReturn{a.Chain, a.ManageChain, a.Flush, a.IPVersion, strings.Join(f.rule, " "), a.State, a.Table, nil}
		if a.Policy != "" {
			r.Data.Policy = &a.Policy
		}
		if err := f.converge(ctx); err != nil {
			return r, err
		}
	}
	return r, nil
}

// filter is the packet filter of one protocol.
type filter struct {
	h       *modules.Host
	a       *iptablesArgs
	program string
	rule    []string
}

func (f *filter) call(ctx context.Context, words ...string) (modules.ToolResult, error) {
	argv := []string{f.program, "-t", f.a.Table}
	if f.a.Wait != "" {
		argv = append(argv, "-w", f.a.Wait)
	}
	return f.h.Tool(ctx, append(argv, words...)...)
}

func (f *filter) act(ctx context.Context, words ...string) error {
	return f.h.Act(func() error {
		out, err := f.call(ctx, words...)
		if err == nil && out.RC != 0 {
			err = modules.Failf("%s: %s", f.program, strings.TrimSpace(out.Stderr))
		}
		return err
	})
}

func (f *filter) converge(ctx context.Context) error {
	a := f.a
	switch {
	case a.Flush && a.Chain == "":
		return f.act(ctx, "-F")
	case a.Flush:
		return f.act(ctx, "-F", a.Chain)
	case a.Policy != "":
		return f.policy(ctx)
	case a.ManageChain && len(f.rule) == 0:
		return f.chain(ctx, a.State == "present")
	}
	if a.ManageChain && a.State == "present" {
		if err := f.chain(ctx, true); err != nil {
			return err
		}
	}
	there, err := f.call(ctx, append([]string{"-C", a.Chain}, f.rule...)...)
	if err != nil {
		return err
	}
	if there.RC == 2 {
		return modules.Failf("%s: %s", f.program, strings.TrimSpace(there.Stderr))
	}
	switch has := there.RC == 0; {
	case has == (a.State == "present"):
		return nil
	case has:
		return f.act(ctx, append([]string{"-D", a.Chain}, f.rule...)...)
	}
	words := []string{"-A", a.Chain}
	if a.Action == "insert" {
		words[0] = "-I"
		if a.RuleNum != "" {
			words = append(words, a.RuleNum)
		}
	}
	return f.act(ctx, append(words, f.rule...)...)
}

func (f *filter) policy(ctx context.Context) error {
	out, err := f.call(ctx, "-S", f.a.Chain)
	if err != nil {
		return err
	}
	for line := range strings.Lines(out.Stdout) {
		if w := strings.Fields(line); len(w) == 3 && w[0] == "-P" && w[2] == f.a.Policy {
			return nil
		}
	}
	return f.act(ctx, "-P", f.a.Chain, f.a.Policy)
}

func (f *filter) chain(ctx context.Context, want bool) error {
	out, err := f.call(ctx, "-n", "-L", f.a.Chain)
	if err != nil || (out.RC == 0) == want {
		return err
	}
	if want {
		return f.act(ctx, "-N", f.a.Chain)
	}
	return f.act(ctx, "-X", f.a.Chain)
}

// ruleWords collects the words of a rule.
type ruleWords []string

// add adds an option; a value that begins with ! negates it.
func (w *ruleWords) add(flag, v string) {
	if v == "" {
		return
	}
	if rest, not := strings.CutPrefix(v, "!"); not {
		*w = append(*w, "!", flag, strings.TrimSpace(rest))
		return
	}
	*w = append(*w, flag, v)
}

func (w *ruleWords) match(name string, when bool, have []string) {
	if when && !slices.Contains(have, name) {
		*w = append(*w, "-m", name)
	}
}

// rule are the words of the rule after the chain, in the order Ansible has them.
func (a *iptablesArgs) rule(v6 bool) []string {
	w := ruleWords{}
	w.add("-p", a.Protocol)
	w.add("-s", a.Source)
	w.add("-d", a.Destination)
	for _, m := range a.Match {
		w.add("-m", m)
	}
	if f := a.TCPFlags; f != nil && len(f.Flags) > 0 && len(f.Set) > 0 {
		w = append(w, "--tcp-flags", strings.Join(f.Flags, ","), strings.Join(f.Set, ","))
	}
	w.add("-j", a.Jump)
	if strings.EqualFold(a.Jump, "tee") {
		w.add("--gateway", a.Gateway)
	}
	for _, o := range []struct{ flag, v string }{{"--log-prefix", a.LogPrefix}, {"--log-level", a.LogLevel}, {"--to-destination", a.ToDest}} {
		w.add(o.flag, o.v)
	}
	w.match("multiport", len(a.DestPorts) > 0, nil)
	w.add("--dports", strings.Join(a.DestPorts, ","))
	for _, o := range []struct{ flag, v string }{{"--to-source", a.ToSource}, {"-g", a.Goto}, {"-i", a.InIface}, {"-o", a.OutIface}, {"-f", a.Fragment},
		{"-c", a.SetCounters}, {"--source-port", a.SourcePort}, {"--destination-port", a.DestPort}, {"--to-ports", a.ToPorts}, {"--set-dscp", a.DSCP},
		{"--set-dscp-class", a.DSCPClass}} {
		w.add(o.flag, o.v)
	}
	switch a.Syn {
	case "match":
		w = append(w, "--syn")
	case "negate":
		w = append(w, "!", "--syn")
	}
	a.matches(&w)
	if a.Jump == "" && a.RejectWith != "" {
		w = append(w, "-j", "REJECT")
	}
	w.add("--reject-with", a.RejectWith)
	w.add(map[bool]string{false: "--icmp-type", true: "--icmpv6-type"}[v6], a.ICMPType)
	w.match("comment", a.Comment != "", nil)
	w.add("--comment", a.Comment)
	return w
}

// matches are the extensions that are loaded for options of their own.
func (a *iptablesArgs) matches(w *ruleWords) {
	states := strings.Join(a.CtState, ",")
	if slices.Contains(a.Match, "state") && !slices.Contains(a.Match, "conntrack") {
		w.add("--state", states)
	} else {
		w.match("conntrack", states != "", a.Match)
		w.add("--ctstate", states)
	}
	w.match("iprange", a.SrcRange+a.DstRange != "", a.Match)
	w.add("--src-range", a.SrcRange)
	w.add("--dst-range", a.DstRange)
	if a.MatchSet != "" {
		w.match("set", true, a.Match)
		w.add("--match-set", a.MatchSet)
		*w = append(*w, a.SetFlags)
	}
	w.match("limit", a.Limit+a.LimitBurst != "", a.Match)
	w.add("--limit", a.Limit)
	w.add("--limit-burst", a.LimitBurst)
	w.match("owner", a.UIDOwner+a.GIDOwner != "", a.Match)
	w.add("--uid-owner", a.UIDOwner)
	w.add("--gid-owner", a.GIDOwner)
}
