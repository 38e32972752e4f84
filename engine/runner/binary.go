package runner

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
)

//go:embed embed
var embedded embed.FS

// Binary is a runner program for one platform.
type Binary struct {
	OS, Arch string
	SHA256   string // hex, of the program
	Size     int64
	// packed gives the program compressed with gzip.
	packed func() ([]byte, error)
}

// Binaries are the runners that can be placed, by platform.
type Binaries struct {
	list []*Binary
	// self is a program that acts as a runner on this machine; "" when there is none.
	self string
}

// Embedded gives the runners built into the program. self is the path of the running
// program when it acts as a runner (called with serve.Word): it serves this machine, and
// hosts of its own platform when no runner was built in for them.
func Embedded(self string) (*Binaries, error) {
	b := &Binaries{self: self}
	files, err := embedded.ReadDir("embed")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), ".sum")
		if !ok {
			continue
		}
		sum, err := embedded.ReadFile("embed/" + f.Name())
		if err != nil {
			return nil, err
		}
		x := &Binary{packed: func() ([]byte, error) { return embedded.ReadFile("embed/" + name + ".gz") }}
		platform := strings.TrimPrefix(name, "fettle-runner-")
		x.OS, x.Arch, _ = strings.Cut(platform, "-")
		if _, err := fmt.Sscan(string(sum), &x.SHA256, &x.Size); err != nil || len(x.SHA256) != 64 {
			return nil, fmt.Errorf("the built-in runner for %s is damaged: bad checksum file", platform)
		}
		b.list = append(b.list, x)
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

func (b *Binaries) find(os, arch string) *Binary {
	for _, x := range b.list {
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
