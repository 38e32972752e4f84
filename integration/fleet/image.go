package fleet

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// What is in the images. A change makes new images: their names carry a hash of
// these and of the scripts.
const (
	basePackages = "openssh-server,openssh-client,openssh-sftp-server,sudo,systemd,systemd-sysv,dbus,libpam-systemd,cron,procps," +
		"iproute2,iputils-ping,ca-certificates,acl,attr,git,unzip,zip,bzip2,xz-utils,zstd,rsync,curl,less,netbase,kmod,tzdata,psmisc"
	pythonPackages = "python3 python3-apt"
	shellPackages  = "fish tcsh"
)

// The scripts that finish the images; they run inside, as root.
var (
	//go:embed scripts/base.sh
	baseScript string
	//go:embed scripts/layer.sh
	layerScript string
	//go:embed scripts/busybox.sh
	busyboxScript string
	//go:embed scripts/chroot.sh
	chrootScript string
)

// image is a stack of overlay layers, the topmost first.
type image struct {
	suite  string
	layers []string
}

// CacheDir is where images are kept.
func CacheDir() string {
	if d := os.Getenv("FETTLE_FLEET_CACHE"); d != "" {
		return d
	}
	return "/var/cache/fettle-fleet"
}

func (g Group) suite() string {
	if g.Suite == "" {
		return "bookworm"
	}
	return g.Suite
}

// imageOf names the layers a group needs, whether they exist or not.
func imageOf(g Group) image {
	suite := g.suite()
	base := layerDir(suite, "base", basePackages, baseScript)
	if g.Busybox {
		return image{suite, []string{layerDir(suite, "busybox", base, busyboxScript)}}
	}
	img := image{suite, []string{base}}
	if g.Python {
		img.layers = append([]string{layerDir(suite, "python", base, pythonPackages, layerScript)}, img.layers...)
	}
	if g.Shell != "" && g.Shell != "/bin/sh" && g.Shell != "/bin/bash" {
		img.layers = append([]string{layerDir(suite, "shells", base, shellPackages, layerScript)}, img.layers...)
	}
	if len(g.Packages) > 0 {
		img.layers = append([]string{layerDir(suite, "with-"+strings.Join(g.Packages, "-"), base, layerScript)}, img.layers...)
	}
	return img
}

func layerDir(suite, name string, recipe ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(recipe, "\x00")))
	return filepath.Join(CacheDir(), fmt.Sprintf("%s-%s-%s-%x", suite, runtime.GOARCH, name, sum[:4]))
}

func imageReady(g Group) bool {
	for _, dir := range imageOf(g).layers {
		if _, err := os.Stat(dir); err != nil {
			return false
		}
	}
	return true
}

// ensureImage returns the group's image and builds what is missing of it.
func ensureImage(ctx context.Context, g Group) (image, error) {
	img := imageOf(g)
	if imageReady(g) {
		return img, nil
	}
	if err := os.MkdirAll(CacheDir(), 0o755); err != nil {
		return img, err
	}
	lock, err := os.OpenFile(filepath.Join(CacheDir(), "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return img, err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return img, err
	}
	base := layerDir(img.suite, "base", basePackages, baseScript)
	if err := ensureLayer(base, func(tmp string) error { return buildBase(ctx, img.suite, tmp) }); err != nil {
		return img, err
	}
	for i := len(img.layers) - 1; i >= 0; i-- {
		dir := img.layers[i]
		err := ensureLayer(dir, func(tmp string) error {
			switch {
			case strings.Contains(filepath.Base(dir), "-busybox-"):
				return run(ctx, "sh", "-euc", busyboxScript, "busybox.sh", base, tmp)
			case strings.Contains(filepath.Base(dir), "-shells-"):
				return buildOver(ctx, base, tmp, shellPackages)
			case strings.Contains(filepath.Base(dir), "-with-"):
				return buildOver(ctx, base, tmp, strings.Join(g.Packages, " "))
			}
			return buildOver(ctx, base, tmp, pythonPackages)
		})
		if err != nil {
			return img, err
		}
	}
	return img, nil
}

// ensureLayer builds into a temporary directory beside dir and renames it.
func ensureLayer(dir string, build func(tmp string) error) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	tmp := dir + ".building"
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	if err := os.Mkdir(tmp, 0o755); err != nil {
		return err
	}
	if err := build(tmp); err != nil {
		return errors.Join(fmt.Errorf("cannot build image %s: %w", filepath.Base(dir), err), os.RemoveAll(tmp))
	}
	return os.Rename(tmp, dir)
}

