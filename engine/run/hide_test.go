package run

import (
	"testing"

	"fettle/engine/mask"
	"fettle/engine/transport"
)

// What lets somebody in is masked wherever it comes from; a name is not.
func TestHide(t *testing.T) {
	r := &run{Options: Options{Masker: &mask.Masker{}}}
	r.hide(&transport.Target{User: "op", Password: "pass word", KeyPassphrase: "sesame", PrivateKey: "BEGIN KEY", Extra: map[string]string{"ansible_kubectl_token": "t0ken", "ansible_kubectl_pod": "web-1"}})
	r.hide(&transport.Target{User: "vagrant", Password: "vagrant"})
	for text, want := range map[string]string{"a pass word": "a ********", "sesame": "********", "BEGIN KEY": "********", "t0ken": "********", "web-1": "web-1", "vagrant": "vagrant"} {
		if got := r.Masker.String(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
