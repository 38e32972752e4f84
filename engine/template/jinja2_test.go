package template

import (
	"bufio"
	"compress/gzip"
	"io"
	"os"
	"testing"

	"fettle/engine/diag"
	"fettle/engine/value"
)

// TestJinja2 evaluates almost 4,000 random expressions whose results were recorded from Jinja2 3.1
// itself (testdata/README.md): operators, methods, filters and tests on all types.
func TestJinja2(t *testing.T) {
	f, err := os.Open("testdata/jinja2.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(z)
	var vars *value.Dict
	e, n, bad := New(Options{Compat: V216Native}), 0, 0
	for bad < 60 {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			break
		}
		v, perr := value.FromJSON(line)
		if err != nil || perr != nil {
			t.Fatal(err, perr)
		}
		row := v.(*value.Dict)
		if vs, ok := row.GetString("vars"); ok {
			vars = vs.(*value.Dict)
			continue
		}
		n++
		if msg := jinja2Differs(e.NewContext(t.Context(), MapScope{vars}), row); msg != "" {
			bad++
			t.Error(msg)
		}
	}
	if n < 3900 {
		t.Errorf("only %d rows were read", n)
	}
}

func jinja2Differs(c *Context, row *value.Dict) string {
	src, _ := row.GetString("e")
	got, err := c.Eval(&value.Template{Src: src.(string), At: diag.Pos{Line: 1, Col: 1}})
	want, hasResult := row.GetString("r")
	_, undefined := got.(*value.Undefined)
	switch {
	case !hasResult && err == nil && !undefined:
		return src.(string) + ": got " + value.Repr(got) + ", want an error"
	case hasResult && err != nil:
		return src.(string) + ": " + err.Error() + ", want " + value.Str(want)
	case hasResult && value.Repr(got) != want:
		return src.(string) + ": got " + value.Repr(got) + ", want " + value.Str(want)
	}
	return ""
}
