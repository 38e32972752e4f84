package cli

import (
	"fmt"
	"slices"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/plan"
	"fettle/engine/transport"
	"fettle/engine/transport/container"
	"fettle/engine/value"
	"fettle/inventory"
)

// connectionKinds are the connections there are.
func connectionKinds() []string {
	return append([]string{"ssh", "openssh", "local"}, container.Kinds()...)
}

// strangers warns of hosts whose connection is none of ours, before the first of them fails:
// as far as that is known before the run.
func (ss *session) strangers(p *plan.Plan) *diag.List {
	type place struct {
		at    diag.Pos
		hosts []string
	}
	found, order := map[string]*place{}, []string{}
	seen := map[*inventory.Host]bool{}
	for _, play := range p.Plays {
		sel, err := ss.inv.Select([]string{play.Pattern}, ss.o.limit)
		if play.Pattern == "" || err != nil {
			continue // the run says so
		}
		for _, h := range sel.Hosts {
			name, at := ss.connectionOf(h, play)
			if seen[h] || name == "" || slices.Contains(connectionKinds(), transport.Name(name)) {
				continue
			}
			seen[h] = true
			if found[name] == nil {
				found[name], order = &place{at: at}, append(order, name)
			}
			found[name].hosts = append(found[name].hosts, h.Name)
		}
	}
	out := &diag.List{}
	for _, name := range order {
		x := found[name]
		who := x.hosts[0]
		if more := len(x.hosts) - 1; more > 0 {
			who += " and " + count(more, "more host")
		}
		d := diag.Warnf(x.at, "connection", "the connection %q is not supported: tasks on %s will fail", name, who)
		d.Hint = fmt.Sprintf("supported are %s", strings.Join(connectionKinds(), ", "))
		out.Add(d)
	}
	return out
}

// connectionOf is what is known of a host's connection before a play runs; "" is the usual one.
func (ss *session) connectionOf(h *inventory.Host, play *plan.Play) (string, diag.Pos) {
	if v, ok := ss.extra.Get("ansible_connection"); ok {
		return plain(v.Value), v.At
	}
	for _, l := range h.Layers(play.Dir) {
		if v, ok := l.Vars.Get("ansible_connection"); ok {
			return plain(v.Value), v.At
		}
	}
	if play.Connection.Set {
		return plain(play.Connection.Value), play.Pos
	}
	return first(ss.o.connection, ss.cfg.String("DEFAULT_TRANSPORT")), diag.Pos{}
}

// plain is a text that is known; templates are not.
func plain(v value.Value) string {
	s, _ := v.(string)
	return s
}
