package network

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fettle/engine/netrc"
	"fettle/engine/value"
	"fettle/modules"
)

func call(t *testing.T, h *modules.Host, name string, args map[string]any) map[string]any {
	t.Helper()
	b, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	v, err := value.FromJSON(b)
	if err != nil {
		t.Fatal(err)
	}
	var r map[string]any
	if err := json.Unmarshal(modules.Call(context.Background(), h, "ansible.builtin."+name, v.(*value.Dict), false), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func testServer(t *testing.T) string {
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		if r.Header.Get("X-Back") != "" { // the body comes back as it is
			_, _ = w.Write(body)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"m": r.Method, "b": string(body), "t": r.Header.Get("Content-Type"), "x": r.Header.Get("X-A")})
	})
	mux.HandleFunc("/redir/{code}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "/echo")
		var code int
		_, _ = fmt.Sscan(r.PathValue("code"), &code)
		w.WriteHeader(code)
	})
	mux.HandleFunc("/auth", func(w http.ResponseWriter, r *http.Request) {
		if u, p, ok := r.BasicAuth(); !ok || u != "me" || p != "geheim7" {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	mux.HandleFunc("/file.txt", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-Modified-Since") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = io.WriteString(w, "hello file\n")
	})
	mux.HandleFunc("/sums", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "00  other\n702b7d2e4b28c4f3ef1434bd2333a83427796a9007fb2a23248becd4d51a3e7f *file.txt\n")
	})
	mux.HandleFunc("/gone", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}

func TestURI(t *testing.T) {
	base := testServer(t)
	file := filepath.Join(t.TempDir(), "body.json")
	if err := os.WriteFile(file, []byte(`["é"]`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args map[string]any
		want map[string]any // keys of the result; json.X looks into json
	}{
		{"get", map[string]any{"url": "/echo"}, map[string]any{"status": 200.0, "json.m": "GET", "changed": false, "redirected": false}},
		{"json", map[string]any{"url": "/echo", "method": "POST", "body": map[string]any{"a": 1}, "body_format": "json"},
			map[string]any{"json.b": `{"a": 1}`, "json.t": "application/json"}},
		{"json from a file", map[string]any{"url": "/echo", "method": "POST", "src": file, "remote_src": true, "body_format": "json"},
			map[string]any{"json.b": `["é"]`, "json.t": "application/json"}},
		{"not only ASCII", map[string]any{"url": "/echo", "method": "POST", "body": []any{"é"}, "body_format": "json"}, map[string]any{"json.b": `["\u00e9"]`}},
		{"a secret comes back as a name", map[string]any{"url": "/echo", "method": "POST", "url_password": "geheim7", "headers": map[string]any{"X-Back": "1"},
			"body": map[string]any{"a-geheim7": "b-geheim7"}, "body_format": "json"}, map[string]any{"json.a-********": "b-********"}},
		{"form", map[string]any{"url": "/echo", "method": "POST", "body": map[string]any{"a": []string{"1", "x y"}}, "body_format": "form-urlencoded"},
			map[string]any{"json.b": "a=1&a=x+y", "json.t": "application/x-www-form-urlencoded"}},
		{"header", map[string]any{"url": "/echo", "headers": map[string]any{"X-A": "v"}}, map[string]any{"json.x": "v"}},
		{"redirect", map[string]any{"url": "/redir/302"}, map[string]any{"status": 200.0, "redirected": true}},
		{"post is not redirected", map[string]any{"url": "/redir/302", "method": "POST", "body": "x"}, map[string]any{"failed": true, "status": 302.0}},
		{"post redirected", map[string]any{"url": "/redir/307", "method": "POST", "body": "x", "follow_redirects": "all"}, map[string]any{"json.m": "POST", "json.b": "x"}},
		{"post becomes get", map[string]any{"url": "/redir/303", "method": "POST", "body": "x", "follow_redirects": "all"}, map[string]any{"json.m": "GET", "json.b": ""}},
		{"none", map[string]any{"url": "/redir/302", "follow_redirects": "none", "status_code": 302}, map[string]any{"status": 302.0}},
		{"wrong status", map[string]any{"url": "/gone"}, map[string]any{"failed": true, "msg": "Status code was 404 and not [200]: HTTP Error 404: Not Found"}},
		{"right status", map[string]any{"url": "/gone", "status_code": "200,404"}, map[string]any{"status": 404.0, "failed": nil}},
		{"password when asked", map[string]any{"url": "/auth", "url_username": "me", "url_password": "geheim7"}, map[string]any{"status": 200.0}},
		{"wrong password", map[string]any{"url": "/auth", "url_username": "me", "url_password": "falsch8", "force_basic_auth": true}, map[string]any{"status": 401.0}},
		{"method", map[string]any{"url": "/echo", "method": "bad one"}, map[string]any{"failed": true}},
		{"ciphers", map[string]any{"url": "/echo", "ciphers": "x"}, map[string]any{"failed": true, "msg": "option ciphers is not supported"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.args["url"] = base + c.args["url"].(string)
			r := call(t, &modules.Host{}, "uri", c.args)
			for k, want := range c.want {
				got := r[k]
				if name, ok := strings.CutPrefix(k, "json."); ok {
					d, _ := r["json"].(map[string]any)
					got = d[name]
				}
				if got != want {
					t.Errorf("%s: got %#v, want %#v (%v)", k, got, want, r)
				}
			}
		})
	}
}

func TestMultipart(t *testing.T) {
	base := testServer(t)
	h := &modules.Host{Sources: map[string]modules.Source{"body/f": {Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("DATA")), nil }}}}
	r := call(t, h, "uri", map[string]any{"url": base + "/echo", "method": "POST", "body_format": "form-multipart",
		"body": map[string]any{"a": "text", "f": map[string]any{"filename": "some/name.bin", "mime_type": "text/x"}}})
	d, _ := r["json"].(map[string]any)
	text, _ := d["b"].(string)
	for _, want := range []string{`name="a"`, "text", `name="f"; filename="name.bin"`, "Content-Type: text/x", "REFUQQ=="} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %q", want, text)
		}
	}
}

