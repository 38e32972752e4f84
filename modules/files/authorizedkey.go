package files

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.posix.authorized_key",
		Summary: "Keep SSH keys that may log in to an account.",
		Check:   modules.Full,
		Diff:    modules.Full,
		Examples: `
- name: A key from a file of the controller
  ansible.posix.authorized_key:
    user: charlie
    key: "{{ lookup('file', '/home/charlie/.ssh/id_ed25519.pub') }}"

- name: These keys and no others
  ansible.posix.authorized_key:
    user: root
    key: "{{ root_keys | join('\n') }}"
    exclusive: true
`,
	}, authorizedKey)
}

type authorizedKeyArgs struct {
	User          string  `arg:"user,required" doc:"The account."`
	Key           string  `arg:"key,required" doc:"The keys, one a line."`
	State         string  `arg:"state" default:"present" choices:"absent,present" doc:"May they log in?"`
	Path          *string `arg:"path" type:"path" doc:"The file, in place of ~/.ssh/authorized_keys."`
	ManageDir     bool    `arg:"manage_dir" default:"true" doc:"Make the directory, and set its owner and mode."`
	KeyOptions    *string `arg:"key_options" doc:"Options put before the key."`
	Comment       *string `arg:"comment" doc:"Comment put after the key."`
	Exclusive     bool    `arg:"exclusive" default:"false" doc:"Remove all other keys."`
	Follow        bool    `arg:"follow" default:"false" doc:"Write through a link."`
	ValidateCerts bool    `arg:"validate_certs" default:"true" doc:"For keys that come from a URL."`
}

type authorizedKeyReturn struct {
	Exclusive     *bool   `json:"exclusive,omitempty" doc:"As given." returned:"success"`
	Key           string  `json:"key,omitempty" doc:"As given." returned:"success"`
	KeyOptions    *string `json:"key_options,omitempty" doc:"As given." returned:"success"`
	Comment       *string `json:"comment,omitempty" doc:"As given." returned:"success"`
	Keyfile       string  `json:"keyfile,omitempty" doc:"The file." returned:"success"`
	ManageDir     *bool   `json:"manage_dir,omitempty" doc:"As given." returned:"success"`
	Follow        *bool   `json:"follow,omitempty" doc:"As given." returned:"success"`
	Path          *string `json:"path,omitempty" doc:"As given." returned:"success"`
	User          string  `json:"user,omitempty" doc:"As given." returned:"success"`
	ValidateCerts *bool   `json:"validate_certs,omitempty" doc:"As given." returned:"success"`
	modules.PathInfo
}

func authorizedKey(ctx context.Context, h *modules.Host, a authorizedKeyArgs) (r modules.Result[authorizedKeyReturn], err error) {
	r.OneDiff = true
	if strings.HasPrefix(a.Key, "http://") || strings.HasPrefix(a.Key, "https://") {
		return r, modules.Failf("a URL as key is not supported; give lookup('ansible.builtin.url', %q, split_lines=false) as the key", a.Key)
	}
	file, err := keyFile(ctx, h, a)
	if err != nil {
		return r, err
	}
	if file == "" {
		h.MarkChanged()
		r.Msg = "Either user must exist or you must provide full path to key file in check mode"
		return r, nil
	}
	text, _, err := readText(h, file)
	if err != nil {
		return r, err
	}
	want, err := editKeys(text, a)
	if err != nil {
		return r, err
	}
	if want != text {
		if err := writeKeys(ctx, h, a, file, want); err != nil {
			return r, err
		}
		e := edit{path: file, old: text, new: want}
		r.Diff = []modules.Diff{e.contentDiff("")}
	}
	r.Data = authorizedKeyReturn{&a.Exclusive, a.Key, a.KeyOptions, a.Comment, file, &a.ManageDir, &a.Follow, a.Path, a.User,
		&a.ValidateCerts, modules.PathInfo{State: a.State}}
	if info := h.PathInfo(ctx, file); info.State != "" && a.Path != nil {
		r.Data.PathInfo = info
	}
	return r, nil
}

// keyFile is the file the keys are in; "" in check mode for an account that is not there.
func keyFile(ctx context.Context, h *modules.Host, a authorizedKeyArgs) (string, error) {
	_, known := h.UserID(ctx, a.User)
	var file string
	switch {
	case !known && h.Check && a.Path == nil:
		return "", nil
	case !known && !h.Check:
		return "", modules.Failf("Failed to lookup user %s: there is no such user", a.User)
	case a.Path != nil:
		file = *a.Path
	default:
		home := h.UserHome(ctx, a.User)
		if home == "" {
			return "", modules.Failf("user %s has no home directory", a.User)
		}
		file = filepath.Join(home, ".ssh", "authorized_keys")
	}
	if a.Follow && modules.IsLink(file) {
		file = modules.RealPath(file)
	}
	return file, nil
}

