package ansible

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"fettle/engine/template"
	"fettle/engine/value"
)

func init() {
	both := func(name, names string, f lookup) {
		register("community.general."+name, names, f)
		register(name, names, f)
	}
	both("cartesian", "", lookupCartesian)
	both("flattened", "", func(_ *template.Context, terms []value.Value, _ options) ([]value.Value, error) {
		return flatten(nil, terms, -1, false)
	})
	both("filetree", "exclude", lookupFiletree)
	both("dig", digOptions, lookupDig)
	both("dnstxt", "real_empty", lookupDNSTXT)
	both("random_string", "length upper lower numbers special min_lower min_upper min_numeric min_special override_special override_all base64 ignore_similar_chars similar_chars seed", lookupRandomString)
	both("collection_version", "result_not_found result_no_version", lookupCollectionVersion)
	both("passwordstore", passOptions, lookupPasswordStore)
	both("binary_file", "not_exist", lookupBinary)
}

func lookupCartesian(_ *template.Context, terms []value.Value, _ options) ([]value.Value, error) {
	if len(terms) == 0 {
		return nil, errors.New("with_cartesian requires at least one element in each list")
	}
	cols := make([][]value.Value, len(terms))
	for i, t := range terms {
		vs, err := items(t)
		if err != nil {
			return nil, err
		}
		cols[i] = vs
	}
	all, err := cartesian(cols)
	for i, t := range all {
		flat, err := flatten(nil, t.(value.Tuple), -1, false)
		if err != nil {
			return nil, err
		}
		all[i] = list(flat)
	}
	return all, err
}

// lookupCollectionVersion gives the versions of installed collections, by their manifests.
func lookupCollectionVersion(c *template.Context, terms []value.Value, o options) ([]value.Value, error) {
	out := make([]value.Value, len(terms))
	for i, t := range terms {
		ns, name, ok := strings.Cut(text(t), ".")
		if !ok || strings.Contains(name, ".") {
			return nil, fmt.Errorf("%q is not a FQCN", text(t))
		}
		out[i] = o.all["result_not_found"]
		for _, dir := range collectionDirs(c) {
			v, found := collectionVersion(filepath.Join(dir, "ansible_collections", ns, name))
			if !found {
				continue
			}
			if out[i] = v; v == "" {
				out[i] = o.text("result_no_version", "*")
			}
			break
		}
	}
	return out, nil
}

// collectionDirs are the directories of the setting COLLECTIONS_PATHS.
func collectionDirs(c *template.Context) []string {
	s, ok := c.Scope().(Settings)
	if !ok {
		return nil
	}
	v, _, _ := s.Setting("COLLECTIONS_PATHS", "", "")
	vs, err := items(v)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range vs {
		out = append(out, expandUser(text(e)))
	}
	return out
}

// collectionVersion is what the manifest of an installed collection says, or the galaxy.yml of
// one that is being written.
func collectionVersion(dir string) (version string, found bool) {
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		return "", false
	}
	var manifest struct {
		Info struct {
			Version string `json:"version"`
		} `json:"collection_info"`
	}
	if raw, err := os.ReadFile(filepath.Join(dir, "MANIFEST.json")); err == nil && json.Unmarshal(raw, &manifest) == nil {
		return manifest.Info.Version, true
	}
	raw, err := os.ReadFile(filepath.Join(dir, "galaxy.yml"))
	if err != nil {
		return "", true
	}
	for line := range strings.Lines(string(raw)) {
		if v, ok := strings.CutPrefix(line, "version:"); ok {
			return strings.Trim(strings.TrimSpace(v), `"'`), true
		}
	}
	return "", true
}

