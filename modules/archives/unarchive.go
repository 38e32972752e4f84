package archives

import (
	"context"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"fettle/engine/pyre"
	"fettle/modules"
)

// The controller's half offers the archive as the source "src", unless remote_src is on
// or copy is off; then src is a path of the host or a URL.

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.unarchive",
		Extra:   true,
		Summary: "Unpack a tar or zip archive on the host.",
		Notes: []string{"Archives are unpacked without the host's tar and unzip; xz and zstd need the program of that name there.",
			"A member that would land outside of dest fails the task.",
			"Of extra_opts, --strip-components, --no-same-owner, --same-owner and --overwrite are supported."},
		Check: modules.Full,
		Diff:  modules.None,
		Rules: modules.Rules{modules.Exclusive("include", "exclude")},
		Examples: `
- name: An archive of the controller
  ansible.builtin.unarchive:
    src: foo.tgz
    dest: /var/lib/foo

- name: One that the host downloads
  ansible.builtin.unarchive:
    src: https://example.com/example.zip
    dest: /usr/local/bin
    remote_src: true
`,
	}, unarchive)
}

type unarchiveArgs struct {
	Src           string   `arg:"src,required" type:"path" doc:"The archive."`
	Dest          string   `arg:"dest,required" type:"path" doc:"The directory to unpack in; it has to be there."`
	RemoteSrc     bool     `arg:"remote_src" default:"false" doc:"src is on the host, or a URL."`
	Copy          bool     `arg:"copy" default:"true" doc:"The opposite of remote_src."`
	Creates       string   `arg:"creates" type:"path" doc:"Do nothing when this exists."`
	Include       []string `arg:"include" default:"" doc:"Unpack only members that match."`
	Exclude       []string `arg:"exclude" default:"" doc:"Leave out members that match."`
	KeepNewer     bool     `arg:"keep_newer" default:"false" doc:"Leave files that are newer than the archive's."`
	ListFiles     bool     `arg:"list_files" default:"false" doc:"Return the names of the members."`
	ExtraOpts     []string `arg:"extra_opts" default:"" doc:"Options of tar."`
	IOBufferSize  int64    `arg:"io_buffer_size" default:"65536" doc:"Of no meaning here: the archive is streamed."`
	Decrypt       bool     `arg:"decrypt" default:"true" doc:"Decrypt a vaulted source."`
	ValidateCerts bool     `arg:"validate_certs" default:"true" doc:"Check the certificate of a URL."`
	modules.FileArgs
}

type unarchiveReturn struct {
	Dest    string   `json:"dest,omitempty" doc:"The directory." returned:"success"`
	Src     string   `json:"src,omitempty" doc:"The archive." returned:"success"`
	Handler string   `json:"handler,omitempty" doc:"The kind of archive." returned:"success"`
	Files   []string `json:"files,omitempty" doc:"The members." returned:"list_files"`
	modules.PathInfo
}

func unarchive(ctx context.Context, h *modules.Host, a unarchiveArgs) (r modules.Result[unarchiveReturn], err error) {
	if a.Creates != "" && modules.Exists(a.Creates) {
		r.Msg = "skipped, since " + a.Creates + " exists"
		return r, nil
	}
	u := &unpacker{ctx: ctx, h: h, a: a}
	if err := u.options(); err != nil {
		return r, err
	}
	file, err := u.open()
	if err != nil {
		return r, err
	}
	defer file.Close()
	if !modules.IsDir(a.Dest) {
		return r, modules.Failf("dest '%s' must be an existing dir", a.Dest)
	}
	if u.root, err = os.OpenRoot(a.Dest); err != nil {
		return r, err
	}
	defer u.root.Close()
	handler, err := u.unpack(file)
	if err == nil {
		err = u.attributes()
	}
	r.Data = unarchiveReturn{Dest: a.Dest, Src: a.Src, Handler: handler, PathInfo: h.PathInfo(ctx, a.Dest)}
	if a.ListFiles {
		r.Data.Files = u.listing
	}
	return r, err
}

