package files

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"slices"
	"strings"

	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.known_hosts",
		Summary: "Keep the key of a host in a known_hosts file.",
		Check:   modules.Full,
		Diff:    modules.Full,
		Examples: `
- name: The key of a git server
  ansible.builtin.known_hosts:
    name: git.example.org
    key: "{{ lookup('ansible.builtin.file', 'git.example.org.pub') }}"
    path: /etc/ssh/ssh_known_hosts
`,
	}, knownHosts)
}

type knownHostsArgs struct {
	Name     string  `arg:"name,required" alias:"host" doc:"The host, with a port as [host]:port."`
	Key      *string `arg:"key" doc:"The line of the file: host, type, key."`
	Path     string  `arg:"path" type:"path" default:"~/.ssh/known_hosts" doc:"The file."`
	HashHost bool    `arg:"hash_host" default:"no" doc:"Write the name so that it cannot be read."`
	State    string  `arg:"state" default:"present" choices:"absent,present" doc:"Shall it be there?"`
}

type knownHostsReturn struct {
	Name     string  `json:"name,omitempty" doc:"As given." returned:"success, not in check mode"`
	Key      *string `json:"key" doc:"As given." returned:"success, not in check mode"`
	Path     string  `json:"path,omitempty" doc:"The file." returned:"success, not in check mode"`
	HashHost *bool   `json:"hash_host,omitempty" doc:"As given." returned:"success, not in check mode"`
	modules.PathInfo
}

func knownHosts(ctx context.Context, h *modules.Host, a knownHostsArgs) (r modules.Result[*knownHostsReturn], err error) {
	r.OneDiff = true
	if strings.Contains(a.Name, ",") {
		return r, modules.Failf("Comma separated list of names is not supported. Please pass a single name to lookup in the known_hosts file.")
	}
	var key hostKey
	if a.Key != nil {
		k, ok := parseHostKey(*a.Key)
		if !ok || !k.covers(a.Name) {
			return r, modules.Failf("Host parameter does not match hashed host field in supplied key")
		}
		key = k
	} else if a.State == "present" {
		return r, modules.Failf("No key specified when adding a host")
	}
	text, exists, err := readText(h, a.Path)
	if err != nil {
		return r, err
	}
	want := editKnownHosts(text, a, key)
	if want != text {
		if !exists {
			if err := parentOf(h, a.Path); err != nil {
				return r, err
			}
		}
		if _, err := h.WriteFile(ctx, modules.RealPath(a.Path), []byte(want), modules.Replacement{}); err != nil {
			return r, err
		}
	}
	d := modules.Diff{Before: text, After: want, BeforeHeader: a.Path, AfterHeader: a.Path}
	if !exists {
		d.BeforeHeader = "/dev/null"
	}
	r.Diff, r.AlwaysDiff = []modules.Diff{d}, true
	if h.Check {
		return r, nil
	}
	r.Data = &knownHostsReturn{a.Name, a.Key, a.Path, &a.HashHost, modules.PathInfo{State: a.State}}
	if info := h.PathInfo(ctx, a.Path); info.State != "" {
		r.Data.PathInfo = info
	}
	return r, nil
}

// hostKey is one line of a known_hosts file.
type hostKey struct{ marker, hosts, kind, blob string }

func parseHostKey(line string) (k hostKey, ok bool) {
	f := strings.Fields(line)
	if len(f) > 0 && strings.HasPrefix(f[0], "@") {
		k.marker, f = f[0], f[1:]
	}
	if len(f) < 3 || strings.HasPrefix(f[0], "#") {
		return k, false
	}
	k.hosts, k.kind, k.blob = f[0], f[1], f[2]
	return k, true
}

// matches tells whether the line is about name; the names may be hashed.
func (k hostKey) matches(name string) bool {
	for n := range strings.SplitSeq(k.hosts, ",") {
		if strings.EqualFold(n, name) || hashMatches(n, name) {
			return true
		}
	}
	return false
}

// covers tells whether the names of the line, which may be patterns, are about name.
func (k hostKey) covers(name string) bool {
	found := false
	for n := range strings.SplitSeq(k.hosts, ",") {
		pattern, not := strings.CutPrefix(strings.ToLower(n), "!")
		if ok := hostPattern(pattern, strings.ToLower(name)); ok && not {
			return false
		} else if ok {
			found = true
		}
	}
	return found || k.matches(name)
}

func hostPattern(pattern, name string) bool {
	re, err := modules.NamePatterns("key", []string{pattern}, false)
	if err != nil {
		return false
	}
	m, err := re[0].FullMatch(name)
	return err == nil && m != nil
}

func hashMatches(hashed, name string) bool {
	parts := strings.Split(hashed, "|")
	if len(parts) != 4 || parts[0] != "" || parts[1] != "1" {
		return false
	}
	salt, err1 := base64.StdEncoding.DecodeString(parts[2])
	sum, err2 := base64.StdEncoding.DecodeString(parts[3])
	return err1 == nil && err2 == nil && hmac.Equal(sum, hashName(salt, name))
}

func hashName(salt []byte, name string) []byte {
	m := hmac.New(sha1.New, salt)
	m.Write([]byte(strings.ToLower(name)))
	return m.Sum(nil)
}

// hashedLine is the key under a name that cannot be read.
func hashedLine(k hostKey, name string) string {
	salt := make([]byte, sha1.Size)
	_, _ = rand.Read(salt)
	enc := base64.StdEncoding.EncodeToString
	s := "|1|" + enc(salt) + "|" + enc(hashName(salt, name)) + " " + k.kind + " " + k.blob + "\n"
	if k.marker != "" {
		s = k.marker + " " + s
	}
	return s
}

// editKnownHosts removes lines of the host that hold another key of the same kind (or,
// for absent, the key, or all when none is given) and adds the key where it is missing. A
// line with a marker (@cert-authority, @revoked) goes only when it is the very key: there may
// be several. As in Ansible a line that names other hosts too is replaced as a whole.
func editKnownHosts(text string, a knownHostsArgs, key hostKey) string {
	all := lines(text)
	have := false
	kept := slices.DeleteFunc(slices.Clone(all), func(l string) bool {
		k, ok := parseHostKey(l)
		if !ok || !k.matches(a.Name) {
			return false
		}
		same := k.marker == key.marker && k.kind == key.kind && k.blob == key.blob
		if a.State == "absent" {
			return same || a.Key == nil && k.marker == ""
		}
		if same && (a.HashHost && strings.HasPrefix(k.hosts, "|") || !a.HashHost && k.hosts == key.hosts) {
			have = true
			return false
		}
		return same || k.marker == "" && k.kind == key.kind
	})
	if a.State == "present" && !have {
		if n := len(kept); n > 0 && !strings.HasSuffix(kept[n-1], "\n") {
			kept[n-1] += "\n"
		}
		line := strings.TrimRight(*a.Key, "\r\n") + "\n"
		if a.HashHost {
			line = hashedLine(key, a.Name)
		}
		kept = append(kept, line)
	}
	return strings.Join(kept, "")
}
