package redhat

import (
	"testing"

	"fettle/modules/moduletest"
)

func TestFixtures(t *testing.T) { moduletest.Run(t, "testdata") }

func TestRepoFile(t *testing.T) {
	f, err := parseRepos("# comment\n[b]\nName: B\nbaseurl=http://x\n  http://y\n\nenabled = 1\n[a]\nname=A\n")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := f.String(), "[b]\nname = B\nbaseurl = http://x\n\thttp://y\nenabled = 1\n\n[a]\nname = A\n\n"; got != want {
		t.Errorf("text: %q", got)
	}
	if got, want := f.dump(), "[a]\nname = A\n\n[b]\nbaseurl = http://x\nhttp://y\nenabled = 1\nname = B\n\n"; got != want {
		t.Errorf("dump: %q", got)
	}
	for _, bad := range []string{"name=x\n", "[a]\nnothing\n"} {
		if _, err := parseRepos(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestKeys(t *testing.T) {
	for s, want := range map[string]bool{"DEADBEEF": true, "0xdeadbeef00": true, "dead": false, "/etc/key": false, "0X12345678": true} {
		if isKeyID(s) != want {
			t.Errorf("%s: %v", s, !want)
		}
	}
	if !isPublicKey("x\n-----BEGIN PGP PUBLIC KEY BLOCK-----\n-----END PGP PUBLIC KEY BLOCK-----") || isPublicKey("-----END PGP PUBLIC KEY BLOCK-----") {
		t.Error("public keys")
	}
	if got := set([]string{"aa bb", "C"}); got != "{'AABB', 'C'}" {
		t.Errorf("set: %s", got)
	}
}
