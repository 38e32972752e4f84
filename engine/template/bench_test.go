package template

import (
	"os"
	"syscall"
	"testing"
	"time"

	"fettle/engine/diag"
	"fettle/engine/value"
)

// cpu reports the processor time of an operation, which other work on the machine disturbs less
// than the time by the clock. It is called before the loop; what it returns, behind.
func cpu(b *testing.B) func() {
	now := func() time.Duration {
		var r syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
			b.Fatal(err)
		}
		return time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	start := now()
	return func() { b.ReportMetric(float64(now()-start)/float64(b.N), "cpu-ns/op") }
}

func BenchmarkWhen(b *testing.B) {
	c := contextOf(b, Options{}, "ansible_os_family", "Debian", "version", int64(12), "enabled", true)
	cond := NewCond("ansible_os_family == 'Debian' and version >= 11 and enabled", diag.Pos{})
	b.ReportAllocs()
	defer cpu(b)()
	for b.Loop() {
		if ok, err := c.Cond(cond); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

func BenchmarkWhenFacts(b *testing.B) {
	facts := value.NewDict(100)
	for i := range 100 {
		facts.SetString("f"+value.Str(int64(i)), int64(i))
	}
	facts.SetString("net", value.DictOf("address", "10.0.0.1"))
	c := contextOf(b, Options{}, "ansible_facts", facts)
	cond := NewCond("ansible_facts.net.address == '10.0.0.1' and ansible_facts['f7'] == 7", diag.Pos{})
	b.ReportAllocs()
	defer cpu(b)()
	for b.Loop() {
		if ok, err := c.Cond(cond); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

// nginxVars are the variables of testdata/nginx.j2.
func nginxVars() *value.Dict {
	var sites, upstreams []value.Value
	for i := range 10 {
		n := value.Str(int64(i))
		sites = append(sites, value.DictOf("name", "site"+n+".example.com", "port", int64(8000+i), "ssl", i%2 == 0, "root", "/srv/www/site"+n,
			"aliases", value.NewList("www.site"+n+".example.com", "alt"+n+".example.com"),
			"locations", value.NewList(value.DictOf("path", "/", "proxy", "up"+n), value.DictOf("path", "/static", "expires", "30d"))))
		upstreams = append(upstreams, value.DictOf("name", "up"+n, "servers", value.NewList(value.DictOf("host", "10.0.0."+n, "weight", int64(i+1)), value.DictOf("host", "10.0.1."+n))))
	}
	return value.DictOf("ansible_managed", "Ansible managed", "nginx_user", "www-data", "workers", "auto", "sites", value.NewList(sites...), "upstreams", value.NewList(upstreams...),
		"gzip", true, "gzip_types", value.NewList("text/plain", "text/css", "application/json"))
}

func BenchmarkNginx(b *testing.B) {
	text, err := os.ReadFile("testdata/nginx.j2")
	if err != nil {
		b.Fatal(err)
	}
	e := New(Options{})
	scope, source := MapScope{nginxVars()}, string(text)
	b.ReportAllocs()
	defer cpu(b)()
	for b.Loop() {
		c := e.NewContext(b.Context(), scope)
		if _, _, err := c.RenderFile("nginx.j2", source, FileOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	text, err := os.ReadFile("testdata/nginx.j2")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	defer cpu(b)()
	for b.Loop() {
		if u := compileText(string(text), "nginx.j2", diag.Pos{}, DefaultSyntax()); u.err != nil {
			b.Fatal(u.err)
		}
	}
}

// BenchmarkTree reads a template up to its syntax tree, as Jinja2's Environment.parse does.
func BenchmarkTree(b *testing.B) {
	text, err := os.ReadFile("testdata/nginx.j2")
	if err != nil {
		b.Fatal(err)
	}
	source := string(text)
	b.ReportAllocs()
	defer cpu(b)()
	for b.Loop() {
		if _, err := parse(source, DefaultSyntax()); err != nil {
			b.Fatal(err)
		}
	}
}
