package action

import (
	"strings"
	"testing"

	"fettle/engine/value"
)

// Neither the name of a host nor a path leads out of the folder for fetched files.
func TestFetchTargetStaysInside(t *testing.T) {
	for _, tt := range []struct{ host, src, want string }{
		{"web1", "/etc/passwd", "/dest/web1/etc/passwd"},
		{"web1", "../../../etc/passwd", "/dest/web1/etc/passwd"},
		{"web1", "/var/../../../../root/.ssh/authorized_keys", "/dest/web1/root/.ssh/authorized_keys"},
		{"web1", "/a/./b//c", "/dest/web1/a/b/c"},
		{"..", "/etc/passwd", ""},
		{".", "/etc/passwd", ""},
		{"../../etc", "/passwd", ""},
		{"/etc", "/passwd", ""},
		{"", "/etc/passwd", ""},
	} {
		got, err := fetchTarget(&Call{Host: tt.host, Args: value.DictOf("dest", "/dest/")}, tt.src, "/dest/")
		if tt.want == "" && err == nil || tt.want != "" && (err != nil || got != tt.want) {
			t.Errorf("%s:%s goes to %q, %v; want %q", tt.host, tt.src, got, err, tt.want)
		}
	}
	for _, src := range []string{"..", "/etc/..", "/", "."} {
		if got, err := fetchTarget(&Call{Host: "web1", Args: value.DictOf("dest", "/dest/", "flat", true)}, src, "/dest/"); err == nil && got != "/dest" && !strings.HasPrefix(got, "/dest/") {
			t.Errorf("flat %q goes to %q", src, got)
		}
	}
}
