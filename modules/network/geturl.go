package network

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"

	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.get_url",
		Extra:   true,
		Summary: "Fetch a file from the web to the host.",
		Check:   modules.Partial,
		Examples: `
- name: A program, checked against the publisher's list
  ansible.builtin.get_url:
    url: https://example.org/tool-1.2
    dest: /usr/local/bin/tool
    checksum: sha256:https://example.org/sha256sums.txt
    mode: "0755"
`,
	}, getURL)
}

type getURLArgs struct {
	urlArgs
	Dest     string `arg:"dest,required" type:"path" doc:"File to write, or a folder."`
	TmpDest  string `arg:"tmp_dest" type:"path" doc:"Has no effect: the file is written beside its place and moved there in one step."`
	Backup   bool   `arg:"backup" default:"false" doc:"Keep a copy of the old file."`
	Force    bool   `arg:"force" default:"false" doc:"Fetch the file although there is one."`
	Checksum string `arg:"checksum" default:"" doc:"ALGORITHM:SUM, or ALGORITHM:URL of a list of sums."`
	Timeout  int64  `arg:"timeout" default:"10" doc:"Seconds without an answer after which to give up."`
	modules.FileArgs
}

type getURLReturn struct {
	URL          string  `json:"url" doc:"The address." returned:"always"`
	Dest         string  `json:"dest" doc:"The file." returned:"always"`
	Elapsed      int64   `json:"elapsed" doc:"Seconds it took." returned:"always"`
	StatusCode   *int    `json:"status_code,omitempty" doc:"Status of the answer." returned:"when there was one"`
	Response     string  `json:"response,omitempty" doc:"The status in words." returned:"failure"`
	Message      string  `json:"msg,omitempty" doc:"What the server said." returned:"always"`
	Src          string  `json:"src,omitempty" doc:"Where the file was before it was put in its place." returned:"changed"`
	ChecksumSrc  *string `json:"checksum_src,omitempty" doc:"SHA-1 of what was fetched." returned:"when it was"`
	ChecksumDest *string `json:"checksum_dest,omitempty" doc:"SHA-1 of the old file." returned:"when there was one"`
	MD5          string  `json:"md5sum,omitempty" doc:"MD5 of what was fetched." returned:"when it was"`
	BackupFile   string  `json:"backup_file,omitempty" doc:"Copy of the old file." returned:"changed and backup"`
	*modules.PathInfo
}

// download is one call of get_url.
type download struct {
	h    *modules.Host
	a    *getURLArgs
	c    *client
	r    *modules.Result[getURLReturn]
	dest string
	want string // checksum, hex
	algo func() hash.Hash
}

func getURL(ctx context.Context, h *modules.Host, a getURLArgs) (r modules.Result[getURLReturn], err error) {
	start := time.Now()
	c, err := newClient(h, &a.urlArgs, client{timeout: time.Duration(a.Timeout) * time.Second, redirect: "urllib2"})
	if err != nil {
		return r, err
	}
	d := &download{h: h, a: &a, c: c, r: &r, dest: a.Dest}
	r.Data = getURLReturn{URL: a.URL, Dest: a.Dest}
	err = d.do(ctx)
	r.Data.Dest = d.dest
	r.Data.Elapsed = int64(time.Since(start).Seconds())
	if err != nil {
		r.Data.Message = "" // the failure says it
	}
	if err == nil && modules.Exists(d.dest) {
		info := h.PathInfo(ctx, d.dest)
		r.Data.PathInfo = &info
	}
	return r, err
}

func (d *download) do(ctx context.Context) error {
	if err := d.readChecksum(ctx); err != nil {
		return err
	}
	toDir := modules.IsDir(d.a.Dest)
	var since time.Time
	if fi, err := os.Stat(d.dest); err == nil && !toDir && !d.a.Force {
		if d.want != "" {
			if sum, err := fileSum(d.dest, d.algo()); err == nil && sum == d.want {
				d.r.Data.Message = "file already exists"
				return d.attributes(ctx)
			}
		} else {
			since = fi.ModTime()
		}
	}
	resp, err := d.open(ctx, since)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.Request != nil {
		d.r.Data.StatusCode = &resp.StatusCode
	}
	switch {
	case resp.StatusCode == http.StatusNotModified:
		d.r.Data.Message = "HTTP Error 304: Not Modified"
		return d.attributes(ctx)
	case resp.StatusCode >= 300:
		d.r.Data.Response = statusText(resp)
		d.r.Data.Message = "Request failed"
		return modules.Failf("Request failed")
	}
	if toDir {
		d.dest = filepath.Join(d.a.Dest, fileName(resp, d.a.URL))
	}
	return d.take(ctx, resp)
}

