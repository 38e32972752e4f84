package differential

import "testing"

const sample = `
PLAY [p] ***********************************************************************

TASK [show] ********************************************************************
ok: [h2] => (item=a) => {
    "msg": "x /w/out"
}
ok: [h1] => {"changed": false, "delta": "0:00:01"}

TASK [edit] ********************************************************************
--- before: /w/out/f
+++ after: /w/out/f
@@ -1 +1 @@
-a
+b

changed: [h1]
FAILED - RETRYING: [h2]: edit (3 retries left).
fatal: [h2]: FAILED! => {"changed": false, "msg": "no"}
...ignoring

TASK [inc] *********************************************************************
included: /w/t.yml for h2, h1

PLAY RECAP *********************************************************************
h1                         : ok=2    changed=1    unreachable=0    failed=0    skipped=0    rescued=0    ignored=0   
`

func TestParseOutput(t *testing.T) {
	r := parseOutput(sample, newCleaner("/w"))
	got := eventLines(Case{Messages: true}, r.Events)
	want := []string{
		"PLAY [p]",
		`TASK [show]: ok [h1] {"changed":false}`,
		`TASK [show]: ok [h2] (a) {"msg":"x $WORK/out"}`,
		"TASK [edit]: changed [h1]\n--- before: $WORK/out/f\n+++ after: $WORK/out/f\n@@ -1 +1 @@\n-a\n+b",
		"TASK [edit]: retrying [h2] (3)",
		`TASK [edit]: fatal ignored [h2] {"msg":"no"}`,
		"TASK [inc]: included [h1,h2] ($WORK/t.yml )",
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("events\n%q\nwant\n%q", got, want)
		}
	}
	if r.Recap["h1"]["ok"] != 2 || r.Recap["h1"]["changed"] != 1 {
		t.Errorf("recap = %v", r.Recap)
	}
}

func TestCompareSeesDifferences(t *testing.T) {
	base := Outcome{Runs: []Run{parseOutput(sample, newCleaner("/w"))}, Tree: []Entry{{"f", "-rw-r--r--", "a"}}}
	tests := []struct {
		name   string
		change func(*Outcome)
		want   int
	}{
		{"none", func(*Outcome) {}, 0},
		{"exit", func(o *Outcome) { o.Runs[0].Exit = 2 }, 1},
		{"recap", func(o *Outcome) { o.Runs[0].Recap = nil }, 1},
		{"event", func(o *Outcome) { o.Runs[0].Events = o.Runs[0].Events[:5] }, 2},
		{"file text", func(o *Outcome) { o.Tree = []Entry{{"f", "-rw-r--r--", "b"}} }, 1},
		{"file mode", func(o *Outcome) { o.Tree = []Entry{{"f", "-rw-------", "a"}} }, 1},
		{"file gone", func(o *Outcome) { o.Tree = nil }, 1},
		{"file more", func(o *Outcome) { o.Tree = append([]Entry{{"e", "-rw-r--r--", "a"}}, o.Tree...) }, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Outcome{Runs: []Run{base.Runs[0]}, Tree: base.Tree}
			tt.change(&got)
			if d := Compare(Case{}, base, got); len(d) != tt.want {
				t.Errorf("%d differences %q, want %d", len(d), d, tt.want)
			}
		})
	}
}
