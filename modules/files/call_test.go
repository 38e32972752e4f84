package files

import (
	"encoding/json"
	"testing"

	"fettle/engine/value"
	"fettle/modules"
	"fettle/modules/moduletest"
)

// answer is what a call gave.
type answer map[string]any

func (a answer) msg() string { s, _ := a["msg"].(string); return s }

func call(t *testing.T, h *modules.Host, module string, args ...value.Value) answer {
	t.Helper()
	var a answer
	out := modules.Call(t.Context(), h, "ansible.builtin."+module, value.DictOf(args...), false)
	if err := json.Unmarshal(out, &a); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return a
}

func offering(name string, content []byte) *modules.Host {
	return &modules.Host{Sources: map[string]modules.Source{name: moduletest.Offer(name, string(content), "0644")}}
}