// open is the answer to the request; file:// is answered here.
func (d *download) open(ctx context.Context, since time.Time) (*http.Response, error) {
	if name, ok := strings.CutPrefix(d.a.URL, "file://"); ok {
		f, err := os.Open(name)
		if err != nil {
			return nil, modules.Failf("Request failed: %v", err)
		}
		return &http.Response{StatusCode: http.StatusOK, Body: f, Header: http.Header{}}, nil
	}
	resp, _, err := d.c.do(ctx, request{method: http.MethodGet, url: d.a.URL, header: d.c.header(), since: since})
	return resp, err
}

func statusText(resp *http.Response) string {
	_, text, _ := strings.Cut(resp.Status, " ")
	return "HTTP Error " + resp.Status[:min(3, len(resp.Status))] + ": " + text
}

// take reads the body into a draft and puts it in place when it differs.
func (d *download) take(ctx context.Context, resp *http.Response) error {
	dir := filepath.Dir(d.dest)
	if !modules.IsDir(dir) {
		return modules.Failf("Destination %s does not exist", dir)
	}
	body, err := d.c.reader(resp)
	if err != nil {
		return modules.Failf("Request failed: %v", err)
	}
	at := modules.RealPath(d.dest)
	out := io.Discard
	var draft *modules.Draft
	if !d.h.Check {
		if draft, err = d.h.NewDraft(at); err != nil {
			return err
		}
		defer func() { _ = draft.Close() }()
		out = draft
		d.r.Data.Src = draft.Path()
	}
	sums := map[string]hash.Hash{"sha1": sha1.New(), "md5": md5.New()}
	writers := []io.Writer{out, sums["sha1"], sums["md5"]}
	if d.want != "" {
		sums["want"] = d.algo()
		writers = append(writers, sums["want"])
	}
	n, err := io.Copy(io.MultiWriter(writers...), body)
	if err != nil {
		return requestError(err)
	}
	d.r.Data.Message = sizeText(resp, n)
	hexSum := func(k string) string { return hex.EncodeToString(sums[k].Sum(nil)) }
	if d.want != "" && hexSum("want") != d.want {
		return modules.Failf("The checksum for %s did not match %s; it was %s.", d.dest, d.want, hexSum("want"))
	}
	d.r.Data.ChecksumSrc, d.r.Data.MD5 = new(hexSum("sha1")), hexSum("md5")
	if old, err := fileSum(at, sha1.New()); err == nil {
		d.r.Data.ChecksumDest = &old
		if old == *d.r.Data.ChecksumSrc {
			return d.attributes(ctx)
		}
	}
	return d.place(ctx, at, draft)
}

func sizeText(resp *http.Response, n int64) string {
	if resp.Request == nil {
		return "OK (" + itoa(n) + " bytes)"
	}
	length := resp.Header.Get("Content-Length")
	if length == "" {
		length = "unknown"
	}
	return "OK (" + length + " bytes)"
}

func (d *download) place(ctx context.Context, at string, draft *modules.Draft) error {
	plan, err := d.h.PlanAttrs(ctx, at, d.a.FileArgs)
	if err != nil {
		return err
	}
	return d.h.Act(func() error {
		var err error
		d.r.Data.BackupFile, err = d.h.CommitDraft(ctx, draft, modules.Replacement{Plan: plan, Backup: d.a.Backup, UnsafeWrites: d.a.UnsafeWrites})
		return err
	})
}

