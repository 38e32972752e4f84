// Package galaxy does what ansible-galaxy does without a Galaxy server: it makes, builds,
// installs, lists, verifies and removes roles and collections that come from files, folders,
// URLs and git repositories. What only a server could answer is refused by name.
package galaxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Client carries what all operations need. Progress goes to Out, warnings to Err.
type Client struct {
	Out, Err io.Writer
	// RolesPath and CollectionsPath are where things are looked for; the first one that can
	// be written to is installed into. Configured are the collection paths of the settings.
	RolesPath, CollectionsPath, Configured []string
	HTTP                                   *http.Client
	Force, ForceDeps, NoDeps, IgnoreErrors bool
	Upgrade, Pre, KeepSCM                  bool
	temp                                   string // made on first use, removed by Close
}

// ErrReported tells that a failure was printed already.
var ErrReported = errors.New("reported")

// UsageError is a mistake on the command line.
type UsageError struct{ Text string }

func (e *UsageError) Error() string { return e.Text }

func usagef(format string, a ...any) error { return &UsageError{fmt.Sprintf(format, a...)} }

// needsServer refuses what only a Galaxy server could answer.
func needsServer(what string) error {
	return fmt.Errorf("%s would come from a Galaxy server, and fettle asks none: name a file, a folder, a URL or a git repository", what)
}

func (c *Client) say(format string, a ...any)  { fmt.Fprintf(c.Out, format+"\n", a...) }
func (c *Client) warn(format string, a ...any) { fmt.Fprintf(c.Err, "[WARNING]: "+format+"\n", a...) }

// Close removes what was downloaded.
func (c *Client) Close() error {
	if c.temp == "" {
		return nil
	}
	return os.RemoveAll(c.temp)
}

// scratch is a new empty directory that Close removes.
func (c *Client) scratch() (string, error) {
	if c.temp == "" {
		dir, err := os.MkdirTemp("", "fettle-galaxy-")
		if err != nil {
			return "", err
		}
		c.temp = dir
	}
	return os.MkdirTemp(c.temp, "")
}

// maxDownload bounds what a URL may give.
const maxDownload = 2 << 30

// download gets a URL (http, https or file) into a scratch file.
func (c *Client) download(ctx context.Context, url string) (string, error) {
	dir, err := c.scratch()
	if err != nil {
		return "", err
	}
	body, err := c.open(ctx, url)
	if err != nil {
		return "", err
	}
	defer func() { _ = body.Close() }()
	name := filepath.Join(dir, "download")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	n, err := io.Copy(f, io.LimitReader(body, maxDownload+1))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil && n > maxDownload {
		err = fmt.Errorf("%s is larger than %d bytes", url, maxDownload)
	}
	return name, err
}

func (c *Client) open(ctx context.Context, url string) (io.ReadCloser, error) {
	if p, ok := strings.CutPrefix(url, "file://"); ok {
		return os.Open(p)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "fettle")
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return resp.Body, nil
}

var optionLike = regexp.MustCompile(`^-`)

// clone checks a git or Mercurial repository out at a version ("" for its default branch).
func (c *Client) clone(ctx context.Context, scm, url, version string) (string, error) {
	if scm != "git" && scm != "hg" {
		return "", fmt.Errorf("scm %s is not currently supported", scm)
	}
	if optionLike.MatchString(url) || optionLike.MatchString(version) {
		return "", fmt.Errorf("%q at %q is no repository and version", url, version)
	}
	if _, err := exec.LookPath(scm); err != nil {
		return "", fmt.Errorf("could not find/use %q, it is required to continue with installing %q", scm, url)
	}
	dir, err := c.scratch()
	if err != nil {
		return "", err
	}
	if err := run(ctx, dir, scm, "clone", url, "checkout"); err != nil {
		return "", err
	}
	dir = filepath.Join(dir, "checkout")
	if version == "" || version == "*" {
		return dir, nil
	}
	if scm == "hg" {
		return dir, run(ctx, dir, scm, "update", version)
	}
	return dir, run(ctx, dir, scm, "checkout", version)
}

func run(ctx context.Context, dir, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return fmt.Errorf("%s %s failed: %s", name, strings.Join(args, " "), lines[len(lines)-1])
	}
	return nil
}

func isFile(p string) bool {
	info, err := os.Stat(p)
	return err == nil && info.Mode().IsRegular()
}

func isDir(p string) bool {
	info, err := os.Stat(p)
	return err == nil && info.IsDir()
}
