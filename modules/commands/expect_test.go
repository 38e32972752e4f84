package commands

import (
	"os"
	"strings"
	"testing"

	"fettle/modules"
)

func TestExpect(t *testing.T) {
	if _, err := os.Stat("/dev/ptmx"); err != nil {
		t.Skip("no pseudo terminals here")
	}
	script := `sh -c 'printf "Name: "; read a; printf "Again: "; read b; test -t 0 && echo "got $a-$b"; exit ${1:-0}' x`
	quoted := strings.ReplaceAll(script, `"`, `\"`)
	for _, c := range []struct {
		name, args string
		want       map[string]any
	}{
		{"answers", `{"command":"` + quoted + `","responses":{"Name: $":"me","Again":"too"}}`, map[string]any{"rc": 0.0, "changed": true, "stdout": "Name: Again: got me-too"}},
		{"a list", `{"command":"` + quoted + `","responses":{"(Name|Again): ":["one","two"]}}`, map[string]any{"rc": 0.0, "stdout": "Name: Again: got one-two"}},
		{"used up", `{"command":"` + quoted + `","responses":{"(Name|Again): ":["one"]}}`, map[string]any{"failed": true}},
		{"exit code", `{"command":"` + quoted + ` 3","responses":{"Name":"a","Again":"b"}}`, map[string]any{"failed": true, "rc": 3.0, "msg": "non-zero return code"}},
		{"nobody answers", `{"command":"` + quoted + `","responses":{"zzf":"a"},"timeout":0.3}`, map[string]any{"failed": true, "msg": "command exceeded timeout"}},
		{"creates", `{"command":"false","responses":{},"creates":"/"}`, map[string]any{"rc": 0.0, "changed": false}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := call(t, &modules.Host{}, "expect", c.args)
			for k, want := range c.want {
				if r[k] != want {
					t.Errorf("%s: got %#v, want %#v (%v)", k, r[k], want, r)
				}
			}
		})
	}
}

func TestAsyncStatus(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("j1.1", `{"started": 1, "finished": 0, "ansible_job_id": "j1.1"}`)
	write("j2.1", `{"changed": true, "stdout": "x", "rc": 0, "ansible_job_id": "j2.1", "finished": 1}`)
	write("j3.1", `{"failed": true, "msg": "no", "finished": 1}`)
	ask := func(jid, mode string) map[string]any {
		return call(t, &modules.Host{}, "async_status", `{"jid":"`+jid+`","mode":"`+mode+`","_async_dir":"`+dir+`"}`)
	}
	if r := ask("j1.1", "status"); r["finished"] != false || r["started"] != true || r["failed"] != nil {
		t.Errorf("running: %v", r)
	}
	if r := ask("j2.1", "status"); r["finished"] != true || r["stdout"] != "x" || r["changed"] != true {
		t.Errorf("over: %v", r)
	}
	if r := ask("j3.1", "status"); r["failed"] != true || r["msg"] != "no" {
		t.Errorf("failed: %v", r)
	}
	if r := ask("j2.1", "cleanup"); r["erased"] != dir+"/j2.1" {
		t.Errorf("cleanup: %v", r)
	}
	if r := ask("j2.1", "status"); r["failed"] != true || r["msg"] != "could not find job" {
		t.Errorf("gone: %v", r)
	}
	if r := ask("../x", "status"); r["failed"] != true {
		t.Errorf("outside: %v", r)
	}
}