func TestGetURL(t *testing.T) {
	base, dir := testServer(t), t.TempDir()
	dest := filepath.Join(dir, "x")
	step := func(name string, check bool, args map[string]any, want map[string]any, content string) {
		t.Helper()
		args["url"] = base + args["url"].(string)
		r := call(t, &modules.Host{Check: check}, "get_url", args)
		for k, w := range want {
			if r[k] != w {
				t.Errorf("%s: %s: got %#v, want %#v (%v)", name, k, r[k], w, r)
			}
		}
		b, _ := os.ReadFile(dest)
		if string(b) != content {
			t.Errorf("%s: the file is %q", name, b)
		}
	}
	sum := "sha256:702b7d2e4b28c4f3ef1434bd2333a83427796a9007fb2a23248becd4d51a3e7f"
	step("check mode", true, map[string]any{"url": "/file.txt", "dest": dest}, map[string]any{"changed": true}, "")
	step("wrong sum", false, map[string]any{"url": "/file.txt", "dest": dest, "checksum": "sha256:00"}, map[string]any{"failed": true, "changed": false,
		"msg": "The checksum for " + dest + " did not match 00; it was 702b7d2e4b28c4f3ef1434bd2333a83427796a9007fb2a23248becd4d51a3e7f."}, "")
	step("not there", false, map[string]any{"url": "/gone", "dest": dest}, map[string]any{"failed": true, "status_code": 404.0}, "")
	step("first", false, map[string]any{"url": "/file.txt", "dest": dest, "checksum": "sha256:" + base + "/sums", "mode": "0600"},
		map[string]any{"changed": true, "mode": "0600", "msg": "OK (11 bytes)"}, "hello file\n")
	step("again", false, map[string]any{"url": "/file.txt", "dest": dest}, map[string]any{"changed": false, "status_code": 304.0}, "hello file\n")
	step("right sum", false, map[string]any{"url": "/gone", "dest": dest, "checksum": sum}, map[string]any{"changed": false, "msg": "file already exists"}, "hello file\n")
	step("what is no hex digit in a sum does not count", false, map[string]any{"url": "/gone", "dest": dest, "checksum": sum + "."},
		map[string]any{"changed": false}, "hello file\n")
	step("sha3", false, map[string]any{"url": "/gone", "dest": dest, "checksum": "sha3_256:b65ecb2e28185c6e69276f56aba729d6c771cb4a38707367f2a224731a76e186"}, map[string]any{"changed": false}, "hello file\n")
	if err := os.WriteFile(dest, []byte("edited"), 0o600); err != nil {
		t.Fatal(err)
	}
	step("repaired", false, map[string]any{"url": "/file.txt", "dest": dest, "checksum": sum, "backup": true}, map[string]any{"changed": true}, "hello file\n")
	left, _ := filepath.Glob(filepath.Join(dir, "*"))
	if hidden, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) != 2 || len(hidden) != 0 {
		t.Errorf("left behind: %q %q", left, hidden)
	}
}

