package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func secrets(t testing.TB, pairs ...string) *Secrets {
	t.Helper()
	s := &Secrets{}
	for i := 0; i < len(pairs); i += 2 {
		if err := s.Add(pairs[i], []byte(pairs[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// VLT-01, VLT-02, VLT-03.
func TestRoundTrip(t *testing.T) {
	s := secrets(t, "", "one", "dev", "two")
	for _, plain := range []string{"", "x", "fifteen bytes..", "sixteen bytes...", strings.Repeat("long\n", 1000), "\x00\xff"} {
		for _, id := range []string{"", "default", "dev"} {
			text, err := s.Encrypt([]byte(plain), id)
			if err != nil {
				t.Fatal(err)
			}
			want := "$ANSIBLE_VAULT;1.1;AES256\n"
			if id == "dev" {
				want = "$ANSIBLE_VAULT;1.2;AES256;dev\n"
			}
			if !bytes.HasPrefix(text, []byte(want)) || !bytes.HasSuffix(text, []byte("\n")) {
				t.Fatalf("the text is %.60q", text)
			}
			for line := range strings.SplitSeq(string(text), "\n") {
				if len(line) > 80 {
					t.Fatalf("a line of %d characters", len(line))
				}
			}
			got, by, err := s.Decrypt(text)
			if err != nil || string(got) != plain || by != map[bool]string{true: "dev", false: "default"}[id == "dev"] {
				t.Fatalf("%q gives %q by %q, %v", plain, got, by, err)
			}
		}
	}
}

// VLT-04.
func TestWhichSecret(t *testing.T) {
	text, err := secrets(t, "prod", "pw").Encrypt([]byte("x"), "prod")
	if err != nil {
		t.Fatal(err)
	}
	if _, by, err := secrets(t, "dev", "bad", "other", "pw").Decrypt(text); err != nil || by != "other" {
		t.Errorf("by %q, %v", by, err)
	}
	strict := secrets(t, "dev", "bad", "other", "pw")
	strict.MatchID = true
	_, _, err = strict.Decrypt(text)
	if !errors.Is(err, ErrNoMatch) || !strings.Contains(err.Error(), `"prod"`) || strings.Contains(err.Error(), "pw") {
		t.Errorf("strict: %v", err)
	}
	if _, _, err := (&Secrets{}).Decrypt(text); !errors.Is(err, ErrNoSecrets) {
		t.Errorf("none: %v", err)
	}
	if _, err := secrets(t, "a", "b").Encrypt(nil, "c"); err == nil || !strings.Contains(err.Error(), "--encrypt-vault-id=c ") {
		t.Errorf("unknown id: %v", err)
	}
}

func TestDamaged(t *testing.T) {
	s := secrets(t, "", "pw")
	good, _ := s.Encrypt([]byte("secret"), "")
	for name, text := range map[string]string{
		"plain": "hello", "version": strings.Replace(string(good), "1.1", "1.9", 1), "cipher": strings.Replace(string(good), "AES256", "AES", 1),
		"header": "$ANSIBLE_VAULT\n", "no hex": "$ANSIBLE_VAULT;1.1;AES256\nxyz\n", "empty": "$ANSIBLE_VAULT;1.1;AES256\n",
		"cut": string(good[:len(good)-40]), "odd": "$ANSIBLE_VAULT;1.1;AES256\n616\n", "parts": "$ANSIBLE_VAULT;1.1;AES256\n61620a6162\n",
	} {
		_, err := s.DecryptFile("f.yml", []byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), "cannot decrypt f.yml: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p, _, err := s.Decrypt([]byte("  " + strings.ReplaceAll(string(good), "\n", "\n  "))); err != nil || string(p) != "secret" {
		t.Errorf("indented: %q, %v", p, err)
	}
}

func script(t *testing.T, name, text string) string {
	t.Helper()
	mode := os.FileMode(0o600)
	if strings.HasPrefix(text, "#!") {
		mode = 0o700
	}
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return p
}

// VLT-05.
func TestSources(t *testing.T) {
	outer, _ := secrets(t, "", "outer").Encrypt([]byte("inner\n"), "")
	client := "#!/bin/sh\n[ \"$2\" = known ] && echo \"pw-$1-$2\" && exit\necho nothing here >&2; exit 2\n"
	for _, c := range []struct{ name, file, text, spec, want, fail string }{
		{name: "file", file: "pw", text: "  top secret \n", spec: "@", want: "top secret"},
		{name: "id", file: "pw", text: "x\n", spec: "dev@", want: "x"},
		{name: "script", file: "pw.sh", text: "#!/bin/sh\necho \" $#\"\n", spec: "dev@", want: " 0"},
		{name: "client", file: "pw-client.py", text: client, spec: "known@", want: "pw---vault-id-known"},
		{name: "client without it", file: "pw-client", text: client, spec: "other@", fail: `has no password for vault id "other": nothing here`},
		{name: "failing script", file: "pw", text: "#!/bin/sh\necho oops >&2; exit 7\n", spec: "@", fail: "ended with code 7: oops"},
		{name: "empty", file: "pw", text: "\n", spec: "@", fail: "is empty"},
		{name: "vaulted", file: "pw", text: string(outer), spec: "@", want: "inner"},
		{name: "missing", spec: "@/nonexistent", fail: "was not found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := secrets(t, "", "outer")
			src := ParseSource(c.spec)
			if c.file != "" {
				src.From = script(t, c.file, c.text)
			}
			err := s.AddSource(context.Background(), src, nil)
			if c.fail != "" {
				if err == nil || !strings.Contains(err.Error(), c.fail) {
					t.Errorf("error %v, want %s", err, c.fail)
				}
				return
			}
			if err != nil || string(s.secrets[1].password) != c.want || s.secrets[1].id != src.Name() {
				t.Errorf("%v, %q", err, s.secrets)
			}
		})
	}
}

func TestPrompt(t *testing.T) {
	s := &Secrets{}
	var asked []string
	ask := func(q string) (string, error) { asked = append(asked, q); return "pw\n", nil }
	for _, spec := range []string{"prompt", "dev@prompt", "x@prompt_ask_vault_pass"} {
		if err := s.AddSource(context.Background(), ParseSource(spec), ask); err != nil {
			t.Fatal(err)
		}
	}
	if got := fmt.Sprint(asked); got != "[Vault password:  Vault password (dev):  Vault password: ]" {
		t.Error(got)
	}
	if err := s.AddSource(context.Background(), ParseSource("prompt"), nil); err == nil {
		t.Error("no error without a terminal")
	}
}

func TestConcurrent(t *testing.T) {
	s := secrets(t, "", "pw")
	text, _ := s.Encrypt([]byte("x"), "")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if p, _, err := s.Decrypt(text); err != nil || string(p) != "x" {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// TestWithAnsible exchanges vaults with ansible-vault in both directions.
func TestWithAnsible(t *testing.T) {
	tool, err := exec.LookPath("ansible-vault")
	if err != nil {
		t.Skip("ansible-vault is not installed")
	}
	pw := script(t, "pw", "sesame\n")
	run := func(stdin string, args ...string) string {
		cmd := exec.Command(tool, args...)
		cmd.Stdin = strings.NewReader(stdin)
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("ansible-vault: %v", err)
		}
		return string(out)
	}
	s := secrets(t, "dev", "sesame", "", "sesame")
	for _, id := range []string{"dev", "default"} {
		theirs := run("their text\nüñí", "encrypt", "--vault-id", id+"@"+pw, "--encrypt-vault-id", id, "--output", "-", "-")
		if p, by, err := s.Decrypt([]byte(theirs)); err != nil || string(p) != "their text\nüñí" || by != id {
			t.Errorf("theirs: %q by %q, %v", p, by, err)
		}
		ours, err := s.Encrypt([]byte("our text\n"), id)
		if err != nil {
			t.Fatal(err)
		}
		if got := run(string(ours), "decrypt", "--vault-id", id+"@"+pw, "--output", "-", "-"); got != "our text\n" {
			t.Errorf("ours: %q", got)
		}
	}
}

func FuzzDecrypt(f *testing.F) {
	s := secrets(f, "", "pw")
	good, _ := s.Encrypt([]byte("x"), "")
	f.Add(good)
	f.Add([]byte("$ANSIBLE_VAULT;1.2;AES256;a\n3132\n"))
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = Parse(b) })
}
