package runner

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"fettle/engine/wire"
)

//go:embed embed
var embedded embed.FS

// Binary is a runner program for one platform.
type Binary struct {
	OS, Arch string
	SHA256   string // hex, of the program
	Size     int64
	// packed gives the program compressed with gzip; the second program with xz.
	packed func() ([]byte, error)
}

// Binaries are the runners that can be placed, by platform.
type Binaries struct {
	list  []*Binary
	extra []*Binary // the second programs
	dir   string    // where more can be put
	// self is a program that acts as a runner on this machine; "" when there is none.
	self string
}

// Embedded gives the runners built into the program, and those in the directory runners
// beside it. self is the path of the running program when it acts as a runner (called with
// serve.Word): it serves this machine, and hosts of its own platform when no runner was
// built in for them.
func Embedded(self string) (*Binaries, error) {
	b := &Binaries{self: self}
	built, err := fs.Sub(embedded, "embed")
	if err != nil {
		return nil, err
	}
	if err := b.add(built); err != nil {
		return nil, err
	}
	if exe, err := os.Executable(); err == nil {
		b.dir = filepath.Join(filepath.Dir(exe), "runners")
		if err := b.add(os.DirFS(b.dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: %w", b.dir, err)
		}
	}
	if self != "" && b.find(runtime.GOOS, runtime.GOARCH) == nil {
		x, err := ownBinary(self)
		if err != nil {
			return nil, err
		}
		b.list = append(b.list, x)
	}
	return b, nil
}

// add takes the programs of a directory: NAME-OS-ARCH.sum with hash and size, and .gz, or
// .xz for the second program. The first for a platform is taken.
func (b *Binaries) add(dir fs.FS) error {
	sums, err := fs.Glob(dir, "fettle-*.sum")
	if err != nil {
		return err
	}
	for _, file := range sums {
		name := strings.TrimSuffix(file, ".sum")
		platform, isRunner := strings.CutPrefix(name, "fettle-runner-")
		list, ext := &b.list, ".gz"
		if !isRunner {
			platform, list, ext = strings.TrimPrefix(name, "fettle-extra-"), &b.extra, ".xz"
		}
		x := &Binary{packed: func() ([]byte, error) { return fs.ReadFile(dir, name+ext) }}
		x.OS, x.Arch, _ = strings.Cut(platform, "-")
		sum, err := fs.ReadFile(dir, file)
		if err != nil {
			return err
		}
		if _, err := fmt.Sscan(string(sum), &x.SHA256, &x.Size); err != nil || len(x.SHA256) != 64 {
			return fmt.Errorf("the runner for %s is damaged: bad checksum file", platform)
		}
		if find(*list, x.OS, x.Arch) == nil {
			*list = append(*list, x)
		}
	}
	return nil
}

// unsupported says what can be done about a platform without runner. The modules are
// written for Linux; other systems have raw only.
func (b *Binaries) unsupported(uname string) string {
	msg := fmt.Sprintf("there is no runner for its platform, %s", uname)
	for arch, names := range machines {
		if name, found := strings.CutPrefix(uname, "Linux "); found && slices.Contains(names, name) {
			return msg + fmt.Sprintf(": build it with \"make runners RUNNERS=linux-%s\" and put the files of that name from bin/runners into %s", arch, b.dir)
		}
	}
	return msg
}

// extraFor is the second program for the machine of a runner that lacks the extra modules.
func (b *Binaries) extraFor(h *wire.Hello) (*Binary, error) {
	if x := find(b.extra, h.OS, h.Arch); x != nil {
		return x, nil
	}
	return nil, fmt.Errorf("there is no fettle-extra-%s-%s, which has this module: put it into %s", h.OS, h.Arch, b.dir)
}

// Own gives only the running program, at path self, as a runner: for tests, where what is
// built in may be older than what is tested.
func Own(self string) (*Binaries, error) {
	x, err := ownBinary(self)
	if err != nil {
		return nil, err
	}
	return &Binaries{list: []*Binary{x}, self: self}, nil
}

// Platforms lists what can be placed, as OS-ARCH.
func (b *Binaries) Platforms() (out []string) {
	for _, x := range b.list {
		out = append(out, x.OS+"-"+x.Arch)
	}
	return out
}

func (b *Binaries) find(os, arch string) *Binary { return find(b.list, os, arch) }

func find(list []*Binary, os, arch string) *Binary {
	for _, x := range list {
		if x.OS == os && x.Arch == arch {
			return x
		}
	}
	return nil
}

// ownBinary makes a runner of the running program.
func ownBinary(path string) (*Binary, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read this program: %w", err)
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return nil, fmt.Errorf("cannot read this program: %w", err)
	}
	pack := sync.OnceValues(func() ([]byte, error) { return packFile(path) })
	return &Binary{OS: runtime.GOOS, Arch: runtime.GOARCH, SHA256: hex.EncodeToString(h.Sum(nil)), Size: n, packed: pack}, nil
}

func packFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(z, f); err != nil {
		return nil, err
	}
	err = z.Close()
	return out.Bytes(), err
}

// content gives the program, compressed or not.
func (b *Binary) content(compressed bool) ([]byte, error) {
	p, err := b.packed()
	if err != nil || compressed {
		return p, err
	}
	z, err := gzip.NewReader(bytes.NewReader(p))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// file is the name of the program on hosts.
func (b *Binary) file() string { return "fettle-runner-" + b.SHA256[:32] }

// machines are what uname -m says on a platform.
var machines = map[string][]string{
	"amd64": {"x86_64", "amd64"}, "arm64": {"aarch64", "arm64"}, "386": {"i386", "i486", "i586", "i686"},
	"arm": {"armv6l", "armv7l", "armv8l"}, "riscv64": {"riscv64"}, "ppc64le": {"ppc64le"}, "s390x": {"s390x"},
}

var systems = map[string]string{"linux": "Linux", "freebsd": "FreeBSD", "openbsd": "OpenBSD", "darwin": "Darwin"}

// unames are the answers of uname -sm that the binary is for.
func (b *Binary) unames() []string {
	var out []string
	for _, m := range machines[b.Arch] {
		out = append(out, systems[b.OS]+" "+m)
	}
	return out
}

// forUname finds the binary for an answer of uname -sm.
func (b *Binaries) forUname(uname string) *Binary {
	for _, x := range b.list {
		for _, u := range x.unames() {
			if u == uname {
				return x
			}
		}
	}
	return nil
}
