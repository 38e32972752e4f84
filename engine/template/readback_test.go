package template

import (
	"testing"

	"fettle/engine/value"
)

// A variable whose text is JSON is asked for a key: an error since 2.19, data up to 2.18.
func TestTextReadBack(t *testing.T) {
	vars := value.DictOf("j", &value.Template{Src: `{{ '{"a": true, "l": [1, null]}' ~ '' }}`}, "fact", `{"a": true}`, "result", value.DictOf("stdout", `{"a": true}`))
	for _, tt := range []struct {
		src    string
		compat Compat
		want   string // "" for an error
	}{
		{"{{ j.l[0] }}", Default, "1"},
		{"{{ j['a'] and j.l[1] is none }}", Default, "True"},
		{"{{ j.a is defined }}", Default, "False"},
		{"{{ j.a | default('d') }}", Default, "'d'"},
		{"{{ j | type_debug }}", Default, "'str'"},
		{"{{ j.nope }}", Default, ""},
		{"{{ fact.a }}", Default, "True"}, // set_fact made data of such texts
		{"{{ result.stdout.a }}", Default, ""},
		{"{{ j.a }}", V219, ""},
	} {
		c := New(Options{Compat: tt.compat}).NewContext(t.Context(), MapScope{vars})
		v, err := c.Render(&value.Template{Src: tt.src})
		if got := value.Repr(v); (err != nil) != (tt.want == "") || err == nil && got != tt.want {
			t.Errorf("%s: %s, %v; want %s", tt.src, got, err, tt.want)
		}
	}
	c := New(Options{}).NewContext(t.Context(), MapScope{vars})
	if ok, err := c.Cond(&value.Template{Src: "j.a"}); !ok || err != nil {
		t.Errorf("condition: %v, %v", ok, err)
	}
}
