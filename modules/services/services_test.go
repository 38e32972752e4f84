package services

import (
	"strings"
	"testing"

	"fettle/engine/value"
	"fettle/modules"
)

func TestStateVerb(t *testing.T) {
	for _, c := range []struct{ want, active, verb, state string }{
		{"started", "active", "", "started"}, {"started", "activating", "", "started"}, {"started", "inactive", "start", "started"},
		{"started", "failed", "start", "started"}, {"stopped", "inactive", "", "stopped"}, {"stopped", "failed", "", "stopped"},
		{"stopped", "active", "stop", "stopped"}, {"stopped", "deactivating", "stop", "stopped"}, {"restarted", "active", "restart", "started"},
		{"restarted", "inactive", "start", "started"}, {"reloaded", "active", "reload", "started"}, {"reloaded", "failed", "start", "started"},
	} {
		if verb, state := stateVerb(c.want, c.active); verb != c.verb || state != c.state {
			t.Errorf("%s when %s: got %q, %q", c.want, c.active, verb, state)
		}
	}
}

func TestParseShow(t *testing.T) {
	d := parseShow("Type=simple\nExecStart={ path=/bin/a ; argv[]=/bin/a -x=1\n  more ; status=0/0 }\nEmpty=\nActiveState=active\n\n")
	if got := value.Repr(d); got != `{'Type': 'simple', 'ExecStart': '{ path=/bin/a ; argv[]=/bin/a -x=1\n  more ; status=0/0 }', 'ActiveState': 'active'}` {
		t.Errorf("got %s", got)
	}
}

func TestIsEnabled(t *testing.T) {
	for text, want := range map[string]bool{"enabled": true, "static": true, "enabled-runtime": false, "generated": true, "indirect": false, "alias": false} {
		if got := isEnabled(modules.ToolResult{Stdout: text + "\n"}); got != want {
			t.Errorf("%s: got %v", text, got)
		}
	}
	if isEnabled(modules.ToolResult{RC: 1, Stdout: "disabled\n"}) {
		t.Error("disabled counts as enabled")
	}
}

func TestServiceFacts(t *testing.T) {
	s := value.NewDict(4)
	initServices(s, " [ + ]  cron\n [ - ]  kmod\n [ ? ]  odd\nnoise\n")
	loadedUnits(s, "cron.service  loaded  active running Cron daemon\n● gone.service not-found inactive dead gone.service\nfail.service loaded failed failed x\ngetty@tty1.service loaded inactive dead Getty\n")
	ask := unitFiles(s, "cron.service enabled enabled\ngone.service masked -\ngetty@.service enabled enabled\nquiet.service static -\n")
	want := map[string]string{
		"cron": "running//sysv", "kmod": "stopped//sysv", "cron.service": "running/enabled/systemd", "gone.service": "stopped/not-found/systemd",
		"fail.service": "stopped/failed/systemd", "getty@tty1.service": "stopped/inactive/systemd", "getty@.service": "unknown/enabled/systemd",
		"quiet.service": "unknown/static/systemd",
	}
	if s.Len() != len(want) {
		t.Errorf("got %s", value.Repr(s))
	}
	for name, w := range want {
		v, _ := s.GetString(name)
		d, _ := v.(*value.Dict)
		get := func(k string) string { v, _ := d.GetString(k); s, _ := v.(string); return s }
		if got := get("state") + "/" + get("status") + "/" + get("source"); got != w {
			t.Errorf("%s: got %s, want %s", name, got, w)
		}
	}
	if strings.Join(ask, " ") != "quiet.service" {
		t.Errorf("ask: %q", ask)
	}
}

func TestStatusRuns(t *testing.T) {
	for _, c := range []struct {
		out  modules.ToolResult
		want bool
	}{
		{modules.ToolResult{Stdout: "cron is running.\n"}, true}, {modules.ToolResult{RC: 3, Stdout: "cron is not running ... failed!"}, false},
		{modules.ToolResult{RC: 0, Stdout: "Service stopped"}, false}, {modules.ToolResult{RC: 0}, true},
	} {
		if got := statusRuns(c.out); got != c.want {
			t.Errorf("%+v: got %v", c.out, got)
		}
	}
}

func TestOpenrcListed(t *testing.T) {
	text := "             nginx | default\n   bootmisc | boot\n"
	if !openrcListed(text, "nginx") || openrcListed(text, "ngin") {
		t.Error("wrong")
	}
}
