package ansible

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
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
	both("dig", "qtype flat retry_servfail fail_on_error real_empty", lookupDig)
	both("dnstxt", "real_empty", func(c *template.Context, terms []value.Value, _ options) ([]value.Value, error) {
		return eachName(c.Ctx(), terms, "TXT")
	})
	both("random_string", "length upper lower numbers special min_lower min_upper min_numeric min_special override_special override_all base64 ignore_similar_chars similar_chars seed", lookupRandomString)
	both("collection_version", "result_not_found result_no_version", func(_ *template.Context, terms []value.Value, o options) ([]value.Value, error) {
		out := make([]value.Value, len(terms))
		for i := range terms {
			out[i] = o.all["result_not_found"] // collections are built in and have no versions
		}
		return out, nil
	})
	both("passwordstore", "directory subkey returnall", lookupPasswordStore)
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

func lookupDig(c *template.Context, terms []value.Value, o options) ([]value.Value, error) {
	kind := strings.ToUpper(o.text("qtype", "A"))
	var names []value.Value
	resolver := net.DefaultResolver
	for _, t := range terms {
		s := text(t)
		switch {
		case strings.HasPrefix(s, "@"):
			resolver = resolverOf(s[1:])
		case strings.HasPrefix(s, "qtype="):
			kind = strings.ToUpper(s[len("qtype="):])
		case strings.Contains(s, "="):
			return nil, fmt.Errorf("the dig lookup does not support %q", s)
		default:
			if name, k, ok := strings.Cut(s, "/"); ok {
				s, kind = name, strings.ToUpper(k)
			}
			names = append(names, s)
		}
	}
	out := []value.Value{}
	for _, n := range names {
		vs, err := resolve(c.Ctx(), resolver, text(n), kind)
		var missing *net.DNSError
		if errors.As(err, &missing) && missing.IsNotFound && !o.bool("fail_on_error", false) {
			vs, err = []string{"NXDOMAIN"}, nil
		}
		if err != nil {
			return nil, err
		}
		out = append(out, texts(vs).V...)
	}
	return out, nil
}

func resolverOf(server string) *net.Resolver {
	if _, _, err := net.SplitHostPort(server); err != nil {
		server = net.JoinHostPort(server, "53")
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server)
	}}
}

func eachName(ctx context.Context, terms []value.Value, kind string) ([]value.Value, error) {
	out := []value.Value{}
	for _, t := range terms {
		vs, err := resolve(ctx, net.DefaultResolver, text(t), kind)
		if err != nil {
			return nil, err
		}
		out = append(out, strings.Join(vs, ""))
	}
	return out, nil
}

func resolve(ctx context.Context, r *net.Resolver, name, kind string) ([]string, error) {
	var out []string
	switch kind {
	case "A", "AAAA":
		ips, err := r.LookupIP(ctx, map[string]string{"A": "ip4", "AAAA": "ip6"}[kind], name)
		for _, ip := range ips {
			out = append(out, ip.String())
		}
		return out, err
	case "CNAME":
		s, err := r.LookupCNAME(ctx, name)
		return []string{s}, err
	case "TXT":
		return r.LookupTXT(ctx, name)
	case "PTR":
		return r.LookupAddr(ctx, name)
	case "MX":
		mx, err := r.LookupMX(ctx, name)
		for _, m := range mx {
			out = append(out, fmt.Sprintf("%d %s", m.Pref, m.Host))
		}
		return out, err
	case "NS":
		ns, err := r.LookupNS(ctx, name)
		for _, n := range ns {
			out = append(out, n.Host)
		}
		return out, err
	case "SRV":
		_, srv, err := r.LookupSRV(ctx, "", "", name)
		for _, s := range srv {
			out = append(out, fmt.Sprintf("%d %d %d %s", s.Priority, s.Weight, s.Port, s.Target))
		}
		return out, err
	}
	return nil, fmt.Errorf("the dig lookup does not support records of type %s", kind)
}

// lookupPasswordStore reads a secret with the program pass.
func lookupPasswordStore(c *template.Context, terms []value.Value, o options) ([]value.Value, error) {
	out := []value.Value{}
	for _, t := range terms {
		name, own := o.inline(text(t), "directory subkey returnall create overwrite length backup")
		for _, refused := range []string{"create", "overwrite", "backup"} {
			if own.bool(refused, false) {
				return nil, fmt.Errorf("the passwordstore lookup does not support %s", refused)
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
