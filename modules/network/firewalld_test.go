package network

import "testing"

func TestFirewalldSetting(t *testing.T) {
	for _, c := range []struct {
		name string
		a    firewalldArgs
		want string
		on   bool
	}{
		{"port", firewalldArgs{Port: "80/tcp", State: "enabled"}, "--query-port=80/tcp", true},
		{"service off", firewalldArgs{Service: "http", State: "disabled"}, "--query-service=http", false},
		{"masquerade off", firewalldArgs{Masquerade: new(false), State: "enabled"}, "--query-masquerade", false},
		{"forwarded port", firewalldArgs{Forwards: []forwardArgs{{"80", "tcp", "8080", "10.0.0.1"}}, State: "enabled"}, "--query-forward-port=port=80:proto=tcp:toport=8080:toaddr=10.0.0.1", true},
		{"nothing", firewalldArgs{Zone: "z", State: "present"}, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, ok := c.a.setting()
			if ok != (c.want != "") || ok && s.flag("query") != c.want || s.on != c.on {
				t.Errorf("got %+v %v", s, ok)
			}
		})
	}
}