// writeKeys makes directory and file, new ones owned by the user and closed to others.
func writeKeys(ctx context.Context, h *modules.Host, a authorizedKeyArgs, file, text string) error {
	if err := manageKeyDir(ctx, h, a, file); err != nil {
		return err
	}
	attrs := modules.FileArgs{}
	if !modules.Exists(file) {
		attrs = modules.FileArgs{Owner: a.User, Mode: int64(0o600)}
		if gid, ok := h.UserGroup(ctx, a.User); ok {
			attrs.Group = gid
		}
	}
	var plan *modules.AttrPlan
	if !h.Check {
		var err error
		if plan, err = h.PlanAttrs(ctx, file, attrs); err != nil {
			return err
		}
	}
	_, err := h.WriteFile(ctx, file, []byte(text), modules.Replacement{Plan: plan})
	return err
}

// manageKeyDir makes the directory of the file, unless manage_dir is off; that of an
// account it also closes to others.
func manageKeyDir(ctx context.Context, h *modules.Host, a authorizedKeyArgs, file string) error {
	dir := filepath.Dir(file)
	if !a.ManageDir || h.Check {
		return nil
	}
	made := false
	if !modules.Exists(dir) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return modules.Failf("Failed to create directory %s : %v", dir, err)
		}
		made = true
	}
	if !made && a.Path != nil {
		return nil
	}
	attrs := modules.FileArgs{Owner: a.User, Mode: int64(0o700)}
	if gid, ok := h.UserGroup(ctx, a.User); ok {
		attrs.Group = gid
	}
	plan, err := h.PlanAttrs(ctx, dir, attrs)
	if err != nil {
		return err
	}
	return h.ApplyAttrs(dir, plan)
}

// sshKey is one line of an authorized_keys file.
type sshKey struct {
	options, kind, blob, comment string
}

func (k sshKey) String() string {
	s := k.kind + " " + k.blob
	if k.options != "" {
		s = k.options + " " + s
	}
	if k.comment != "" {
		s += " " + k.comment
	}
	return s
}

// parseKey reads a line: options, which may hold blanks in quotes, type, key, comment.
func parseKey(line string) (k sshKey, ok bool) {
	words := quotedFields(line)
	at := slices.IndexFunc(words, isKeyType)
	if at < 0 || at > 1 || at+1 >= len(words) {
		return k, false
	}
	if at == 1 {
		k.options = words[0]
	}
	k.kind, k.blob = words[at], words[at+1]
	k.comment = strings.Join(words[at+2:], " ")
	return k, true
}

func isKeyType(w string) bool {
	switch w {
	case "ssh-rsa", "ssh-dss", "ssh-ed25519", "ssh-ed448", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
		"sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com":
		return true
	}
	return strings.HasSuffix(w, "-cert-v01@openssh.com")
}

// quotedFields splits at blanks outside double quotes and keeps the quotes.
func quotedFields(s string) []string {
	var out []string
	var word strings.Builder
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quoted && i+1 < len(s):
			word.WriteByte(c)
			i++
			word.WriteByte(s[i])
		case (c == ' ' || c == '\t' || c == '\r' || c == '\n') && !quoted:
			if word.Len() > 0 {
				out = append(out, word.String())
				word.Reset()
			}
		default:
			if c == '"' {
				quoted = !quoted
			}
			word.WriteByte(c)
		}
	}
	if word.Len() > 0 {
		out = append(out, word.String())
	}
	return out
}

// wantedKeys are the keys of the task.
func wantedKeys(a authorizedKeyArgs) ([]sshKey, error) {
	var keys []sshKey
	for line := range strings.Lines(a.Key) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		k, ok := parseKey(line)
		if !ok {
			return nil, modules.Failf("invalid key specified: %s", line)
		}
		if a.KeyOptions != nil {
			k.options = *a.KeyOptions
		}
		if a.Comment != nil {
			k.comment = *a.Comment
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// editKeys gives the file's new text: a key that is there keeps its place and, when only
// its options or comment differ, is rewritten.
func editKeys(text string, a authorizedKeyArgs) (string, error) {
	wanted, err := wantedKeys(a)
	if err != nil {
		return "", err
	}
	var out []string
	have := map[string]bool{}
	changed := false
	for _, line := range lines(text) {
		k, ok := parseKey(line)
		at := slices.IndexFunc(wanted, func(w sshKey) bool { return ok && w.kind == k.kind && w.blob == k.blob })
		switch {
		case at >= 0 && a.State == "absent", at < 0 && a.Exclusive && a.State == "present":
			changed = true
			continue
		case at >= 0:
			have[k.blob] = true
			if w := wanted[at]; w.options != k.options || w.comment != k.comment {
				line, changed = w.String()+"\n", true
			}
		}
		out = append(out, line)
	}
	for _, w := range wanted {
		if a.State == "present" && !have[w.blob] {
			have[w.blob], changed = true, true
			if n := len(out); n > 0 && !strings.HasSuffix(out[n-1], "\n") {
				out[n-1] += "\n"
			}
			out = append(out, w.String()+"\n")
		}
	}
	if !changed {
		return text, nil
	}
	return strings.Join(out, ""), nil
}
