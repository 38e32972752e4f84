package template

import (
	"fmt"
	"math"
	"math/big"
	"strings"

	"fettle/engine/value"
)

func nameSet(s string) map[string]bool {
	m := map[string]bool{}
	for _, n := range strings.Fields(s) {
		m[n] = true
	}
	return m
}

var (
	strMethods = nameSet(`capitalize casefold center count encode endswith expandtabs find format format_map index isalnum
		isalpha isascii isdecimal isdigit isidentifier islower isnumeric isprintable isspace istitle isupper join ljust lower
		lstrip maketrans partition removeprefix removesuffix replace rfind rindex rjust rpartition rsplit rstrip split
		splitlines startswith strip swapcase title translate upper zfill`)
	listMethods  = nameSet("append extend insert pop remove reverse sort index count copy clear")
	dictMethods  = nameSet("keys values items get pop setdefault update copy clear fromkeys popitem")
	tupleMethods = nameSet("index count")
	intMethods   = nameSet("bit_length bit_count conjugate as_integer_ratio is_integer")
	floatMethods = nameSet("is_integer hex as_integer_ratio conjugate")
	bytesMethods = nameSet("decode hex startswith endswith strip split upper lower replace join find count")
	setMethods   = nameSet("union intersection difference symmetric_difference issubset issuperset isdisjoint add discard remove copy")
	intAttrs     = nameSet("real imag numerator denominator")
)

// traits of a method's name: the types that have it, and what it does to its arguments.
type named uint16

const (
	ofStr named = 1 << iota
	ofList
	ofDict
	ofTuple
	ofInt
	ofFloat
	ofBytes
	ofSet
	ofMarkup
	// keepsUndefined: the method puts an argument into a container or hands it back.
	keepsUndefined
	// changes: the method changes its container.
	changes
)

var methodTraits = map[string]named{}

func init() {
	for _, set := range []struct {
		trait named
		names map[string]bool
	}{
		{ofStr, strMethods}, {ofList, listMethods}, {ofDict, dictMethods}, {ofTuple, tupleMethods}, {ofInt, intMethods},
		{ofFloat, floatMethods}, {ofBytes, strMethods}, {ofBytes, bytesMethods}, {ofSet, setMethods}, {ofMarkup, nameSet("striptags unescape")},
		{keepsUndefined, nameSet("append get setdefault insert update extend pop fromkeys")}, {changes, mutating},
	} {
		for n := range set.names {
			methodTraits[n] |= set.trait
		}
	}
	for _, n := range strings.Fields("encode format format_map casefold isdecimal isidentifier isnumeric isprintable") {
		methodTraits[n] &^= ofBytes
	}
}

func hasMethod(v value.Value, n string) bool { return methodTraits[n].of(v) }

// of tells that v's type has the method.
func (t named) of(v value.Value) bool {
	switch x := v.(type) {
	case string, value.Text:
		return t&ofStr != 0
	case value.Markup:
		return t&(ofStr|ofMarkup) != 0
	case *value.List:
		return t&ofList != 0
	case *value.Dict:
		return t&ofDict != 0
	case value.Tuple, *value.Range:
		return t&ofTuple != 0
	case int64, *big.Int, bool:
		return t&ofInt != 0
	case float64:
		return t&ofFloat != 0
	case []byte:
		return t&ofBytes != 0
	case *value.Set:
		return t&ofSet != 0
	case *value.Secret:
		return t.of(x.V)
	}
	return false
}

// method is a bound method.
type method struct {
	v    value.Value
	name string
}

func (m *method) TypeName() string { return "builtin_function_or_method" }
func (m *method) String() string {
	return fmt.Sprintf("<built-in method %s of %s object>", m.name, value.TypeName(m.v))
}
func (m *method) Attr(string) (value.Value, bool, error) { return nil, false, nil }
func (m *method) invoke(c *Call) (value.Value, error)    { return callMethod(m.v, m.name, c) }
func (m *method) Call(a []value.Value, k []value.Keyword) (value.Value, error) {
	return callMethod(m.v, m.name, &Call{Args: a, KW: k})
}

