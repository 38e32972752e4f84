package template

import (
	"fmt"
	"math/big"
	"strings"

	"fettle/engine/value"
)

// Jinja2's own tests.
func init() {
	kind := func(f func(v value.Value) bool) Test {
		return func(c *Call) (bool, error) {
			if len(c.Args) != 1 {
				return false, fmt.Errorf("test takes 1 positional argument but %d were given", len(c.Args))
			}
			return f(c.Args[0]), nil
		}
	}
	is := func(u *value.Undefined) bool { return u != nil }
	undefined := func(v value.Value) bool { u, _ := v.(*value.Undefined); return is(u) }
	any := Undefined | UndefinedArgs
	RegisterTest("undefined", kind(undefined), Lazy|any)
	RegisterTest("defined", kind(func(v value.Value) bool { return !undefined(v) }), Lazy|any)
	for name, f := range map[string]func(value.Value) bool{
		"none": func(v value.Value) bool { return v == nil }, "mapping": isMapping, "string": isString, "number": value.IsNumber,
		"boolean": func(v value.Value) bool { _, ok := v.(bool); return ok },
		"true":    func(v value.Value) bool { b, ok := v.(bool); return ok && b },
		"false":   func(v value.Value) bool { b, ok := v.(bool); return ok && !b },
		"float":   isFloat, "integer": isInteger, "callable": isCallable,
		"iterable": isIterable, "sequence": value.IsSequence, "escaped": value.IsMarkup,
		"filter": func(v value.Value) bool { s, ok := v.(string); return ok && HasFilter(s) },
		"test":   func(v value.Value) bool { s, ok := v.(string); return ok && HasTest(s) },
	} {
		RegisterTest(name, kind(f), Lazy|OldUndefined)
	}
	registerComparisons()
	RegisterTest("even", parity(0))
	RegisterTest("odd", parity(1))
	RegisterTest("divisibleby", testDivisible)
	RegisterTest("lower", testCase("islower"))
	RegisterTest("upper", testCase("isupper"))
	RegisterTest("sameas", testSameAs, Lazy|any)
	RegisterTest("in", func(c *Call) (bool, error) {
		if len(c.Args) != 2 {
			return false, fmt.Errorf("in test takes 2 arguments (%d given)", len(c.Args))
		}
		if err := c.DefinedElements(c.Args[0]); err != nil {
			return false, err
		}
		return value.Contains(c.Args[1], c.Args[0])
	}, Lazy)
}

func registerComparisons() {
	for op, names := range map[string]string{"==": "eq equalto ==", "!=": "ne !=", "<": "lt lessthan <", "<=": "le <=", ">": "gt greaterthan >", ">=": "ge >="} {
		for name := range strings.FieldsSeq(names) {
			RegisterTest(name, func(c *Call) (bool, error) {
				if len(c.Args) != 2 {
					return false, fmt.Errorf("%s expected 2 arguments, got %d", name, len(c.Args))
				}
				for _, a := range c.Args {
					if err := c.DefinedElements(a); err != nil {
						return false, err
					}
				}
				return compare(op, c.Args[0], c.Args[1])
			}, Lazy)
		}
	}
}

func isMapping(v value.Value) bool {
	switch x := v.(type) {
	case *value.Dict:
		return true
	case interface{ IsMapping() bool }:
		return x.IsMapping()
	}
	return false
}

func isString(v value.Value) bool {
	switch v.(type) {
	case string, value.Text, value.Markup:
		return true
	}
	return false
}

func isInteger(v value.Value) bool {
	switch v.(type) {
	case int64, *big.Int:
		return true
	}
	return false
}

func isCallable(v value.Value) bool {
	switch v.(type) {
	case callee, value.Callable, *value.Undefined:
		return true
	}
	return false
}

func isIterable(v value.Value) bool {
	switch v.(type) {
	case *value.List, value.Tuple, *value.Dict, *value.Set, string, value.Text, value.Markup, []byte, *value.Range, value.Iterable, *value.Undefined, *loop:
		return true
	}
	return false
}

func parity(want int64) Test {
	return func(c *Call) (bool, error) {
		m, err := value.Mod(c.Args[0], int64(2))
		if err != nil {
			return false, err
		}
		if s, ok := m.(string); ok {
			return false, fmt.Errorf("not all arguments converted during string formatting: %s", s)
		}
		return value.Equal(m, want)
	}
}

func testDivisible(c *Call) (bool, error) {
	if len(c.Args)+len(c.KW) != 2 {
		return false, fmt.Errorf("test_divisibleby() missing 1 required positional argument: 'num'")
	}
	m, err := value.Mod(c.Args[0], c.Arg(1, "num", nil))
	if err != nil {
		return false, err
	}
	return value.Equal(m, int64(0))
}

func testCase(method string) Test {
	return func(c *Call) (bool, error) {
		s, err := c.str(0)
		if err != nil {
			return false, err
		}
		v, err := strCased(s, method, c)
		b, _ := v.(bool)
		return b, err
	}
}

func testSameAs(c *Call) (bool, error) {
	if len(c.Args) != 2 {
		return false, fmt.Errorf("test_sameas() takes 2 arguments (%d given)", len(c.Args))
	}
	a, b := c.Args[0], c.Args[1]
	for _, v := range c.Args {
		if u, ok := v.(*value.Undefined); ok && !u.Soft && !c.Compat().Old() {
			return false, &value.UndefinedError{Undefined: u}
		}
	}
	if value.TypeName(a) != value.TypeName(b) {
		return false, nil
	}
	for _, v := range []value.Value{a, b} {
		switch v.(type) {
		case value.Tuple, []byte:
			return false, nil
		}
	}
	return a == b, nil
}
