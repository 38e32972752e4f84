package network

import (
	"strings"
	"testing"
)

func TestUFWCommands(t *testing.T) {
	for _, c := range []struct {
		name   string
		a      ufwArgs
		active bool
		want   string
	}{
		{name: "on", a: ufwArgs{State: "enabled", Default: "deny"}, want: "--force enable|default deny incoming"},
		{name: "on already", a: ufwArgs{State: "enabled"}, active: true},
		{name: "port", a: ufwArgs{Rule: "allow", FromIP: "any", ToIP: "any", ToPort: "22", Proto: "tcp", Comment: "ssh in"}, want: "allow from any to any port 22 proto tcp comment ssh in"},
		{name: "interface", a: ufwArgs{Rule: "deny", Direction: "in", Interface: "eth0", Log: true, FromIP: "10.0.0.0/8", ToIP: "any"}, want: "deny in on eth0 log from 10.0.0.0/8 to any"},
		{name: "delete", a: ufwArgs{Rule: "allow", Delete: true, FromIP: "any", ToIP: "any", Name: "OpenSSH", Comment: "x"}, want: "delete allow from any to any app OpenSSH"},
		{name: "insert a route", a: ufwArgs{Rule: "reject", Route: true, Insert: new(int64(1)), InterfaceIn: "a", InterfaceOut: "b", FromIP: "any", ToIP: "any"}, want: "route insert 1 reject in on a out on b from any to any"},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, err := c.a.commands(c.active)
			var got []string
			for _, w := range list {
				got = append(got, strings.Join(w, " "))
			}
			if err != nil || strings.Join(got, "|") != c.want {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}
