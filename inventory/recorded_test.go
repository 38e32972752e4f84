package inventory

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"reflect"
	"testing"

	"fettle/engine/value"
)

// The files in testdata hold inputs made at random with what Python and Ansible gave for them.
func recorded(t *testing.T, file string, check func(in string, want []any)) {
	t.Helper()
	f, err := os.Open("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	n := 0
	for sc := bufio.NewScanner(f); sc.Scan(); n++ {
		var line []any
		if err := json.Unmarshal(sc.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		check(line[0].(string), line[1:])
	}
	if n < 100 {
		t.Errorf("only %d cases", n)
	}
}

// typed is a value with its types, as the recorded ones are written.
func typed(v value.Value) any {
	switch x := v.(type) {
	case string:
		return "S:" + x
	case int64:
		return fmt.Sprint("I:", x)
	case *big.Int:
		return "I:" + x.String()
	case float64:
		return "F:" + value.FloatStr(x)
	case *value.List:
		out := []any{}
		for _, e := range x.V {
			out = append(out, typed(e))
		}
		return out
	case *value.Dict:
		out := []any{}
		for _, e := range x.Entries() {
			out = append(out, []any{typed(e.Key), typed(e.Value)})
		}
		return map[string]any{"D": out}
	}
	return v
}

func TestRecordedLiterals(t *testing.T) {
	recorded(t, "literals.jsonl", func(in string, want []any) {
		w := want[0].([]any)
		v, ok := literal(in)
		if ok != w[0].(bool) || ok && !reflect.DeepEqual(typed(v), w[1]) {
			t.Errorf("%q: got %v %v, want %v", in, ok, typed(v), w)
		}
	})
}

func TestRecordedWords(t *testing.T) {
	recorded(t, "words.jsonl", func(in string, want []any) {
		words, err := splitWords(in)
		var got any
		if err == nil {
			list := []any{}
			for _, w := range words {
				list = append(list, w.text)
			}
			got = list
		}
		if !reflect.DeepEqual(got, want[0]) {
			t.Errorf("%q: got %q, want %q", in, got, want[0])
		}
	})
}

func TestRecordedAddresses(t *testing.T) {
	recorded(t, "addresses.jsonl", func(in string, want []any) {
		var got, expanded any
		if host, port, err := parseAddress(in, true); err == nil {
			list := []any{host, nil}
			if port != 0 {
				list[1] = float64(port)
			}
			got = list
		}
		if names, _, err := expandHosts(in); err == nil {
			list := []any{}
			for _, n := range names {
				list = append(list, n)
			}
			expanded = list
		}
		if !reflect.DeepEqual(got, want[0]) || !reflect.DeepEqual(expanded, want[1]) {
			t.Errorf("%q: got %v %v, want %v", in, got, expanded, want)
		}
	})
}
