package yamlv

import (
	"strings"
	"testing"

	"fettle/engine/diag"
	"fettle/engine/value"
)

func read(t *testing.T, text string) (value.Value, *diag.List) {
	t.Helper()
	var l diag.List
	return Read("f.yml", []byte(text), &l), &l
}

// YML-01, YML-02, YML-03, YML-05.
func TestScalars(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"yes", "True"}, {"No", "False"}, {"on", "True"}, {"Off", "False"}, {"TRUE", "True"}, {"yEs", "'yEs'"},
		{"y", "'y'"}, {"n", "'n'"}, {"0644", "420"}, {"0o644", "'0o644'"}, {"09", "'09'"}, {"00123", "83"},
		{"1:30", "90"}, {"12:30:45", "45045"}, {"1_000", "1000"}, {"0x1F", "31"}, {"0b11", "3"}, {"1e3", "'1e3'"},
		{"1.0e+3", "1000.0"}, {"1.10", "1.1"}, {".inf", "inf"}, {"-.INF", "-inf"}, {"~", "None"}, {"null", "None"}, {"", "None"},
		{"2024-01-02", "'2024-01-02'"}, {"2024-01-02 03:04:05.5 +01:00", "'2024-01-02 03:04:05.500000+01:00'"},
		{"2024-01-02T03:04:05Z", "'2024-01-02 03:04:05+00:00'"}, {"2024-1-2", "'2024-1-2'"},
		{"!!binary aGVsbG8=", "b'hello'"}, {"!!str 123", "'123'"}, {"!!float 1", "1.0"}, {"! 5", "5"},
		{"!unsafe 5", "5"}, {"!unsafe '{{ x }}'", "'{{ x }}'"}, {"!!int 0o17", "15"}, {"-0", "0"}, {"+12", "12"}, {"-0x10", "-16"},
		{"123456789012345678901234567890", "123456789012345678901234567890"}, {"1.", "1.0"}, {".5", "0.5"}, {"190:20:30.15", "685230.15"},
		{"'0644'", "'0644'"}, {"\"yes\"", "'yes'"}, {"0", "0"}, {"0.0.0.0", "'0.0.0.0'"}, {"1.2.3", "'1.2.3'"}, {"NULL", "None"},
		{"!!omap [a: 1, b: 2]", "[('a', 1), ('b', 2)]"}, {"+", "'+'"}, {"-", "[None]"}, {"1__0", "10"}, {"08:30", "'08:30'"},
	} {
		t.Run(c.in, func(t *testing.T) {
			v, l := read(t, c.in+"\n")
			if l.Len() > 0 {
				t.Fatal(l.Sorted()[0])
			}
			if got := value.Repr(v); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestContainers(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"merge first, own win", "b: &b {a: 1, b: 2}\nx: {b: 20, <<: *b, d: 4}", "{'b': {'a': 1, 'b': 2}, 'x': {'a': 1, 'b': 20, 'd': 4}}"},
		{"merge list, first wins", "x: {<<: [{a: 1}, {a: 9, z: 1}], q: 1}", "{'x': {'a': 1, 'z': 1, 'q': 1}}"},
		{"two merges, last wins", "w: {<<: {m: 1}, k: 2, <<: {m: 2, n: 3}}", "{'w': {'m': 2, 'n': 3, 'k': 2}}"},
		{"quoted merge is a key", "{'<<': 1}", "{'<<': 1}"},
		{"other keys", "1: a\nyes: b\n~: c\n1.5: d", "{1: 'b', None: 'c', 1.5: 'd'}"},
		{"json", `{"a": 1e3, "b": [true, null, "é\ud83d\ude00\/"], "c": 0, "d": 1.5}`, "{'a': 1000.0, 'b': [True, None, 'é😀/'], 'c': 0, 'd': 1.5}"},
		{"json unsafe", `{"a": {"__ansible_unsafe": "{{ x }}"}}`, "{'a': '{{ x }}'}"},
		{"bom", "\xef\xbb\xbfa: 1", "{'a': 1}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, l := read(t, c.in)
			if l.Errors() > 0 {
				t.Fatal(l.Sorted()[0])
			}
			if got := value.Repr(v); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// YML-06: templates, vault and unsafe.
func TestTrust(t *testing.T) {
	v, _ := read(t, "a: x {{ y }}\nb: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\nc: !unsafe ['{{ z }}']\n'{{ k }}': {d: '{# c #}'}\n")
	d := v.(*value.Dict)
	a, _ := d.GetString("a")
	if tpl, ok := a.(*value.Template); !ok || tpl.Src != "x {{ y }}" || tpl.At.String() != "f.yml:1:4" {
		t.Errorf("a is %#v", a)
	}
	b, _ := d.GetString("b")
	if e, ok := b.(*value.Encrypted); !ok || e.Text != "$ANSIBLE_VAULT;1.1;AES256\n6162\n" || e.At.Line != 2 {
		t.Errorf("b is %#v", b)
	}
	c, _ := d.GetString("c")
	if s, ok := c.(*value.List).V[0].(string); !ok || s != "{{ z }}" {
		t.Errorf("c is %#v", c)
	}
	k, ok := d.GetString("{{ k }}")
	if !ok {
		t.Fatal("a key became a template")
	}
	if _, ok := k.(*value.Dict).Entries()[0].Value.(*value.Template); !ok {
		t.Error("template after an unsafe list is no template")
	}
}

func TestAliasIsShared(t *testing.T) {
	v, _ := read(t, "a: &x [1]\nb: *x\n")
	d := v.(*value.Dict).Entries()
	if d[0].Value != d[1].Value {
		t.Error("alias is a copy")
	}
}

func TestProblems(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"duplicate", "a: 1\nb: 2\na: 3", `f.yml:3:1: found a duplicate dict key (a); the last one counts`},
		{"lone equals", "a: =", `f.yml:1:4: a lone "=" must be quoted`},
		{"tag", "a: !foo 1", `f.yml:1:4: unknown tag "!foo"`},
		{"list key", "? [a, b]\n: 1", "f.yml:1:3: a list cannot be a key"},
		{"empty hex", "a: 0x_", `f.yml:1:4: "0x_" is no whole number`},
		{"self", "&a [*a]", `f.yml:1:1: anchor "a" holds itself`},
		{"bool", "a: !!bool maybe", `f.yml:1:4: "maybe" is no boolean`},
		{"no date", "a: 2024-13-01", `f.yml:1:4: "2024-13-01" is no date`},
		{"two documents", "a: 1\n---\nb: 2\n", "f.yml:3:1: expected one document, found a second one"},
		{"colon", "x: 1\na: b: c\ny: 2\n", "f.yml:2:5: cannot read YAML: mapping values are not allowed in this context"},
		{"indent", "- a: 1\n  c: 4\n   b: 2\n- d: 1\n", "f.yml:3:"},
		{"tab", "a:\n\tb: 1\n", "f.yml:2:1: cannot read YAML: found character that cannot start any token"},
		{"vault list", "a: !vault [x]", "f.yml:1:4: !vault stands before a text, not before a list"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, l := read(t, c.in)
			if l.Len() == 0 {
				t.Fatal("no problem found")
			}
			if got := l.Sorted()[0].Error(); !strings.HasPrefix(got, c.want) {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestVars(t *testing.T) {
	docs, err := Parse("v.yml", []byte("# x\nb: 1\na: '{{ b }}'\n7: z\n"))
	if err != nil {
		t.Fatal(err)
	}
	var l diag.List
	vars := NewReader("v.yml", &l).Vars(docs[0])
	var names []string
	for n, v := range vars.All() {
		names = append(names, n+"@"+v.At.String())
	}
	if got := strings.Join(names, " "); got != "b@v.yml:2:1 a@v.yml:3:1 7@v.yml:4:1" {
		t.Error(got)
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{"a: 1", "[1, {b: !vault x}]", "&a {<<: *a}", "{\"a\": [1e5]}", "? x\n: - y\n", "a: |\n  x\n", "- !!set {a}\n"} {
		f.Add(s)
	}
	f.Fuzz(func(_ *testing.T, s string) {
		var l diag.List
		Read("f", []byte(s), &l)
	})
}

func TestSlashEscape(t *testing.T) {
	v, l := read(t, "a: \"x\\/y\"\nb: x\\/y\nc: 'x\\/y'\n")
	if l.Len() > 0 {
		t.Fatal(l.Sorted())
	}
	if got := value.Repr(v); got != `{'a': 'x/y', 'b': 'x\\/y', 'c': 'x\\/y'}` {
		t.Error(got)
	}
}
