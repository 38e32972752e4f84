package modules

import (
	"slices"
	"testing"

	"fettle/engine/value"
)

// The words are those of ansible-core 2.19.
func TestCheckSpec(t *testing.T) {
	d := value.DictOf
	one := func(kv ...any) *value.Dict { return d("x", d(kv...)) }
	inner := d("k", d("required", true, "type", "int"))
	for _, c := range []struct {
		name         string
		spec, values *value.Dict
		want         []string
	}{
		{"right", one("type", "int"), d("x", "7"), nil},
		{"null for text", one("required", true), d("x", nil), nil},
		{"null that is not required", one("type", "int"), d("x", nil), nil},
		{"null for a number", one("type", "int", "required", true), d("x", nil),
			[]string{`argument 'x' is of type NoneType and we were unable to convert to int: "None" cannot be converted to an int`}},
		{"null for a list", one("type", "list", "required", true), d("x", nil),
			[]string{"argument 'x' is of type NoneType and we were unable to convert to list: <class 'NoneType'> cannot be converted to a list"}},
		{"text for a number", one("type", "int"), d("x", "abc"),
			[]string{`argument 'x' is of type str and we were unable to convert to int: "'abc'" cannot be converted to an int`}},
		{"element", one("type", "list", "elements", "int"), d("x", value.NewList("a")),
			[]string{`Elements value for option 'x' is of type str and we were unable to convert to int: "'a'" cannot be converted to an int`}},
		{"missing", one("required", true), d(), []string{"missing required arguments: x"}},
		{"choice", one("choices", value.NewList("a", "b")), d("x", "q"), []string{"value of x must be one of: a, b, got: q"}},
		{"choices", one("type", "list", "choices", value.NewList("a", "b")), d("x", value.NewList("a", "z")),
			[]string{"value of x must be one or more of: a, b. Got no match for: z"}},
		{"inside", one("type", "dict", "options", inner), d("x", d("k", "foo", "j", int64(1)), "unk", int64(1)),
			[]string{`argument 'k' is of type str found in 'x'. and we were unable to convert to int: "'foo'" cannot be converted to an int`,
				"x.j, unk. Supported parameters include: x."}},
		{"inside a list", one("type", "list", "elements", "dict", "options", inner), d("x", value.NewList(d())),
			[]string{"missing required arguments: k found in x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := CheckSpec(c.spec, c.values); !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}