func TestListedSum(t *testing.T) {
	for _, c := range []struct{ list, want string }{
		{"abc\n", "abc"}, {"1  a\n2  f.txt\n", "2"}, {"1 *x\n2 *./f.txt\n", "2"}, {"SHA256 (f.txt) = 9\nSHA256 (g) = 8\n", "9"}, {"1  a\n2  b\n", ""},
	} {
		if got := listedSum(c.list, "f.txt"); got != c.want {
			t.Errorf("%q: got %q", c.list, got)
		}
	}
}

func TestNetrc(t *testing.T) {
	text := "machine a login x password y\nmachine b\n login u\n password p\ndefault login d password e\n"
	for host, want := range map[string]string{"a": "x y", "b": "u p", "c": "d e"} {
		if u, p := netrc.Find(strings.NewReader(text), host); u+" "+p != want {
			t.Errorf("%s: got %s %s", host, u, p)
		}
	}
}

func TestProxy(t *testing.T) {
	env := map[string]string{"http_proxy": "proxy:3128", "HTTPS_PROXY": "http://p2", "no_proxy": "localhost,.example.org"}
	get := func(k string) (string, bool) { v, ok := env[k]; return v, ok }
	for address, want := range map[string]string{"http://x/": "http://proxy:3128", "https://x/": "http://p2", "http://a.example.org/": "", "http://localhost:1/": ""} {
		u, _ := url.Parse(address)
		p, err := proxyFor(get, u)
		got := ""
		if p != nil {
			got = p.String()
		}
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v", address, got, err)
		}
	}
}

func TestWaitFor(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "SSH-2.0-x\r\n")
			_ = c.Close()
		}
	}()
	port := l.Addr().(*net.TCPAddr).Port
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte("all root here\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args map[string]any
		want map[string]any
	}{
		{"port", map[string]any{"port": port}, map[string]any{"state": "started", "changed": false}},
		{"port says", map[string]any{"port": port, "search_regex": "SSH"}, map[string]any{"search_regex": "SSH"}},
		{"port stays", map[string]any{"port": port, "state": "stopped", "timeout": 0}, map[string]any{"failed": true, "msg": fmt.Sprintf("Timeout when waiting for 127.0.0.1:%d to stop.", port)}},
		{"closed", map[string]any{"port": 1, "state": "stopped"}, map[string]any{"state": "stopped"}},
		{"never opens", map[string]any{"port": 1, "timeout": 0, "msg": "own words"}, map[string]any{"failed": true, "msg": "own words"}},
		{"file", map[string]any{"path": file, "search_regex": "r(?P<x>o+)t"}, map[string]any{"state": "file", "path": file}},
		{"no file", map[string]any{"path": file + "x", "state": "absent"}, map[string]any{"state": "absent"}},
		{"both", map[string]any{"path": file, "port": 1}, map[string]any{"failed": true, "msg": "port and path parameter can not both be passed to wait_for"}},
		{"unknown state", map[string]any{"port": 1, "active_connection_states": "X"}, map[string]any{"failed": true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := call(t, &modules.Host{}, "wait_for", c.args)
			for k, want := range c.want {
				if r[k] != want {
					t.Errorf("%s: got %#v, want %#v (%v)", k, r[k], want, r)
				}
			}
		})
	}
}

func TestWaitForTime(t *testing.T) {
	r := call(t, &modules.Host{}, "wait_for", map[string]any{"delay": 1, "timeout": 1})
	if s, _ := r["elapsed"].(float64); s < 2 || r["failed"] == true {
		t.Errorf("delay and timeout both pass: %v", r)
	}
}

func TestCountConnections(t *testing.T) {
	table := "  sl  local_address rem_address   st\n   0: 0100007F:1F90 0100007F:C350 01\n   1: 0100007F:1F90 0200007F:C351 06\n   2: 00000000:1F90 00000000:0000 0A\n"
	ips := []net.IP{net.ParseIP("127.0.0.1")}
	if n := countConnections(table, ips, 8080, []string{"01", "06"}, nil); n != 2 {
		t.Errorf("got %d", n)
	}
	if n := countConnections(table, ips, 8080, []string{"01", "06"}, []net.IP{net.ParseIP("127.0.0.2")}); n != 1 {
		t.Errorf("without one peer: got %d", n)
	}
}