func buildBase(ctx context.Context, suite, dir string) error {
	sources, mirror, err := aptSources(suite)
	if err != nil {
		return err
	}
	debs := filepath.Join(CacheDir(), "deb")
	if err := os.MkdirAll(debs, 0o755); err != nil {
		return err
	}
	if err := run(ctx, "nice", "debootstrap", "--variant=minbase", "--cache-dir="+debs, "--include="+basePackages, suite, dir, mirror); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, "etc/apt/sources.list")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "etc/apt/sources.list.d/host.sources"), []byte(sources), 0o644); err != nil {
		return err
	}
	conf, err := aptConf(ctx)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "etc/apt/apt.conf.d/90host"), []byte(conf), 0o644); err != nil {
		return err
	}
	return inChroot(ctx, dir, "", baseScript, Password)
}

// buildOver installs packages into a layer over base.
func buildOver(ctx context.Context, base, dir, packages string) error {
	return inChroot(ctx, base, dir, layerScript, strings.Fields(packages)...)
}

// inChroot runs a script in lower, or in an overlay of lower that writes to
// upper, in a mount and process namespace of its own.
func inChroot(ctx context.Context, lower, upper, script string, args ...string) error {
	argv := append([]string{"unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "sh", "-euc", chrootScript, "chroot.sh", lower, upper, script}, args...)
	return run(ctx, "nice", argv...)
}

// aptSources is this machine's own deb822 sources turned to suite, and the
// mirror they name first.
func aptSources(suite string) (sources, mirror string, err error) {
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "", "", err
	}
	own := ""
	for line := range strings.Lines(string(release)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "VERSION_CODENAME="); ok {
			own = v
		}
	}
	b, err := os.ReadFile("/etc/apt/sources.list.d/debian.sources")
	if err != nil {
		return "", "", fmt.Errorf("cannot tell this machine's Debian mirror: %w", err)
	}
	var out strings.Builder
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		if v, ok := strings.CutPrefix(line, "URIs:"); ok && mirror == "" {
			mirror = strings.Fields(v)[0]
		}
		if strings.HasPrefix(line, "Suites:") && own != "" {
			line = strings.ReplaceAll(line, own, suite)
		}
		out.WriteString(line)
	}
	if mirror == "" {
		return "", "", errors.New("no URIs in /etc/apt/sources.list.d/debian.sources")
	}
	return out.String(), mirror, nil
}

// aptConf is the part of this machine's apt configuration that says how to
// reach the mirror.
func aptConf(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "apt-config", "dump").Output()
	if err != nil {
		return "", fmt.Errorf("apt-config dump: %w", err)
	}
	keep := []string{"Acquire::http::Proxy ", "Acquire::https::Proxy ", "Acquire::Check-Valid-Until ", "Acquire::Check-Date ", "Acquire::Retries "}
	var b strings.Builder
	for line := range strings.Lines(string(out)) {
		for _, k := range keep {
			if strings.HasPrefix(line, k) {
				b.WriteString(line)
			}
		}
	}
	return b.String(), nil
}

// run runs a command; its error carries the end of what it printed.
func run(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", "HOME=/root"}
	if err := cmd.Run(); err != nil {
		text := out.String()
		if len(text) > 2000 {
			text = "…" + text[len(text)-2000:]
		}
		return fmt.Errorf("%s: %w\n%s", name, err, text)
	}
	return nil
}
