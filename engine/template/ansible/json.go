package ansible

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"fettle/engine/template"
	"fettle/engine/value"
)

func init() {
	filter("to_json(a, **kw)", toJSON, template.Plain)
	filter("to_nice_json(a, indent=4, sort_keys=True, **kw)", toNiceJSON, template.Plain)
	filter("from_json(a, profile=None, **kw)", fromJSON)
}

// jsonArgs reads the keyword arguments of json.dumps.
func jsonArgs(j *value.JSON, kw []value.Keyword) (seps [2]string, noNaN bool, err error) {
	for _, k := range kw {
		switch k.Name {
		case "sort_keys":
			j.SortKeys = isTrue(k.Value)
		case "ensure_ascii":
			j.ASCII = isTrue(k.Value)
		case "indent":
			err = jsonIndent(j, k.Value)
		case "separators":
			vs, e := value.Iterate(k.Value)
			if e != nil || len(vs) != 2 {
				return seps, noNaN, errors.New("separators must be a pair of strings")
			}
			seps = [2]string{text(vs[0]), text(vs[1])}
		case "allow_nan":
			noNaN = !isTrue(k.Value)
		case "profile":
			if n := text(k.Value); k.Value != nil && n != "tagless" && n != "legacy" {
				err = fmt.Errorf("Unknown profile name %s.", value.Repr(n))
			}
		case "skipkeys", "check_circular", "vault_to_text", "preprocess_unsafe", "cls":
		default:
			err = fmt.Errorf("to_json() got an unexpected keyword argument '%s'", k.Name)
		}
		if err != nil {
			return seps, noNaN, err
		}
	}
	return seps, noNaN, nil
}

func jsonIndent(j *value.JSON, v value.Value) error {
	switch x := v.(type) {
	case nil:
		j.Pretty, j.Indent = false, ""
	case string, value.Text, value.Markup:
		j.Pretty, j.Indent = true, text(x)
	default:
		n, err := integer(v)
		if err != nil {
			return err
		}
		if n > 1000 {
			return fmt.Errorf("indent %d is too large", n)
		}
		j.Pretty, j.Indent = true, strings.Repeat(" ", max(int(n), 0))
	}
	return nil
}

func dumpJSON(c *template.Call, j value.JSON, v value.Value, kw []value.Keyword) (value.Value, error) {
	j.TextKeys = !old(c)
	seps, noNaN, err := jsonArgs(&j, kw)
	if err != nil {
		return nil, err
	}
	if noNaN && hasNaN(v) {
		return nil, errors.New("Out of range float values are not JSON compliant")
	}
	j.Default = jsonDefault
	if c.Compat() == template.V219 {
		j.Default = func(v value.Value) (value.Value, error) {
			if _, raw := v.([]byte); raw {
				return nil, errors.New("Object of type 'bytes' is not JSON serializable by the 'tagless' profile.")
			}
			return jsonDefault(v)
		}
	}
	out, err := j.Encode(v)
	if err != nil {
		return nil, fmt.Errorf("failed to convert to JSON: %w", err)
	}
	if seps != [2]string{} {
		out = reseparate(out, seps)
	}
	return out, nil
}

// reseparate exchanges the separators between items; j wrote ", " and ": " or, when
// indenting, "," at line ends.
func reseparate(s string, seps [2]string) string {
	var b strings.Builder
	inText := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case inText && c == '\\':
			b.WriteByte(c)
			i++
			c = s[i]
			b.WriteByte(c)
			continue
		case c == '"':
			inText = !inText
		case !inText && (c == ',' || c == ':'):
			if i+1 < len(s) && s[i+1] == ' ' {
				i++
			}
			if c == ',' {
				b.WriteString(seps[0])
			} else {
				b.WriteString(seps[1])
			}
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

func hasNaN(v value.Value) bool {
	switch x := v.(type) {
	case float64:
		return math.IsNaN(x) || math.IsInf(x, 0)
	case *value.List:
		for _, e := range x.Items() {
			if hasNaN(e) {
				return true
			}
		}
	case *value.Dict:
		for _, e := range x.Items() {
			if hasNaN(e.Value) {
				return true
			}
		}
	}
	return false
}

// jsonDefault gives forms to values JSON has none for.
func jsonDefault(v value.Value) (value.Value, error) {
	switch x := v.(type) {
	case *template.Time:
		return x.Format("2006-01-02T15:04:05"), nil
	case *value.Set:
		vs, err := value.Iterate(x)
		return list(vs), err
	case *value.Range:
		vs, err := value.Iterate(x)
		return list(vs), err
	case []byte:
		return string(x), nil
	case *value.Encrypted:
		return x.Text, nil
	}
	return nil, fmt.Errorf("Object of type %s is not JSON serializable", value.TypeName(v))
}

func toJSON(c *template.Call, a []value.Value) (value.Value, error) {
	kw := make([]value.Keyword, 0, len(c.KW))
	for _, k := range c.KW {
		if k.Name != "a" {
			kw = append(kw, k)
		}
	}
	return dumpJSON(c, value.JSON{Spaces: true, ASCII: true}, a[0], kw)
}

func toNiceJSON(c *template.Call, a []value.Value) (value.Value, error) {
	j := value.JSON{ASCII: true, SortKeys: isTrue(a[2])}
	if err := jsonIndent(&j, a[1]); err != nil {
		return nil, err
	}
	j.Spaces = !j.Pretty
	var kw []value.Keyword
	for _, k := range c.KW {
		if k.Name != "a" && k.Name != "indent" && k.Name != "sort_keys" {
			kw = append(kw, k)
		}
	}
	return dumpJSON(c, j, a[0], kw)
}

func fromJSON(_ *template.Call, a []value.Value) (value.Value, error) {
	raw, ok := a[0].([]byte)
	if !ok {
		if !isText(a[0]) {
			return nil, fmt.Errorf("the JSON object must be str, bytes or bytearray, not %s", value.TypeName(a[0]))
		}
		raw = []byte(text(a[0]))
	}
	return value.FromJSON(raw)
}