// options reads extra_opts, include and exclude.
func (u *unpacker) options() error {
	u.sameOwner = os.Geteuid() == 0
	for i := 0; i < len(u.a.ExtraOpts); i++ {
		name, v, has := strings.Cut(u.a.ExtraOpts[i], "=")
		switch name {
		case "--strip-components", "--strip":
			if !has && i+1 < len(u.a.ExtraOpts) {
				i++
				v = u.a.ExtraOpts[i]
			}
			n, err := strconv.Atoi(v)
			if err != nil || n < 0 {
				return modules.Failf("extra_opts: %s needs a number, not %q", name, v)
			}
			u.strip = n
		case "--no-same-owner", "-o":
			u.sameOwner = false
		case "--same-owner":
			u.sameOwner = true
		case "--overwrite", "":
		default:
			return modules.Failf("extra_opts: %q is not supported", u.a.ExtraOpts[i])
		}
	}
	var err error
	if u.include, err = modules.NamePatterns("include", u.a.Include, false); err != nil {
		return err
	}
	u.exclude, err = modules.NamePatterns("exclude", u.a.Exclude, false)
	return err
}

// open gives the archive as a file of the host.
func (u *unpacker) open() (*os.File, error) {
	src, offered := u.h.Sources["src"]
	if !offered {
		path := u.a.Src
		if strings.Contains(path, "://") {
			var err error
			if path, err = u.h.Fetch(u.ctx, path, u.a.ValidateCerts); err != nil {
				return nil, err
			}
		}
		f, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			return nil, modules.Failf("Source '%s' does not exist", path)
		}
		if err != nil {
			return nil, modules.Failf("Source '%s' not readable", path)
		}
		return f, nil
	}
	dir, err := u.h.TempDir()
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "archive"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	from, err := src.Open(u.ctx)
	if err == nil {
		_, err = io.Copy(f, modules.WithContext(u.ctx, from))
		err = errors.Join(err, from.Close())
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// name is where a member goes, relative to dest; "" when it is left out.
func (u *unpacker) name(member string) (string, error) {
	clean := strings.TrimPrefix(member, "./")
	if path.IsAbs(clean) || slices.Contains(strings.Split(clean, "/"), "..") {
		return "", modules.Failf("the archive has a member outside of the directory: %q", member)
	}
	parts := strings.Split(strings.Trim(path.Clean(clean), "/"), "/")
	if len(parts) <= u.strip {
		return "", nil
	}
	listed := strings.TrimSuffix(clean, "/")
	if len(u.include) > 0 {
		if ok, err := anyMatch(u.include, listed); !ok || err != nil {
			return "", err
		}
	}
	if ok, err := anyMatch(u.exclude, listed); ok || err != nil {
		return "", err
	}
	name := path.Join(parts[u.strip:]...)
	if name == "." {
		return "", nil
	}
	return name, nil
}

// anyMatch matches a name, or one of the directories it is in, against patterns.
func anyMatch(res []*pyre.Regexp, name string) (bool, error) {
	for ; name != "." && name != "" && name != "/"; name = path.Dir(name) {
		for _, re := range res {
			if m, err := re.Match(name); m != nil || err != nil {
				return m != nil, err
			}
		}
	}
	return false, nil
}

// attributes sets owner, mode and so on of everything that was unpacked.
func (u *unpacker) attributes() error {
	for _, name := range u.names {
		full := filepath.Join(u.a.Dest, name)
		if !modules.Exists(full) {
			continue // check mode
		}
		plan, err := u.h.PlanAttrs(u.ctx, full, u.a.FileArgs)
		if err != nil {
			return err
		}
		if err := u.h.ApplyAttrs(full, plan); err != nil {
			return err
		}
	}
	return nil
}