// callMethod calls a method of one of Python's types.
func callMethod(v value.Value, name string, c *Call) (value.Value, error) {
	secret := false
	switch x := v.(type) {
	case *value.Secret:
		v, secret = x.V, true
	case value.Text:
		v = string(x)
	}
	if m, ok := v.(value.Markup); ok {
		r, err := callMarkup(m, name, c)
		return value.Mark(r, secret), err
	}
	traits := methodTraits[name]
	if traits&keepsUndefined == 0 {
		for _, a := range c.Args {
			if u, ok := a.(*value.Undefined); ok && !u.Soft {
				return nil, &value.UndefinedError{Undefined: u}
			}
		}
	}
	if _, ok := v.(string); ok || name == "index" || name == "count" {
		if err := c.plainArgs(&secret); err != nil {
			return nil, err
		}
	}
	if traits&changes != 0 && value.Frozen(v) {
		v = thawed(v)
	}
	r, err := dispatch(v, name, c)
	return value.Mark(r, secret), hidden(err, secret)
}

// thawed is a copy of a container that others see too: what a template does to it is not seen
// elsewhere.
func thawed(v value.Value) value.Value {
	switch x := v.(type) {
	case *value.List:
		return &value.List{V: append([]value.Value{}, x.V...)}
	case *value.Dict:
		return x.Clone()
	}
	return v
}

func (c *Call) plainArgs(secret *bool) (err error) {
	for i, a := range c.Args {
		if !simple(a) {
			if c.Args[i], err = deepPlain(a, secret); err != nil {
				return err
			}
		}
	}
	for i, k := range c.KW {
		if !simple(k.Value) {
			if c.KW[i].Value, err = deepPlain(k.Value, secret); err != nil {
				return err
			}
		}
	}
	return nil
}

func dispatch(v value.Value, name string, c *Call) (value.Value, error) {
	switch x := v.(type) {
	case string:
		return strMethod(x, name, c)
	case *value.List:
		return listMethod(x, name, c)
	case *value.Dict:
		return dictMethod(x, name, c)
	case value.Tuple:
		return tupleMethod(x, name, c)
	case *value.Range:
		items, err := value.Iterate(x)
		if err != nil {
			return nil, err
		}
		return tupleMethod(items, name, c)
	case []byte:
		return bytesMethod(x, name, c)
	case *value.Set:
		return setMethod(x, name, c)
	}
	return numberMethod(v, name)
}

func numberMethod(v value.Value, name string) (value.Value, error) {
	if f, ok := v.(float64); ok {
		switch name {
		case "is_integer":
			return f == math.Trunc(f) && !math.IsInf(f, 0), nil
		case "conjugate":
			return f, nil
		case "as_integer_ratio":
			r := new(big.Rat).SetFloat64(f)
			if r == nil {
				return nil, fmt.Errorf("cannot convert Infinity to integer ratio")
			}
			return value.Tuple{value.FromBig(r.Num()), value.FromBig(r.Denom())}, nil
		}
		return nil, fmt.Errorf("float.%s is not supported", name)
	}
	b := value.Big(v)
	switch name {
	case "is_integer":
		return true, nil
	case "bit_length":
		return int64(b.BitLen()), nil
	case "bit_count":
		n := 0
		for _, c := range new(big.Int).Abs(b).Text(2) {
			n += int(c - '0')
		}
		return int64(n), nil
	case "as_integer_ratio":
		return value.Tuple{value.FromBig(b), int64(1)}, nil
	}
	return value.FromBig(b), nil
}

// numberAttr is one of real, imag, numerator and denominator.
func numberAttr(v value.Value, name string) (value.Value, error) {
	_, float := v.(float64)
	switch {
	case float && name == "real":
		return v, nil
	case float && name == "imag":
		return 0.0, nil
	case float:
		return noAttr(v, name), nil
	case name == "imag":
		return int64(0), nil
	case name == "denominator":
		return int64(1), nil
	}
	return value.FromBig(value.Big(v)), nil
}

// need checks the number of positional arguments of a method.
func (c *Call) need(method string, least, most int) error {
	n := len(c.Args)
	switch {
	case n >= least && n <= most:
		return nil
	case least == most && least == 0:
		return fmt.Errorf("%s() takes no arguments (%d given)", method, n)
	case least == most && least == 1:
		return fmt.Errorf("%s() takes exactly one argument (%d given)", method, n)
	case n < least:
		return fmt.Errorf("%s expected at least %d argument%s, got %d", method, least, plural(least), n)
	}
	return fmt.Errorf("%s expected at most %d argument%s, got %d", method, most, plural(most), n)
}
