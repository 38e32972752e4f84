package value

import (
	"math"
	"math/big"
	"strings"
	"testing"
)

func bigOf(s string) *big.Int { b, _ := new(big.Int).SetString(s, 10); return b }

func TestRepr(t *testing.T) {
	self := NewList(int64(1))
	self.V = append(self.V, self)
	for _, tt := range []struct {
		v    Value
		want string
	}{
		{nil, "None"}, {true, "True"}, {int64(-5), "-5"}, {bigOf("18446744073709551616"), "18446744073709551616"},
		{1.0, "1.0"}, {1e16, "1e+16"}, {1e15, "1000000000000000.0"}, {0.0001, "0.0001"}, {0.00001, "1e-05"}, {math.Inf(-1), "-inf"}, {math.Copysign(0, -1), "-0.0"},
		{"a", "'a'"}, {"it's", `"it's"`}, {`it's "x"`, `'it\'s "x"'`}, {"a\nb\t\\", `'a\nb\t\\'`}, {"\x00\x7f", `'\x00\x7f'`}, {"é✓", "'é✓'"}, {"\u00a0\u200b", `'\xa0\u200b'`}, {"\xff", `'\udcff'`},
		{[]byte("a'\n\xff"), `b"a'\n\xff"`}, {Tuple{int64(1)}, "(1,)"}, {Tuple{}, "()"}, {NewList(), "[]"}, {self, "[1, [...]]"},
		{DictOf("a", NewList("x", nil)), "{'a': ['x', None]}"}, {&Range{0, 3, 1}, "range(0, 3)"}, {&Range{0, 9, 2}, "range(0, 9, 2)"},
		{&Secret{"x"}, "'x'"}, {Text("x"), "'x'"}, {&Set{NewDict(0)}, "set()"},
	} {
		if got := Repr(tt.v); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

func TestBinary(t *testing.T) {
	maxInt := int64(math.MaxInt64)
	for _, tt := range []struct {
		a    Value
		op   string
		b    Value
		want string
	}{
		{int64(7), "//", int64(-2), "-4"}, {int64(-7), "%", int64(3), "2"}, {int64(7), "%", int64(-3), "-2"}, {-7.5, "//", int64(2), "-4.0"}, {5.5, "%", int64(-2), "-0.5"},
		{maxInt, "+", int64(1), "9223372036854775808"}, {maxInt, "*", maxInt, "85070591730234615847396907784232501249"}, {int64(math.MinInt64), "-", int64(1), "-9223372036854775809"},
		{int64(math.MinInt64), "//", int64(-1), "9223372036854775808"}, {int64(2), "**", int64(64), "18446744073709551616"}, {int64(2), "**", int64(-1), "0.5"},
		{int64(1), "/", int64(3), "0.3333333333333333"}, {int64(0), "/", int64(-3), "-0.0"}, {true, "+", true, "2"}, {"a", "+", "b", "'ab'"}, {"ab", "*", int64(2), "'abab'"}, {int64(-1), "*", "a", "''"},
		{NewList(int64(1)), "+", NewList("x"), "[1, 'x']"}, {Tuple{int64(1)}, "*", int64(2), "(1, 1)"}, {"%s-%05.1f", "%", Tuple{"a", 3.14159}, "'a-003.1'"}, {"%(k)s%%", "%", DictOf("k", "v"), "'v%'"},
		{int64(1), "/", int64(0), "error: division by zero"}, {"a", "+", int64(1), `error: can only concatenate str (not "int") to str`}, {int64(1), "+", "a", "error: unsupported operand type(s) for +: 'int' and 'str'"},
		{NewList(), "-", NewList(), "error: unsupported operand type(s) for -: 'list' and 'list'"}, {"x", "*", "y", "error: can't multiply sequence by non-int of type 'str'"},
		{"x", "*", int64(1 << 40), "error: text is too large"}, {int64(10), "**", int64(1 << 40), "error: integer is too large"},
	} {
		v, err := Binary(tt.op, tt.a, tt.b)
		got := Repr(v)
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != tt.want {
			t.Errorf("%s %s %s: got %s, want %s", Repr(tt.a), tt.op, Repr(tt.b), got, tt.want)
		}
	}
	if v, _ := Add("a", &Secret{"b"}); Repr(v) != "'ab'" || !isSecret(v) {
		t.Errorf("a secret was lost: %v", v)
	}
}

func isSecret(v Value) bool { _, ok := v.(*Secret); return ok }

func TestEqualAndKeys(t *testing.T) {
	d := NewDict(0)
	for i, k := range []Value{int64(1), "1", nil, 2.5, Tuple{int64(1), "a"}, bigOf("18446744073709551616"), false} {
		if err := d.Set(k, int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		key  Value
		want Value
	}{{1.0, int64(0)}, {true, int64(0)}, {"1", int64(1)}, {nil, int64(2)}, {2.5, int64(3)}, {Tuple{1.0, "a"}, int64(4)}, {0.0, int64(6)}, {&Secret{"1"}, int64(1)}} {
		if v, ok := d.Get(tt.key); !ok || v != tt.want {
			t.Errorf("[%s]: got %v, %v, want %v", Repr(tt.key), v, ok, tt.want)
		}
	}
	if err := d.Set(NewList(), nil); err == nil || err.Error() != "unhashable type: 'list'" {
		t.Errorf("got %v", err)
	}
	for i := range 50 { // past the size where an index is built, and back
		d.SetString(Str(int64(i+100)), int64(i))
	}
	for i := range 50 {
		if v, ok := d.GetString(Str(int64(i + 100))); !ok || v != int64(i) || !d.Delete(Str(int64(i+100))) {
			t.Fatalf("item %d: got %v, %v", i, v, ok)
		}
	}
	if d.Len() != 7 {
		t.Errorf("%d items are left, want 7", d.Len())
	}
	if eq, _ := Equal(NewList(int64(1), 2.0), NewList(true, int64(2))); !eq {
		t.Error("[1, 2.0] != [True, 2]")
	}
	if eq, _ := Equal(NewList(int64(1)), Tuple{int64(1)}); eq {
		t.Error("[1] == (1,)")
	}
	if eq, _ := Equal(int64(9007199254740993), 9007199254740992.0); eq {
		t.Error("a float equals an int it cannot hold")
	}
}

// A lazy copy is changed without its source noticing.
func TestSnapshot(t *testing.T) {
	src := NewDict(20)
	for i := range 20 {
		src.SetString(Str(int64(i)), NewList(int64(i)))
	}
	c := src.Snapshot(copier{})
	v, _, err := c.Lookup("3")
	if err != nil {
		t.Fatal(err)
	}
	v.(*List).V[0] = "changed"
	c.SetString("new", int64(1))
	c.Delete("4")
	again, _, _ := c.Lookup("3")
	old, _ := src.GetString("3")
	if Repr(again) != "['changed']" || Repr(old) != "[3]" || src.Len() != 20 || src.Has("new") || !src.Has("4") || c.Len() != 20 {
		t.Errorf("copy %s, source %s", Repr(c), Repr(src))
	}
}

type copier struct{}

func (copier) Resolve(v Value) (Value, error) {
	if l, ok := v.(*List); ok {
		return l.Snapshot(copier{}), nil
	}
	return v, nil
}

func TestJSON(t *testing.T) {
	for _, text := range []string{`{"b":1,"a":[1.5,null,true,"x\ny"],"n":123456789012345678901234567890}`, `[]`, `{}`, `"é\"\\"`, `-0.0`, `[NaN,Infinity,-Infinity]`, `1e+16`} {
		v, err := FromJSON([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if out, err := ToJSON(v); err != nil || string(out) != text {
			t.Errorf("%s: got %s, %v", text, out, err)
		}
	}
	for text, want := range map[string]string{
		`{"a":1,}`: "Expecting property name enclosed in double quotes: line 1 column 8 (char 7)", `[1 2]`: "Expecting ',' delimiter: line 1 column 4 (char 3)",
		"{\n\"a\" 1}": "Expecting ':' delimiter: line 2 column 5 (char 6)", ``: "Expecting value: line 1 column 1 (char 0)", `"abc`: "Unterminated string starting at: line 1 column 1 (char 0)", `1 2`: "Extra data: line 1 column 3 (char 2)",
	} {
		if _, err := FromJSON([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
	if _, err := FromJSON([]byte(strings.Repeat("[", 100000))); err == nil {
		t.Error("no limit on nesting")
	}
	if s, _ := (JSON{Spaces: true, SortKeys: true, ASCII: true, Indent: "  "}).Encode(DictOf("b", NewList("é"), "a", NewDict(0))); s != "{\n  \"a\": {},\n  \"b\": [\n    \"\\u00e9\"\n  ]\n}" {
		t.Errorf("got %s", s)
	}
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"a":[1,2.5e3,"\ud83d\ude00",null]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := FromJSON(b)
		if err != nil {
			return
		}
		out, err := ToJSON(v)
		if err != nil {
			t.Fatal(err)
		}
		w, err := FromJSON(out)
		if err != nil || Repr(v) != Repr(w) {
			t.Fatalf("%q became %q: %v", b, out, err)
		}
	})
}

func TestPowIsExact(t *testing.T) {
	for _, c := range []struct{ x, y, want float64 }{
		{2.5e7, -0.2, 0.033144540173399864}, {2.5e22, 0.25, 397635.36438352533}, {1e16, -2, 1e-32}, {-2, -3, -0.125}, {-3, 2, 9},
		{2, 0.5, math.Sqrt2}, {10, 22, 1e22}, {10, -5, 1e-5},
	} {
		if got := PowFloat(c.x, c.y); got != c.want {
			t.Errorf("%v ** %v is %v, not %v", c.x, c.y, got, c.want)
		}
	}
}