// lookupFiletree lists the files, directories and links below directories of the play.
func lookupFiletree(c *template.Context, terms []value.Value, o options) ([]value.Value, error) {
	out := []value.Value{}
	seen := map[string]bool{}
	for _, t := range terms {
		root, err := findFile(c, "files", text(t))
		if err != nil {
			continue
		}
		err = filepath.WalkDir(root, func(p string, _ fs.DirEntry, err error) error {
			rel, _ := filepath.Rel(root, p)
			if err != nil || rel == "." || seen[rel] || excluded(o, filepath.Base(p)) {
				return err
			}
			seen[rel] = true
			props, err := fileProperties(root, rel)
			if err == nil && props != nil {
				out = append(out, props)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func excluded(o options, name string) bool {
	if !o.has("exclude") {
		return false
	}
	re, err := compile(o.all["exclude"], nil, nil)
	if err != nil {
		return false
	}
	m, err := re.Match(name)
	return err == nil && m != nil
}

func fileProperties(root, rel string) (*value.Dict, error) {
	full := filepath.Join(root, rel)
	st, err := os.Lstat(full)
	if err != nil {
		return nil, err
	}
	d := value.DictOf("root", root, "path", rel)
	switch m := st.Mode(); {
	case m&os.ModeSymlink != 0:
		target, err := os.Readlink(full)
		if err != nil {
			return nil, err
		}
		d.SetString("state", "link")
		d.SetString("src", target)
	case m.IsDir():
		d.SetString("state", "directory")
	case m.IsRegular():
		d.SetString("state", "file")
		d.SetString("src", full)
	default:
		return nil, nil
	}
	uid, gid := owners(st)
	d.SetString("uid", uid)
	d.SetString("gid", gid)
	if u, err := user.LookupId(strconv.FormatInt(uid, 10)); err == nil {
		d.SetString("owner", u.Username)
	} else {
		d.SetString("owner", uid)
	}
	if g, err := user.LookupGroupId(strconv.FormatInt(gid, 10)); err == nil {
		d.SetString("group", g.Name)
	} else {
		d.SetString("group", gid)
	}
	d.SetString("mode", fmt.Sprintf("0%03o", st.Mode().Perm()|special12(st.Mode())))
	d.SetString("size", st.Size())
	d.SetString("mtime", float64(st.ModTime().UnixNano())/1e9)
	return d, nil
}

// special12 are the setuid, setgid and sticky bits as in a mode number.
func special12(m os.FileMode) os.FileMode {
	var out os.FileMode
	for bit, n := range map[os.FileMode]os.FileMode{os.ModeSetuid: 0o4000, os.ModeSetgid: 0o2000, os.ModeSticky: 0o1000} {
		if m&bit != 0 {
			out |= n
		}
	}
	return out
}

const passOptions = "directory subkey returnall !create !overwrite !length !backup !umask !userpass !nosymbols !missing !missing_subkey !lock !locktimeout !backend !timestamp !preserve"

// lookupPasswordStore reads a secret with the program pass.
func lookupPasswordStore(c *template.Context, terms []value.Value, o options) ([]value.Value, error) {
	out := []value.Value{}
	for _, t := range terms {
		name, own := o.inline(text(t), strings.ReplaceAll(passOptions, "!", ""))
		for _, option := range strings.Fields(passOptions) {
			if refused, ok := strings.CutPrefix(option, "!"); ok && own.has(refused) {
				return nil, fmt.Errorf("the option %q is not supported", refused)
			}
		}
		cmd := exec.CommandContext(c.Ctx(), "pass", "show", name)
		if dir := own.text("directory", ""); dir != "" {
			cmd.Env = append(os.Environ(), "PASSWORD_STORE_DIR="+expandUser(dir))
		}
		raw, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("passwordstore: cannot read %q: %w", name, err)
		}
		v, err := passField(string(raw), own)
		if err != nil {
			return nil, err
		}
		out = append(out, value.Mark(v, true))
	}
	return out, nil
}

func passField(content string, o options) (value.Value, error) {
	lines := splitLines(content)
	if o.bool("returnall", false) {
		return strings.Join(lines, "\n"), nil
	}
	key := o.text("subkey", "password")
	if key == "password" && len(lines) > 0 {
		return lines[0], nil
	}
	for _, l := range lines {
		if k, v, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v), nil
		}
	}
	return nil, fmt.Errorf("passwordstore: there is no subkey %q", key)
}

func lookupBinary(c *template.Context, terms []value.Value, o options) ([]value.Value, error) {
	out := []value.Value{}
	for _, t := range terms {
		p, err := findFile(c, "files", text(t))
		if err != nil {
			switch how := o.text("not_exist", "error"); how {
			case "empty":
				continue
			case "empty_str":
				out = append(out, "")
				continue
			default:
				return nil, err
			}
		}
		raw, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		v, err := b64encode(nil, []value.Value{raw, "utf-8", false})
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

var stringClasses = []struct{ name, least, chars string }{
	{"upper", "min_upper", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
	{"lower", "min_lower", "abcdefghijklmnopqrstuvwxyz"},
	{"numbers", "min_numeric", "0123456789"},
	{"special", "min_special", charClasses["punctuation"]},
}

func lookupRandomString(_ *template.Context, _ []value.Value, o options) ([]value.Value, error) {
	length, err := o.int("length", 8)
	if err != nil || length < 0 || length > 1<<20 {
		return nil, errors.Join(err, errors.New("random_string: the length must be between 0 and 1048576"))
	}
	r, err := newRandom(o.all["seed"])
	if err != nil {
		return nil, err
	}
	similar := ""
	if o.bool("ignore_similar_chars", false) {
		similar = o.text("similar_chars", "il1LoO0")
	}
	choose := func(set string, n int64) (string, error) {
		set = strings.Map(func(c rune) rune {
			if strings.ContainsRune(similar, c) {
				return -1
			}
			return c
		}, set)
		if set == "" && n > 0 {
			return "", errors.New("available characters cannot be None, please change constraints")
		}
		var b strings.Builder
		for range n {
			b.WriteByte(set[below(r, int64(len(set)))])
		}
		return b.String(), nil
	}
	var all, out string
	for _, class := range stringClasses {
		chars := class.chars
		if class.name == "special" {
			chars = o.text("override_special", chars)
		}
		least, err := o.int(class.least, 0)
		if err != nil {
			return nil, err
		}
		if o.bool(class.name, true) {
			all += chars
		}
		part, err := choose(chars, least)
		if err != nil {
			return nil, err
		}
		out += part
	}
	rest, err := choose(o.text("override_all", all), max(length-int64(len(out)), 0))
	if err != nil {
		return nil, err
	}
	s := string(shuffled(r, []byte(out+rest)))
	if o.bool("base64", false) {
		v, err := b64encode(nil, []value.Value{s, "utf-8", false})
		return []value.Value{v}, err
	}
	return []value.Value{s}, nil
}
