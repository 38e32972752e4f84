package ansible

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"fettle/engine/template"
	"fettle/engine/value"
)

const digOptions = "qtype flat retry_servfail fail_on_error real_empty class"

// lookupDig asks for records of names; options stand among the terms or beside them.
func lookupDig(c *template.Context, terms []value.Value, o options) ([]value.Value, error) {
	resolver := net.DefaultResolver
	var names []string
	for _, t := range terms {
		s := text(t)
		if server, ok := strings.CutPrefix(s, "@"); ok {
			resolver = resolverOf(server)
			continue
		}
		k, v, ok := strings.Cut(s, "=")
		if !ok {
			names = append(names, s)
			continue
		}
		if !slices.Contains(strings.Fields(digOptions), k) {
			return nil, fmt.Errorf("the dig lookup has no option %q", k)
		}
		o.all[k] = v
	}
	if class := o.text("class", "IN"); !strings.EqualFold(class, "IN") {
		return nil, fmt.Errorf("the dig lookup does not support the class %s", class)
	}
	if !o.bool("flat", true) {
		return nil, errors.New("the dig lookup does not support flat=0")
	}
	out := []value.Value{}
	for _, n := range names {
		kind := o.text("qtype", "A")
		if name, k, ok := strings.Cut(n, "/"); ok {
			n, kind = name, k
		}
		vs, err := o.ask(c.Ctx(), resolver, n, strings.ToUpper(kind))
		if err != nil {
			return nil, err
		}
		out = append(out, texts(vs).V...)
	}
	return out, nil
}

// ask resolves one name. What is not there is NXDOMAIN, and an answer that does not come is empty,
// unless the options want errors or nothing.
func (o options) ask(ctx context.Context, r *net.Resolver, name, kind string) ([]string, error) {
	vs, err := resolve(ctx, r, name, kind)
	var failed *net.DNSError
	if errors.As(err, &failed) && failed.IsTemporary && o.bool("retry_servfail", false) {
		vs, err = resolve(ctx, r, name, kind)
	}
	if err == nil || !errors.As(err, &failed) || o.bool("fail_on_error", false) {
		return vs, err
	}
	switch {
	case o.bool("real_empty", false):
		return nil, nil
	case failed.IsNotFound:
		return []string{"NXDOMAIN"}, nil
	}
	return []string{""}, nil
}

func lookupDNSTXT(c *template.Context, terms []value.Value, o options) ([]value.Value, error) {
	out := []value.Value{}
	for _, t := range terms {
		vs, err := o.ask(c.Ctx(), net.DefaultResolver, text(t), "TXT")
		if err != nil {
			return nil, err
		}
		if len(vs) == 0 && o.bool("real_empty", false) {
			continue
		}
		out = append(out, strings.Join(vs, ""))
	}
	return out, nil
}

func resolverOf(server string) *net.Resolver {
	if _, _, err := net.SplitHostPort(server); err != nil {
		server = net.JoinHostPort(server, "53")
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server)
	}}
}

func resolve(ctx context.Context, r *net.Resolver, name, kind string) ([]string, error) {
	var out []string
	switch kind {
	case "A", "AAAA":
		ips, err := r.LookupIP(ctx, map[string]string{"A": "ip4", "AAAA": "ip6"}[kind], name)
		for _, ip := range ips {
			out = append(out, ip.String())
		}
		return out, err
	case "CNAME":
		s, err := r.LookupCNAME(ctx, name)
		return []string{s}, err
	case "TXT":
		return r.LookupTXT(ctx, name)
	case "PTR":
		return r.LookupAddr(ctx, name)
	case "MX":
		mx, err := r.LookupMX(ctx, name)
		for _, m := range mx {
			out = append(out, fmt.Sprintf("%d %s", m.Pref, m.Host))
		}
		return out, err
	case "NS":
		ns, err := r.LookupNS(ctx, name)
		for _, n := range ns {
			out = append(out, n.Host)
		}
		return out, err
	case "SRV":
		_, srv, err := r.LookupSRV(ctx, "", "", name)
		for _, s := range srv {
			out = append(out, fmt.Sprintf("%d %d %d %s", s.Priority, s.Weight, s.Port, s.Target))
		}
		return out, err
	}
	return nil, fmt.Errorf("the dig lookup does not support records of type %s", kind)
}
