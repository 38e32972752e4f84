package ansible

import (
	"testing"

	"fettle/engine/diag"
	"fettle/engine/template"
	"fettle/engine/value"
)

// Results are those of ansible.utils with netaddr.
func TestSubnets(t *testing.T) {
	cases := []struct{ src, want string }{
		{"{{ '192.168.1.0/24' | ansible.utils.ipsubnet(18, 0) }}", "'192.168.1.0/18'"},
		{"{{ '192.168.1.0/24' | ansible.utils.ipsubnet(18, 1) }}", "False"},
		{"{{ '192.168.1.5/24' | ansible.utils.ipsubnet(18, 0) }}", "'192.168.1.0/18'"},
		{"{{ '192.168.1.5/24' | ansible.utils.ipsubnet(18, 5) }}", "False"},
		{"{{ '192.168.1.5' | ansible.utils.ipsubnet(18, 5) }}", "'192.168.0.0/23'"},
		{"{{ '192.168.1.5' | ansible.utils.ipsubnet(18, -1) }}", "'192.168.1.4/31'"},
		{"{{ '192.168.1.5/24' | ansible.utils.ipsubnet }}", "'192.168.1.0/24'"},
		{"{{ '192.168.1.5/0.0.0.255' | ansible.utils.ipsubnet }}", "'192.168.1.0/24'"},
		{"{{ '192.168.1.5/255.255.255.0' | ansible.utils.ipwrap }}", "'192.168.1.5/24'"},
		{"{{ '192.168.1.0/24' | ansible.utils.cidr_merge }}", "['192.168.1.0/24']"},
	}
	c := template.New(template.Options{}).NewContext(t.Context(), template.MapScope{Dict: value.NewDict(0)})
	for _, tc := range cases {
		v, err := c.Render(template.NewTemplate(tc.src, diag.Pos{}))
		if got := value.Repr(v); err != nil || got != tc.want {
			t.Errorf("%s: got %s, %v, want %s", tc.src, got, err, tc.want)
		}
	}
}
