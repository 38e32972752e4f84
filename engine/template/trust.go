package template

import (
	"fettle/engine/diag"
	"fettle/engine/value"
)

// Trust makes templates of the texts in a value that comes from a trusted source, at any
// depth. Loaders that know places make templates themselves.
func Trust(v value.Value, at diag.Pos) value.Value {
	switch x := v.(type) {
	case string:
		return NewTemplate(x, at)
	case *value.List:
		out := &value.List{V: make([]value.Value, len(x.V))}
		for i, e := range x.V {
			out.V[i] = Trust(e, at)
		}
		return out
	case *value.Dict:
		out := value.NewDict(x.Len())
		for _, e := range x.Entries() {
			_ = out.Set(e.Key, Trust(e.Value, at))
		}
		return out
	}
	return v
}
