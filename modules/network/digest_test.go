package network

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"fettle/modules"
)

// The examples are those of RFC 7616, 3.9.1.
func TestDigest(t *testing.T) {
	const cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
	for _, c := range []struct{ algorithm, want string }{
		{"MD5", "8ca523f5e9506fed4657c9700eebdbec"},
		{"SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
	} {
		head := `realm="http-auth@example.org", qop="auth, auth-int", algorithm=` + c.algorithm +
			`, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`
		got := parseChallenge(head).answer("GET", "/dir/index.html", "Mufasa", "Circle of Life", cnonce)
		if !strings.Contains(got, `response="`+c.want+`"`) || !strings.Contains(got, `opaque="FQhe/`) {
			t.Errorf("%s: %s", c.algorithm, got)
		}
	}
}

func TestDigestLogin(t *testing.T) {
	asked := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := parseChallenge(strings.TrimPrefix(r.Header.Get("Authorization"), "Digest "))
		want := challenge{"realm": "r", "nonce": "n1", "qop": "auth"}.answer(r.Method, r.RequestURI, "me", "geheim7", c["cnonce"])
		if r.Header.Get("Authorization") == want {
			return
		}
		asked++
		w.Header().Add("WWW-Authenticate", `Basic realm="b"`)
		w.Header().Add("WWW-Authenticate", `Digest realm="r", nonce="n1", qop="auth"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer s.Close()
	args := func(password string) map[string]any {
		return map[string]any{"url": s.URL + "/x?y=1", "url_username": "me", "url_password": password, "status_code": []any{200, 401}}
	}
	if r := call(t, &modules.Host{}, "uri", args("geheim7")); r["status"] != 200.0 || asked != 1 {
		t.Errorf("asked %d times: %v", asked, r)
	}
	if r := call(t, &modules.Host{}, "uri", args("wrong")); r["status"] != 401.0 || asked != 3 {
		t.Errorf("asked %d times: %v", asked, r)
	}
}
