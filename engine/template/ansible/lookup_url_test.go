package ansible

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"fettle/engine/template"
	"fettle/engine/value"
)

// Credentials go out only when they are asked for, or forced.
func TestURLCredentials(t *testing.T) {
	requests := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		user, password, ok := r.BasicAuth()
		if !ok && r.URL.Path == "/closed" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, "%s:%s", user, password)
	}))
	defer s.Close()
	c := template.New(template.Options{}).NewContext(t.Context(), template.MapScope{Dict: value.NewDict(0)})
	for _, tc := range []struct {
		path     string
		force    bool
		want     string
		requests int
	}{{"/open", false, ":", 1}, {"/open", true, "u:p", 1}, {"/closed", false, "u:p", 2}, {"/closed", true, "u:p", 1}} {
		requests = 0
		got, err := c.Query("url", []value.Value{s.URL + tc.path}, []value.Keyword{
			{Name: "username", Value: "u"}, {Name: "password", Value: "p"}, {Name: "force_basic_auth", Value: tc.force},
			{Name: "use_proxy", Value: false}})
		if err != nil || len(got) != 1 || got[0] != tc.want || requests != tc.requests {
			t.Errorf("%s %v: got %v, %v with %d requests", tc.path, tc.force, got, err, requests)
		}
	}
	c = template.New(template.Options{}).NewContext(t.Context(), template.MapScope{Dict: value.DictOf("ansible_lookup_url_force_basic_auth", true)})
	got, err := c.Query("url", []value.Value{s.URL + "/open"}, []value.Keyword{{Name: "username", Value: "u"}, {Name: "use_proxy", Value: false}})
	if err != nil || len(got) != 1 || got[0] != "u:" {
		t.Errorf("by variable: got %v, %v", got, err)
	}
	file := filepath.Join(t.TempDir(), "netrc")
	if err := os.WriteFile(file, []byte("machine 127.0.0.1 login n password r"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("NETRC", file)
	for use, want := range map[bool]string{true: "n:r", false: ":"} {
		got, err := c.Query("url", []value.Value{s.URL + "/open"}, []value.Keyword{{Name: "use_netrc", Value: use}, {Name: "use_proxy", Value: false}})
		if err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("netrc %v: got %v, %v", use, got, err)
		}
	}
}
