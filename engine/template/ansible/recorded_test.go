package ansible

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fettle/engine/diag"
	"fettle/engine/template"
	"fettle/engine/value"
)

// recorded is the result of an expression under ansible-core 2.19.
type recorded struct{ Expr, Repr, Error, Old string }

// differs are the recorded cases that give another result here, each with its reason.
var differs = map[string]string{
	"'2020-01-01' | from_yaml":                              "a date stays text; Ansible gives a date object that prints alike",
	"'a: 2020-01-01' | from_yaml":                           "a date stays text; Ansible gives a date object that prints alike",
	"'a: !!binary aGVsbG8=' | from_yaml":                    "binary data that is UTF-8 becomes text",
	"'a: !!set {x, y}' | from_yaml":                         "the order of a set is not defined",
	"(ld + ld) | to_nice_yaml":                              "adding a list to itself keeps its dicts: they are written once, with anchors",
	"[[1,2],[3]] | flatten | union([9]) | difference([1])":  "the order of Python's union is that of a set; here it is the order of appearance",
	"query('sequence', 'end=0x10 start=0x0d format=t%02x')": "2.19 refuses the hexadecimal numbers that 2.18 took; they are accepted",
	"lookup('config', 'DEFAULT_FORKS')":                     "the scope of these tests has no settings",
}

func readRecorded(t *testing.T, name string) []recorded {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var out []recorded
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var r recorded
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		files, _ := filepath.Abs("testdata/lk")
		for _, field := range []*string{&r.Expr, &r.Repr} {
			*field = strings.ReplaceAll(*field, "@LK@", files)
		}
		out = append(out, r)
	}
	return out
}

// scope reads testdata/vars.json, the variables the cases were recorded with.
func scope(t testing.TB) template.Scope {
	t.Helper()
	raw, err := os.ReadFile("testdata/vars.json")
	if err != nil {
		t.Fatal(err)
	}
	v, err := value.FromJSON(raw)
	if err != nil {
		t.Fatal(err)
	}
	return template.MapScope{Dict: trusted(v).(*value.Dict)}
}

// trusted makes templates of texts, as a loader of variables does.
func trusted(v value.Value) value.Value {
	switch x := v.(type) {
	case string:
		return template.NewTemplate(x, diag.Pos{})
	case *value.List:
		for i := range x.V {
			x.V[i] = trusted(x.V[i])
		}
	case *value.Dict:
		for _, e := range slices.Clone(x.Entries()) {
			_ = x.Set(e.Key, trusted(e.Value))
		}
	}
	return v
}

func evaluate(ctx context.Context, e *template.Engine, s template.Scope, expr string) (string, error) {
	c := e.NewContext(ctx, s)
	v, err := c.Render(template.NewTemplate("{{ "+expr+" }}", diag.Pos{}))
	if err != nil {
		return "", err
	}
	return value.Repr(v), nil
}

// TestRecorded compares every case with what real Ansible gave.
func TestRecorded(t *testing.T) { compare(t, "testdata/recorded.jsonl.gz") }

// TestCollections does the same for lookups and the plugins of collections.
func TestCollections(t *testing.T) { compare(t, "testdata/collections.jsonl.gz") }

func compare(t *testing.T, name string) {
	e := template.New(template.Options{})
	s := scope(t)
	bad, total := 0, 0
	for _, r := range readRecorded(t, name) {
		if _, ok := differs[r.Expr]; ok {
			continue
		}
		total++
		got, err := evaluate(t.Context(), e, s, r.Expr)
		switch {
		case r.Error != "" && err == nil:
			t.Errorf("%s\n got  %s\n want error %s", r.Expr, got, r.Error)
		case r.Error == "" && err != nil:
			t.Errorf("%s\n got  error %v\n want %s", r.Expr, err, r.Repr)
		case got != r.Repr:
			t.Errorf("%s\n got  %s\n want %s", r.Expr, got, r.Repr)
		default:
			continue
		}
		bad++
	}
	if total == 0 || bad > 0 {
		t.Errorf("%d of %d cases differ", bad, total)
	}
	t.Logf("%d cases, %d listed exceptions", total, len(differs))
}

// TestErrorsSayWhatWasWrong checks that messages name the value or the option.
func TestErrorsSayWhatWasWrong(t *testing.T) {
	e := template.New(template.Options{})
	for _, c := range []struct{ expr, want string }{
		{"'x' | comment('nope')", "nope"},
		{"'x' | hash('zzz')", "zzz"},
		{"'1.0' is version('1.0', 'foo')", "foo"},
		{"'(' | regex_replace('(', '')", "position"},
		{"'{bad' | from_json", "line 1 column 2"},
	} {
		_, err := evaluate(t.Context(), e, scope(t), c.expr)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", c.expr, err, c.want)
		}
	}
}
