package network

import (
	"strings"
	"testing"
)

func TestRule(t *testing.T) {
	for _, c := range []struct {
		name string
		a    iptablesArgs
		v6   bool
		want string
	}{
		{name: "port", a: iptablesArgs{Protocol: "tcp", DestPort: "22", Jump: "ACCEPT", Comment: "a b", CtState: []string{"NEW", "ESTABLISHED"}},
			want: "-p tcp -j ACCEPT --destination-port 22 -m conntrack --ctstate NEW,ESTABLISHED -m comment --comment a b"},
		{name: "negated", a: iptablesArgs{Source: "!10.0.0.0/8", InIface: "! eth0", Jump: "DROP", Syn: "negate"}, want: "! -s 10.0.0.0/8 -j DROP ! -i eth0 ! --syn"},
		{name: "matches given", a: iptablesArgs{Match: []string{"state"}, CtState: []string{"NEW"}}, want: "-m state --state NEW"},
		{name: "ports", a: iptablesArgs{Protocol: "tcp", DestPorts: []string{"80", "443"}, Jump: "ACCEPT"}, want: "-p tcp -j ACCEPT -m multiport --dports 80,443"},
		{name: "reject", a: iptablesArgs{RejectWith: "tcp-reset"}, want: "-j REJECT --reject-with tcp-reset"},
		{name: "icmp", a: iptablesArgs{Protocol: "ipv6-icmp", ICMPType: "128", Jump: "ACCEPT"}, v6: true, want: "-p ipv6-icmp -j ACCEPT --icmpv6-type 128"},
		{name: "flags", a: iptablesArgs{TCPFlags: &tcpFlags{[]string{"ALL"}, []string{"ACK", "RST"}}}, want: "--tcp-flags ALL ACK,RST"},
		{name: "limit and owner", a: iptablesArgs{Limit: "2/s", UIDOwner: "root"}, want: "-m limit --limit 2/s -m owner --uid-owner root"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := strings.Join(c.a.rule(c.v6), " "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