// attributes brings owner and mode of a file that stays to what is wanted.
func (d *download) attributes(ctx context.Context) error {
	plan, err := d.h.PlanAttrs(ctx, d.dest, d.a.FileArgs)
	if err != nil || !plan.Changed {
		return err
	}
	return d.h.ApplyAttrs(d.dest, plan)
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func fileSum(name string, h hash.Hash) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

var algorithms = map[string]func() hash.Hash{"md5": md5.New, "sha1": sha1.New, "sha224": sha256.New224, "sha256": sha256.New,
	"sha384": sha512.New384, "sha512": sha512.New,
	"sha3_224": func() hash.Hash { return sha3.New224() }, "sha3_256": func() hash.Hash { return sha3.New256() },
	"sha3_384": func() hash.Hash { return sha3.New384() }, "sha3_512": func() hash.Hash { return sha3.New512() }}

// readChecksum takes the option apart and, when it names a list, fetches that.
func (d *download) readChecksum(ctx context.Context) error {
	if d.a.Checksum == "" {
		return nil
	}
	name, sum, ok := strings.Cut(d.a.Checksum, ":")
	if !ok {
		return modules.Failf("The checksum parameter has to be in format <algorithm>:<checksum>")
	}
	if d.algo = algorithms[strings.ToLower(strings.TrimSpace(name))]; d.algo == nil {
		return modules.Failf("the checksum algorithm %q is not supported", name)
	}
	if strings.Contains(sum, "://") {
		list, err := d.fetchList(ctx, sum)
		if err != nil {
			return err
		}
		u, _ := url.Parse(d.a.URL)
		file := path.Base(d.a.URL)
		if u != nil {
			file = path.Base(u.Path)
		}
		if sum = listedSum(list, file); sum == "" {
			return modules.Failf("Unable to find a checksum for file '%s' in '%s'", file, d.a.Checksum[len(name)+1:])
		}
	}
	// What is no letter and no digit does not count, as in Ansible.
	d.want = strings.ToLower(strings.Map(func(r rune) rune {
		if r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, sum))
	if _, err := hex.DecodeString(d.want); err != nil {
		return modules.Failf("The checksum format is invalid")
	}
	return nil
}

func (d *download) fetchList(ctx context.Context, address string) (string, error) {
	if name, ok := strings.CutPrefix(address, "file://"); ok {
		b, err := d.h.ReadFile(name)
		return string(b), err
	}
	resp, _, err := d.c.do(ctx, request{method: http.MethodGet, url: address, header: d.c.header()})
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= 300 {
		return "", modules.Failf("Unable to fetch the checksum list %s: %s", address, statusText(resp))
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	return string(b), err
}

// listedSum finds the sum of a file in a list as sha256sum writes it, in the BSD form, or
// as a sum alone.
func listedSum(list, file string) string {
	lines := strings.Split(strings.TrimSpace(list), "\n")
	if len(lines) == 1 && len(strings.Fields(lines[0])) == 1 {
		return strings.TrimSpace(lines[0])
	}
	for _, line := range lines {
		if _, rest, ok := strings.Cut(line, " ("); ok {
			if name, sum, ok := strings.Cut(rest, ") = "); ok && path.Base(name) == file {
				return strings.TrimSpace(sum)
			}
		}
		sum, name, ok := strings.Cut(strings.TrimSpace(line), " ")
		name = strings.TrimPrefix(strings.TrimSpace(name), "*")
		if ok && (strings.TrimPrefix(name, "./") == file || path.Base(name) == file) {
			return sum
		}
	}
	return ""
}

// fileName is the name for a file fetched into a folder: what the server says, else the
// end of the address.
func fileName(resp *http.Response, address string) string {
	if _, params, err := mime.ParseMediaType(resp.Header.Get("Content-Disposition")); err == nil {
		if name := filepath.Base(params["filename"]); params["filename"] != "" && name != "." && name != ".." && name != "/" {
			return name
		}
	}
	u, err := url.Parse(address)
	if resp.Request != nil {
		u, err = resp.Request.URL, nil
	}
	if err == nil {
		if name := path.Base(u.Path); name != "/" && name != "." && name != ".." {
			return name
		}
	}
	return "index.html"
}
