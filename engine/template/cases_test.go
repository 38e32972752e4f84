package template_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"slices"
	"testing"

	"fettle/engine/template"
	_ "fettle/engine/template/ansible"
	"fettle/engine/value"
)

// exceptions are the recorded cases that give another result here, each with its reason.
var exceptions = map[string]string{
	"15-ans-struct-0851n": "the filter is newer than the recorded collection: having it is no harm",
	"15-ans-struct-0851s": "as 15-ans-struct-0851n",
	"30-native-1481n":     "jinja2_native reads the text ... as Python's Ellipsis; it stays text",
	"32-errors-1605":      "classes give their name but no method resolution order",
}

// readCases reads the recorded results of real Ansible: see testdata/README.md.
func readCases(t testing.TB) []*value.Dict {
	t.Helper()
	f, err := os.Open("testdata/cases.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var out []*value.Dict
	sc := bufio.NewReader(z)
	for {
		line, err := sc.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			v, err := value.FromJSON(line)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, v.(*value.Dict))
		}
		if err == io.EOF {
			return out
		}
	}
}

func get(d *value.Dict, key string) value.Value { v, _ := d.GetString(key); return v }

// TestCases renders 1,265 cases recorded from real Ansible. All but 1 % must agree, and each
// exception is listed with its reason.
func TestCases(t *testing.T) {
	t.Setenv("FETTLE_X", "xval")
	t.Setenv("FETTLE_Y", "yval")
	cases := slices.DeleteFunc(readCases(t), func(c *value.Dict) bool { return get(c, "needs_fixture") != nil })
	var in, out bytes.Buffer
	for _, c := range cases {
		text, err := value.ToJSON(c)
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(text, '\n'))
	}
	if err := template.Batch(context.Background(), &in, &out, template.Options{}); err != nil {
		t.Fatal(err)
	}
	bad := 0
	lines := bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n"))
	if len(lines) != len(cases) {
		t.Fatalf("%d results for %d cases", len(lines), len(cases))
	}
	for i, c := range cases {
		v, err := value.FromJSON(lines[i])
		if err != nil {
			t.Fatal(err)
		}
		id := value.Str(get(c, "id"))
		msg := differs(c, v.(*value.Dict))
		switch reason := exceptions[id]; {
		case msg == "" && reason != "":
			t.Errorf("%s agrees now: take it off the exceptions", id)
		case msg != "":
			bad++
			if reason == "" {
				t.Errorf("%s: %s", id, msg)
			}
		}
	}
	if bad*100 > len(cases) {
		t.Errorf("%d of %d cases differ", bad, len(cases))
	}
}

func differs(c, res *value.Dict) string {
	if get(res, "id") != get(c, "id") {
		return "the result has another id"
	}
	src := value.Str(get(c, "expr")) + value.Str(get(c, "template"))
	if want, ok := c.GetString("error_class"); ok {
		if _, failed := res.GetString("error"); !failed {
			return "no error for " + src + ": got " + value.Str(get(res, "repr")) + ", want " + value.Str(want) + ": " + value.Str(get(c, "error"))
		}
		line, has := c.GetString("error_line")
		if got := get(res, "line"); has && line != int64(0) && line != got {
			return "error of " + src + " in line " + value.Str(got) + ", want " + value.Str(line)
		}
		return ""
	}
	if msg, failed := res.GetString("error"); failed {
		return "error for " + src + ": " + value.Str(msg) + "; want " + value.Str(get(c, "expect_repr"))
	}
	if got, want := get(res, "repr"), get(c, "expect_repr"); got != want {
		return src + ": got " + value.Str(got) + ", want " + value.Str(want)
	}
	if got, want := get(res, "type"), get(c, "expect_type"); got != want {
		return src + ": got type " + value.Str(got) + ", want " + value.Str(want)
	}
	return ""
}
