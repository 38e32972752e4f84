package ansible

import (
	"fmt"

	"fettle/engine/template"
	"fettle/engine/value"
)

func init() {
	result := func(names string, f func(d *value.Dict) (bool, error)) {
		test(names, "result(result)", func(_ *template.Call, a []value.Value) (bool, error) {
			d, ok := a[0].(*value.Dict)
			if !ok {
				return false, fmt.Errorf("The '%s' test expects a dictionary", firstWord(names))
			}
			return f(d)
		})
	}
	flag := func(d *value.Dict, key string) (bool, error) {
		v, ok := d.GetString(key)
		if !ok {
			return false, nil
		}
		return truth(v)
	}
	not := func(b bool, err error) (bool, error) { return !b, err }
	result("failed failure", func(d *value.Dict) (bool, error) { return flag(d, "failed") })
	result("succeeded success successful", func(d *value.Dict) (bool, error) { return not(flag(d, "failed")) })
	result("changed change", changed)
	result("skipped skip", func(d *value.Dict) (bool, error) { return flag(d, "skipped") })
	result("unreachable", func(d *value.Dict) (bool, error) { return flag(d, "unreachable") })
	result("reachable", func(d *value.Dict) (bool, error) { return not(flag(d, "unreachable")) })
	result("timedout", timedOut)
	result("started", func(d *value.Dict) (bool, error) { return asyncFlag(d, "started") })
	result("finished", func(d *value.Dict) (bool, error) { return asyncFlag(d, "finished") })
	test("truthy", "truthy(value, convert_bool=False)", truthy)
	test("falsy", "falsy(value, convert_bool=False)", func(c *template.Call, a []value.Value) (bool, error) {
		b, err := truthy(c, a)
		return !b, err
	})
}

func firstWord(s string) string {
	for i := range len(s) {
		if s[i] == ' ' {
			return s[:i]
		}
	}
	return s
}

// changed also looks into the results of a loop.
func changed(d *value.Dict) (bool, error) {
	if v, ok := d.GetString("changed"); ok {
		return truth(v)
	}
	v, _ := d.GetString("results")
	l, ok := v.(*value.List)
	if !ok || len(l.V) == 0 {
		return false, nil
	}
	if _, ok := l.Items()[0].(*value.Dict); !ok {
		return false, nil
	}
	for _, r := range l.Items() {
		if rd, ok := r.(*value.Dict); ok {
			if c, ok := rd.GetString("changed"); ok && isTrue(c) {
				return true, nil
			}
		}
	}
	return false, nil
}

func timedOut(d *value.Dict) (bool, error) {
	v, _ := d.GetString("timedout")
	t, ok := v.(*value.Dict)
	if !ok {
		return isTrue(v), nil
	}
	period, _ := t.GetString("period")
	return truth(period)
}

// asyncFlag reads a field of an async task's result; other tasks have finished.
func asyncFlag(d *value.Dict, key string) (bool, error) {
	v, ok := d.GetString(key)
	if !ok {
		return true, nil
	}
	return truth(v)
}

// truthy is Python's truth or, with convert_bool, that of words like yes and off.
func truthy(c *template.Call, a []value.Value) (bool, error) {
	if isTrue(a[1]) {
		switch x := a[0].(type) {
		case int64:
			if x == 0 || x == 1 {
				return x == 1, nil
			}
		case string, value.Text, value.Markup:
			if b, ok := yesNo(text(x)); ok {
				return b, nil
			}
		case *value.List, *value.Dict, value.Tuple: // they are read as text
			if err := c.DefinedInside(x); err != nil {
				return false, err
			}
		}
	}
	return truth(a[0])
}
