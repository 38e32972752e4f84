package packages

import (
	"context"
	"os"
	"slices"
	"strings"

	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.apt_key",
		Extra:   true, // for addresses
		Summary: "Keep a key that apt trusts.",
		Check:   modules.Full,
		Rules:   modules.Rules{modules.Exclusive("data", "file", "keyserver", "url")},
		Notes:   []string{"Debian 13 has no apt-key any more; use deb822_repository there."},
		Examples: `
- name: The key of a repository
  ansible.builtin.apt_key:
    url: https://example.org/archive.asc
    keyring: /etc/apt/trusted.gpg.d/example.gpg
`,
	}, aptKey)
}

type aptKeyArgs struct {
	ID            string `arg:"id" doc:"Fingerprint, or its end."`
	Data          string `arg:"data" doc:"The key itself."`
	File          string `arg:"file" type:"path" doc:"File with the key."`
	Keyring       string `arg:"keyring" type:"path" doc:"Keyring to keep it in."`
	URL           string `arg:"url" doc:"Address of the key."`
	Keyserver     string `arg:"keyserver" doc:"Key server to ask."`
	ValidateCerts bool   `arg:"validate_certs" default:"true" doc:"Check the server's certificate."`
	State         string `arg:"state" default:"present" choices:"absent,present" doc:"Should it be there?"`
}

type aptKeyReturn struct {
	ID      string   `json:"id,omitempty" doc:"The identity that was asked for." returned:"always"`
	FP      string   `json:"fp,omitempty" doc:"Fingerprint." returned:"always"`
	KeyID   string   `json:"key_id,omitempty" doc:"Its last 16 digits." returned:"always"`
	ShortID string   `json:"short_id,omitempty" doc:"Its last 8 digits." returned:"always"`
	Before  []string `json:"before" doc:"Keys before." returned:"always"`
	After   []string `json:"after,omitempty" doc:"Keys after." returned:"when changed"`
}

func aptKey(ctx context.Context, h *modules.Host, a aptKeyArgs) (r modules.Result[aptKeyReturn], err error) {
	before, err := a.keys(ctx, h)
	if err != nil {
		return r, err
	}
	r.Data.Before = before
	id := strings.ToUpper(strings.ReplaceAll(strings.TrimPrefix(strings.ToLower(a.ID), "0x"), " ", ""))
	if id != "" && (strings.Trim(id, "0123456789ABCDEF") != "" || len(id) < 8) {
		return r, modules.Failf("Invalid key_id")
	}
	var key []byte
	if a.State == "present" && a.Keyserver == "" {
		if key, err = a.load(ctx, h); err != nil {
			return r, err
		}
	}
	if id == "" && key != nil {
		if id, err = keyID(ctx, h, key); err != nil {
			return r, err
		}
	}
	if id == "" {
		return r, modules.Failf("Unable to continue, required 'id'")
	}
	r.Data.ID, r.Data.FP, r.Data.KeyID, r.Data.ShortID = a.ID, id, last(id, 16), last(id, 8)
	if a.ID == "" {
		r.Data.ID = r.Data.KeyID
	}
	have := slices.ContainsFunc(before, func(k string) bool {
		return last(k, 8) == r.Data.ShortID && strings.HasSuffix(k, last(id, min(len(id), len(k))))
	})
	if have == (a.State == "present") {
		return r, nil
	}
	if err := h.Act(func() error { return a.change(ctx, h, key, id) }); err != nil {
		return r, err
	}
	if !h.Check {
		r.Data.After, err = a.keys(ctx, h)
	}
	return r, err
}

func last(s string, n int) string { return s[max(0, len(s)-n):] }

func (a *aptKeyArgs) aptKey(words ...string) []string {
	argv := []string{"apt-key"}
	if a.Keyring != "" {
		argv = append(argv, "--keyring", a.Keyring)
	}
	return append(argv, words...)
}

// keys are the long identities of the keys apt trusts, subkeys included.
func (a *aptKeyArgs) keys(ctx context.Context, h *modules.Host) ([]string, error) {
	out, err := h.Tool(ctx, a.aptKey("adv", "--list-public-keys", "--keyid-format=long", "--with-colons")...)
	if err != nil {
		return nil, err
	}
	if out.RC != 0 {
		return nil, modules.Failf("Unable to list public keys: %s", strings.TrimSpace(out.Stderr))
	}
	return colonKeys(out.Stdout, true), nil
}

// colonKeys reads gpg's list with colons.
func colonKeys(text string, subkeys bool) []string {
	keys := []string{}
	for line := range strings.Lines(text) {
		f := strings.Split(line, ":")
		if len(f) > 4 && (f[0] == "pub" || subkeys && f[0] == "sub") {
			keys = append(keys, f[4])
		}
	}
	return keys
}

func (a *aptKeyArgs) load(ctx context.Context, h *modules.Host) ([]byte, error) {
	switch {
	case a.Data != "":
		return []byte(a.Data), nil
	case a.File != "":
		return os.ReadFile(a.File)
	case a.URL != "":
		return fetch(ctx, h, a.URL, a.ValidateCerts)
	}
	return nil, nil
}

func keyID(ctx context.Context, h *modules.Host, key []byte) (string, error) {
	out, err := h.ToolInput(ctx, string(key), "gpg", "--batch", "--no-tty", "--with-colons", "--show-keys", "--keyid-format=long")
	if err != nil {
		return "", err
	}
	keys := colonKeys(out.Stdout, false)
	if len(keys) == 0 {
		return "", modules.Failf("Unable to extract key from the data: %s", strings.TrimSpace(out.Stderr))
	}
	return keys[0], nil
}

func (a *aptKeyArgs) change(ctx context.Context, h *modules.Host, key []byte, id string) error {
	var out modules.ToolResult
	var err error
	switch {
	case a.State == "absent":
		out, err = h.Tool(ctx, a.aptKey("del", last(id, 16))...)
	case a.Keyserver != "":
		out, err = h.Tool(ctx, a.aptKey("adv", "--no-tty", "--keyserver", a.Keyserver, "--recv", id)...)
	case key == nil:
		return modules.Failf("missing key: one of data, file, keyserver, url is needed to add one")
	default:
		out, err = h.ToolInput(ctx, string(key), a.aptKey("add", "-")...)
	}
	if err == nil && out.RC != 0 {
		err = modules.Failf("apt-key failed: %s", strings.TrimSpace(out.Stderr))
	}
	return err
}

// maxKey bounds what is read of a downloaded key.
const maxKey = 16 << 20

// fetch is the content of a key's address.
func fetch(ctx context.Context, h *modules.Host, address string, validateCerts bool) ([]byte, error) {
	file, err := h.Fetch(ctx, address, validateCerts)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(file); err == nil && info.Size() > maxKey {
		return nil, modules.Failf("%s is longer than %d bytes", address, maxKey)
	}
	return os.ReadFile(file)
}
