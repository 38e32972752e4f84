package modules

import "testing"

func TestFileName(t *testing.T) {
	for address, want := range map[string]string{
		"https://h/p/hello_2.6-1_amd64.deb": "hello_2.6-1_amd64.deb",
		"https://h/p/x.deb?token=1#part":    "x.deb",
		"https://h":                         "content",
		"https://h/":                        "content",
		"https://h/p/.bashrc":               "content",
		"https://h/p/a b;c":                 "content",
		"https://h/p/..":                    "content",
	} {
		if got := fileName(address); got != want {
			t.Errorf("%s: got %q, want %q", address, got, want)
		}
	}
}
