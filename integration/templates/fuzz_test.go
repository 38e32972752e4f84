//go:build integration

package templates

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fettle/engine/template"
	_ "fettle/engine/template/ansible"
)

var (
	oracleRoot = flag.String("oracle", os.Getenv("FETTLE_ORACLE"), "directory to chroot to for the real Ansible; empty: the one in PATH")
	duration   = flag.Duration("duration", 0, "how long each way of rendering is compared, in place of a number of cases")
	number     = flag.Int("cases", 6000, "how many cases each way of rendering is compared with")
	seed       = flag.Uint64("seed", 1, "of the random cases; the same seed gives the same cases")
	only       = flag.String("group", "", "the only group of cases")
	python     = flag.String("python", "/usr/bin/python3", "the Python that has Ansible or Jinja2")
)

// result is one line of an answer.
type result struct {
	ID    int     `json:"id"`
	Type  string  `json:"type"`
	Repr  string  `json:"repr"`
	Error *string `json:"error"`
}

// TestAgainstAnsible renders random templates with Ansible and with fettle: the same ones every
// time, unless another seed or a duration is asked for. Any difference that is not explained in
// explained.go fails it.
func TestAgainstAnsible(t *testing.T) {
	o := startOracle(t, "")
	compat := "2.19"
	if !o.new(t) {
		compat = "2.16"
	}
	fuzz(t, o, compat)
	if compat == "2.16" {
		fuzz(t, startOracle(t, "native"), "2.16-native")
	}
}

func fuzz(t *testing.T, o *oracle, compat string) {
	names := append(slices.Sorted(maps.Keys(groups)), "statements")
	if *only != "" {
		names = strings.Split(*only, ",")
	}
	g := &grammar{r: rand.New(rand.NewPCG(*seed, 1))}
	t.Logf("seed %d, %s", *seed, compat)
	var waited, rendered time.Duration
	count, skipped, shown := 0, map[string]int{}, map[string]int{}
	for end := time.Now().Add(*duration); time.Now().Before(end) || *duration == 0 && count < *number; {
		g.group = pick(g, names)
		cases := make([]map[string]any, 200)
		for i := range cases {
			cases[i] = g.one(i)
			cases[i]["compat"] = compat
		}
		start := time.Now()
		theirs := o.ask(t, cases)
		asked := time.Now()
		ours := render(t, cases)
		waited, rendered = waited+asked.Sub(start), rendered+time.Since(asked)
		for i, c := range cases {
			count++
			if why := explained(c, compat, theirs[i], ours[i]); why != "" {
				skipped[why]++
				continue
			}
			if same(theirs[i], ours[i]) {
				continue
			}
			if o.undecided(t, c, theirs[i]) {
				skipped["Ansible itself answers differently with another seed of its hashes"]++
				continue
			}
			if shown[g.group]++; shown[g.group] <= 400 {
				t.Errorf("%s %s\n  ansible %s\n  fettle  %s", g.group, caseText(c), theirs[i], ours[i])
			}
		}
	}
	t.Logf("%d cases; differences by group %v; explained %v; Ansible took %v, fettle %v", count, shown, skipped, waited, rendered)
}

func (r result) String() string {
	if r.Error != nil {
		return "error: " + strings.Join(strings.Fields(*r.Error), " ")
	}
	return r.Type + " " + r.Repr
}

func same(a, b result) bool {
	if a.Error != nil || b.Error != nil {
		return a.Error != nil && b.Error != nil && !strings.HasPrefix(*b.Error, "internal error")
	}
	return a.Repr == b.Repr
}

// render is fettle's answers.
func render(t *testing.T, cases []map[string]any) []result {
	var in, out bytes.Buffer
	writeCases(t, &in, cases)
	if err := template.Batch(t.Context(), &in, &out, template.Options{}); err != nil {
		t.Fatal(err)
	}
	return readResults(t, bufio.NewReader(&out), len(cases))
}

func writeCases(t *testing.T, b *bytes.Buffer, cases []map[string]any) {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	for _, c := range cases {
		if err := enc.Encode(c); err != nil {
			t.Fatal(err)
		}
	}
}

func readResults(t *testing.T, r *bufio.Reader, n int) []result {
	out := make([]result, n)
	for i := range out {
		line, err := r.ReadBytes('\n')
		if err != nil {
			t.Fatalf("after %d answers: %v", i, err)
		}
		err = json.Unmarshal(line, &out[i])
		if at := bytes.Index(line, []byte(`, "value": `)); err != nil && at > 0 { // it holds NaN
			err = json.Unmarshal(append(line[:at:at], '}'), &out[i])
		}
		if err != nil {
			t.Fatalf("%v: %s", err, line)
		}
	}
	return out
}

// oracle is a running oracle.py.
type oracle struct {
	in     *bufio.Writer
	out    *bufio.Reader
	mode   string
	others []*oracle // with other seeds
}

// undecided tells that Ansible does not always give this answer: the order of a set of texts is
// another one in every run of Python.
func (o *oracle) undecided(t *testing.T, c map[string]any, answer result) bool {
	for i := range 10 {
		if i == len(o.others) {
			o.others = append(o.others, startSeeded(t, o.mode, i+1))
		}
		if again := o.others[i].ask(t, []map[string]any{c})[0]; again.String() != answer.String() {
			return true
		}
	}
	return false
}

func startOracle(t *testing.T, mode string) *oracle { return startSeeded(t, mode, 0) }

func startSeeded(t *testing.T, mode string, hashes int) *oracle {
	script, err := os.ReadFile("oracle.py")
	if err != nil {
		t.Fatal(err)
	}
	argv := []string{*python, "-c", string(script)}
	if mode != "" {
		argv = append(argv, mode)
	}
	if *oracleRoot != "" {
		argv = append([]string{"chroot", *oracleRoot}, argv...)
	}
	check := exec.CommandContext(t.Context(), argv[0], slices.Concat(argv[1:len(argv)-1:len(argv)-1], []string{argv[len(argv)-1]})...)
	if mode == "" {
		check.Args[len(check.Args)-1] = "import ansible, jinja2"
	} else {
		check.Args = append(check.Args[:len(check.Args)-2], "import ansible, jinja2")
	}
	if err := check.Run(); err != nil {
		t.Skipf("no Ansible for %s: %v", filepath.Base(*python), err)
	}
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), fmt.Sprint("PYTHONHASHSEED=", hashes))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	return &oracle{in: bufio.NewWriter(in), out: bufio.NewReader(out), mode: mode}
}

// new tells that it is ansible-core 2.19 or later, where omit alone is an error.
func (o *oracle) new(t *testing.T) bool {
	r := o.ask(t, []map[string]any{{"id": 0, "kind": "when", "expr": "'text'", "vars": map[string]any{}}})
	return r[0].Error != nil
}

func (o *oracle) ask(t *testing.T, cases []map[string]any) []result {
	var b bytes.Buffer
	writeCases(t, &b, cases)
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, _ = o.in.Write(b.Bytes())
		_ = o.in.Flush()
	}()
	defer func() { <-written }()
	return readResults(t, o.out, len(cases))
}
