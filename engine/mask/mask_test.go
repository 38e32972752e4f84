package mask

import (
	"testing"

	"fettle/engine/value"
)

func TestString(t *testing.T) {
	var m Masker
	for _, s := range []string{"hunter2", "hunter2-longer", " padded1 \n", "first line\nsecond line\nx\n", "abc", "true", "None"} {
		m.Add(s)
	}
	for in, want := range map[string]string{
		"a hunter2 b": "a ******** b", "hunter2-longer": Text, "hunter2hunter2": Text + Text, "padded1": Text, "+second line": "+" + Text,
		"x abc true None": "x abc true None", "hunter": "hunter",
	} {
		if got := m.String(in); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
}

func TestValue(t *testing.T) {
	var m Masker
	if !m.Empty() {
		t.Error("a new masker is not empty")
	}
	v := value.DictOf("short", &value.Secret{V: "abc"}, "list", value.NewList(&value.Secret{V: int64(123456)}, "plain"),
		"template", &value.Template{Src: "pw-{{ x }}", Secret: true})
	if !Holds(v) || Holds(value.DictOf("a", value.NewList("b"))) {
		t.Error("Holds is wrong")
	}
	if got, want := value.Repr(m.Value(v)), "{'short': '********', 'list': ['********', 'plain'], 'template': '********'}"; got != want {
		t.Errorf("shown as %s, want %s", got, want)
	}
	plain := m.Reveal(value.DictOf("a", &value.Secret{V: value.NewList("hunter2", int64(123456))}))
	if got, want := value.Repr(plain), "{'a': ['hunter2', 123456]}"; got != want {
		t.Errorf("a module gets %s, want %s", got, want)
	}
	if got := m.String("hunter2 123456"); got != "******** ********" {
		t.Errorf("what a module got is shown: %q", got)
	}
	if s := m.Keep("another"); s.V != value.Value("another") || m.String("another") != Text {
		t.Error("Keep does not keep")
	}
}
