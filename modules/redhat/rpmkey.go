package redhat

import (
	"context"
	"os"
	"slices"
	"strings"

	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.rpm_key",
		Extra:   true,
		Summary: "Keep a key that rpm trusts.",
		Check:   modules.Full,
		Examples: `
- name: The key of a repository
  ansible.builtin.rpm_key:
    key: https://download.example.org/key.asc

- name: No longer
  ansible.builtin.rpm_key:
    key: DEADB33F
    state: absent
`,
	}, rpmKey)
}

type rpmKeyArgs struct {
	Key           string   `arg:"key,required" doc:"The key: its address, its file, or its id."`
	State         string   `arg:"state" default:"present" choices:"absent,present" doc:"Should it be there?"`
	Fingerprint   []string `arg:"fingerprint" elements:"str" doc:"Fingerprints that the file must have."`
	ValidateCerts bool     `arg:"validate_certs" default:"true" doc:"Check the server's certificate."`
}

// rpmKeyTask is the state of one call.
type rpmKeyTask struct {
	h   *modules.Host
	gpg string
	dir string // gpg's home: an empty one, so that it changes nobody's
}

// isPublicKey tells whether a text holds a key in armour.
func isPublicKey(text string) bool {
	_, rest, ok := strings.Cut(text, "-----BEGIN PGP PUBLIC KEY BLOCK-----")
	return ok && strings.Contains(rest, "-----END PGP PUBLIC KEY BLOCK-----")
}

// isKeyID tells whether a key is named by its id: eight hexadecimal digits, maybe more.
func isKeyID(s string) bool {
	s = strings.TrimPrefix(strings.ToLower(s), "0x")
	return len(s) >= 8 && strings.Trim(s[:8], "0123456789abcdef") == ""
}

func rpmKey(ctx context.Context, h *modules.Host, a rpmKeyArgs) (r modules.Result[struct{}], err error) {
	t := &rpmKeyTask{h: h, gpg: "gpg"}
	if _, err := h.RequirePath("rpm"); err != nil {
		return r, err
	}
	if h.LookPath("gpg") == "" {
		t.gpg = "gpg2"
	}
	if t.dir, err = h.TempDir(); err != nil {
		return r, err
	}
	file, id, err := t.find(ctx, a)
	if err != nil {
		return r, err
	}
	known, err := t.imported(ctx, id)
	if err != nil || known == (a.State == "present") {
		return r, err
	}
	argv := []string{"rpm", "--erase", "--allmatches", "gpg-pubkey-" + strings.ToLower(id[max(0, len(id)-8):])}
	if a.State == "present" {
		if file == "" {
			return r, modules.Failf("When importing a key, a valid file must be given")
		}
		if err := t.checkFingerprints(ctx, file, a.Fingerprint); err != nil {
			return r, err
		}
		argv = []string{"rpm", "--import", file}
	}
	return r, h.Act(func() error {
		_, err := t.run(ctx, "", argv...)
		return err
	})
}

// find gives the key's id, and its file when there is one.
func (t *rpmKeyTask) find(ctx context.Context, a rpmKeyArgs) (file, id string, err error) {
	switch {
	case strings.Contains(a.Key, "://"):
		if file, err = t.h.Fetch(ctx, a.Key, a.ValidateCerts); err != nil {
			return "", "", modules.Failf("failed to fetch key at %s , error was: %s", a.Key, err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return "", "", err
		}
		if !isPublicKey(string(text)) {
			return "", "", modules.Failf("Not a public key: %s", a.Key)
		}
	case isKeyID(a.Key):
		id = a.Key
	default:
		if info, err := os.Stat(a.Key); err != nil || !info.Mode().IsRegular() {
			return "", "", modules.Failf("Not a valid key %s", a.Key)
		}
		file = a.Key
	}
	if file != "" {
		keys, err := t.list(ctx, "", file)
		if err != nil {
			return "", "", err
		}
		i := slices.IndexFunc(keys, func(f []string) bool { return f[0] == "pub" && len(f) > 4 })
		if i < 0 {
			return "", "", modules.Failf("Unexpected gpg output")
		}
		id = keys[i][4]
	}
	return file, strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(id)), "0X"), nil
}

func (t *rpmKeyTask) run(ctx context.Context, stdin string, argv ...string) (string, error) {
	out, err := t.h.ToolWith(ctx, modules.Command{Argv: argv, Stdin: strings.NewReader(stdin)})
	if err == nil && out.RC != 0 {
		err = modules.Failf("%s", out.Stderr)
	}
	return out.Stdout, err
}

// list has gpg show the keys of a file, or of text, as lines of fields.
func (t *rpmKeyTask) list(ctx context.Context, text, file string) ([][]string, error) {
	argv := []string{t.gpg, "--homedir", t.dir, "--no-tty", "--batch", "--with-colons", "--fixed-list-mode", "--import", "--import-options", "show-only", "--dry-run"}
	if file != "" {
		argv = append(argv, "--", file)
	}
	out, err := t.run(ctx, text, argv...)
	var keys [][]string
	for line := range strings.Lines(out) {
		keys = append(keys, strings.Split(strings.TrimSpace(line), ":"))
	}
	return keys, err
}

// imported tells whether rpm has a key, or subkey, whose id contains this one.
func (t *rpmKeyTask) imported(ctx context.Context, id string) (bool, error) {
	out, err := t.h.Tool(ctx, "rpm", "-q", "gpg-pubkey", "--qf", "%{description}\n")
	if err != nil || out.RC != 0 {
		return false, err
	}
	keys, err := t.list(ctx, out.Stdout, "")
	return slices.ContainsFunc(keys, func(f []string) bool {
		return len(f) > 4 && (f[0] == "pub" || f[0] == "sub") && strings.Contains(f[4], id)
	}), err
}

func (t *rpmKeyTask) checkFingerprints(ctx context.Context, file string, wanted []string) error {
	if len(wanted) == 0 {
		return nil
	}
	keys, err := t.list(ctx, "", file)
	if err != nil {
		return err
	}
	have := map[string]bool{}
	for _, f := range keys {
		if f[0] == "fpr" && len(f) > 9 {
			have[f[9]] = true
		}
	}
	for _, w := range wanted {
		if !have[strings.ToUpper(strings.ReplaceAll(w, " ", ""))] {
			return modules.Failf("The specified fingerprint, '%s', does not match any key fingerprints in '%s'", set(wanted), set(keysOf(have)))
		}
	}
	return nil
}

func keysOf(m map[string]bool) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// set writes fingerprints as Ansible's message does.
func set(words []string) string {
	var quoted []string
	for _, w := range words {
		quoted = append(quoted, "'"+strings.ToUpper(strings.ReplaceAll(w, " ", ""))+"'")
	}
	return "{" + strings.Join(quoted, ", ") + "}"
}
