package network

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fettle/engine/value"
	"fettle/modules"
)

// uri's controller half offers, when src is a file of the controller (remote_src: false),
// its content as the source "src", and for form-multipart the file of each field as the
// source "body/FIELD". A field without a source is read on the host.
func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.uri",
		Extra:   true,
		Summary: "Send a request to a web service and look at the answer.",
		Check:   modules.None,
		Rules:   modules.Rules{modules.Exclusive("body", "src")},
		Examples: `
- name: The service answers
  ansible.builtin.uri:
    url: http://localhost:8080/health
    return_content: true
  register: health

- name: Make a user
  ansible.builtin.uri:
    url: https://example.org/api/users
    method: POST
    body_format: json
    body: {name: app}
    status_code: [200, 201]
`,
	}, uri)
}

type uriArgs struct {
	urlArgs
	Method     string      `arg:"method" default:"GET" doc:"The method."`
	Body       value.Value `arg:"body" type:"raw" doc:"What to send."`
	BodyFormat string      `arg:"body_format" default:"raw" choices:"form-urlencoded,json,raw,form-multipart" doc:"How body is written."`
	Src        string      `arg:"src" type:"path" doc:"File to send."`
	RemoteSrc  bool        `arg:"remote_src" default:"false" doc:"src is on the host."`
	StatusCode []int64     `arg:"status_code" elements:"int" default:"200" doc:"Status codes that are a success."`
	Return     bool        `arg:"return_content" default:"false" doc:"Return the answer as content."`
	Redirects  string      `arg:"follow_redirects" default:"safe" choices:"all,no,none,safe,urllib2,yes" doc:"Which redirections to follow; safe is those of GET and HEAD."`
	Dest       string      `arg:"dest" type:"path" doc:"File or folder for the answer."`
	Creates    string      `arg:"creates" type:"path" doc:"Path; when it exists nothing is sent."`
	Removes    string      `arg:"removes" type:"path" doc:"Path; when it does not exist nothing is sent."`
	Force      bool        `arg:"force" default:"false" doc:"Do not ask whether dest is still current."`
	Timeout    int64       `arg:"timeout" default:"30" doc:"Seconds without an answer after which to give up."`
	UnixSocket string      `arg:"unix_socket" type:"path" doc:"Socket to connect to."`
	CAPath     string      `arg:"ca_path" type:"path" doc:"File with the certificates to trust."`
	modules.FileArgs
}

func uri(ctx context.Context, h *modules.Host, a uriArgs) (r modules.Result[*value.Dict], err error) {
	if a.Method == "" || strings.Trim(a.Method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return r, modules.Failf("Parameter 'method' needs to be a single word in uppercase, like GET or POST.")
	}
	if a.Creates != "" && modules.Exists(a.Creates) {
		r.Data = value.DictOf("stdout", "skipped, since '"+a.Creates+"' exists")
		return r, nil
	}
	if a.Removes != "" && !modules.Exists(a.Removes) {
		r.Data = value.DictOf("stdout", "skipped, since '"+a.Removes+"' does not exist")
		return r, nil
	}
	redirect := a.Redirects
	if redirect == "yes" {
		redirect = "all"
	}
	c, err := newClient(h, &a.urlArgs, client{timeout: time.Duration(a.Timeout) * time.Second, caPath: a.CAPath, socket: a.UnixSocket, redirect: redirect})
	if err != nil {
		return r, err
	}
	req := request{method: a.Method, url: a.URL, header: c.header()}
	if req.body, err = a.content(ctx, h, req.header); err != nil {
		return r, err
	}
	if fi, err := os.Stat(a.Dest); a.Dest != "" && err == nil && !fi.IsDir() && !a.Force {
		req.since = fi.ModTime()
	}
	return a.exchange(ctx, h, c, req)
}

// content is the body to send; it sets the header that describes it.
func (a *uriArgs) content(ctx context.Context, h *modules.Host, header http.Header) (body []byte, err error) {
	kind := "application/x-www-form-urlencoded"
	switch {
	case a.Src != "":
		if a.BodyFormat == "json" {
			kind = "application/json"
		}
		body, err = a.source(ctx, h, "src", a.Src, a.RemoteSrc)
	case a.Body == nil:
		return nil, nil
	default:
		body, kind, err = a.encode(ctx, h)
	}
	if err != nil {
		return nil, err
	}
	if header.Get("Content-Type") == "" || a.BodyFormat == "form-multipart" {
		header.Set("Content-Type", kind)
	}
	return body, nil
}

func (a *uriArgs) encode(ctx context.Context, h *modules.Host) (body []byte, kind string, err error) {
	text, isText := a.Body.(string)
	switch a.BodyFormat {
	case "json":
		if !isText {
			text, err = value.JSON{Spaces: true, ASCII: true}.Encode(a.Body)
			return []byte(text), "application/json", err
		}
		return []byte(text), "application/json", nil
	case "form-multipart":
		return a.multipart(ctx, h)
	case "form-urlencoded":
		if !isText {
			body, err = formEncode(a.Body)
			return body, "application/x-www-form-urlencoded", err
		}
	}
	return []byte(value.Str(a.Body)), "application/x-www-form-urlencoded", nil
}

// source reads a file the controller offers or, when it does not, one of the host.
func (a *uriArgs) source(ctx context.Context, h *modules.Host, name, path string, remote bool) ([]byte, error) {
	if s, ok := h.Sources[name]; ok && !remote {
		in, err := s.Open(ctx)
		if err != nil {
			return nil, err
		}
		defer func() { _ = in.Close() }()
		return io.ReadAll(in)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, modules.Failf("Unable to open source file %s: %v", path, err)
	}
	return b, nil
}

func (a *uriArgs) exchange(ctx context.Context, h *modules.Host, c *client, req request) (r modules.Result[*value.Dict], err error) {
	h.MaskKeys = true
	start := time.Now()
	out := value.NewDict(24)
	r.Data = out
	resp, redirected, err := c.do(ctx, req)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return r, err
		}
		fill(out, "url", a.URL, "status", int64(-1), "redirected", redirected, "elapsed", int64(time.Since(start).Seconds()))
		return r, a.wrongStatus(-1, err.Error())
	}
	defer func() { _ = resp.Body.Close() }()
	status := int64(resp.StatusCode)
	headers(out, resp.Header)
	if loc, err := resp.Location(); err == nil {
		out.SetString("location", loc.String())
	}
	message := statusText(resp)
	if status < 300 {
		message = sizeText(resp, 0)
		cookies(out, c.cookies)
	}
	fill(out, "url", resp.Request.URL.String(), "status", status, "redirected", redirected, "msg", message)
	reader, err := c.reader(resp)
	if err != nil {
		return r, err
	}
	body, err := io.ReadAll(reader)
	if err != nil {
		return r, requestError(err)
	}
	out.SetString("elapsed", int64(time.Since(start).Seconds()))
	if a.Dest != "" {
		if err := a.save(ctx, h, out, resp, body); err != nil {
			return r, err
		}
	}
	a.describe(out, resp, body)
	if !slices.Contains(a.StatusCode, status) {
		err := a.wrongStatus(status, message)
		out.SetString("msg", err.Error())
		return r, err
	}
	return r, nil
}

func fill(d *value.Dict, kv ...value.Value) {
	for i := 0; i < len(kv); i += 2 {
		d.SetString(kv[i].(string), kv[i+1])
	}
}

func (a *uriArgs) wrongStatus(status int64, message string) error {
	wanted := &value.List{}
	for _, c := range a.StatusCode {
		wanted.V = append(wanted.V, c)
	}
	return modules.Failf("Status code was %d and not %s: %s", status, value.Repr(wanted), message)
}

// headers become keys: lower case, with underscores.
func headers(out *value.Dict, h http.Header) {
	for k, v := range h {
		out.SetString(strings.ReplaceAll(strings.ToLower(k), "-", "_"), strings.Join(v, ", "))
	}
}

func cookies(out *value.Dict, all []*http.Cookie) {
	d := value.NewDict(len(all))
	var pairs []string
	for _, c := range all {
		d.SetString(c.Name, c.Value)
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	fill(out, "cookies", d, "cookies_string", strings.Join(pairs, "; "))
}

// describe adds the answer as text and, when it is JSON, as data.
// describe tells what came. A server may echo secrets, as names of a JSON object too.
func (a *uriArgs) describe(out *value.Dict, resp *http.Response, body []byte) {
	kind, params, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	text := decodeText(body, params["charset"])
	if a.Return {
		out.SetString("content", text)
	}
	if _, sub, _ := strings.Cut(kind, "/"); sub == "json" || sub == "javascript" || strings.HasSuffix(sub, "+json") {
		if v, err := value.FromJSON([]byte(text)); err == nil {
			out.SetString("json", v)
		}
	}
}

// decodeText reads Latin-1 where the server says so; everything else is taken as UTF-8.
func decodeText(b []byte, charset string) string {
	switch strings.ToLower(charset) {
	case "iso-8859-1", "latin1", "latin-1", "windows-1252", "us-ascii":
		runes := make([]rune, len(b))
		for i, c := range b {
			runes[i] = rune(c)
		}
		return string(runes)
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

// save writes the answer to dest when it is new.
func (a *uriArgs) save(ctx context.Context, h *modules.Host, out *value.Dict, resp *http.Response, body []byte) error {
	dest := a.Dest
	if modules.IsDir(dest) {
		dest = filepath.Join(dest, fileName(resp, a.URL))
	}
	at := modules.RealPath(dest)
	old, err := os.ReadFile(at)
	switch plan, planErr := h.PlanAttrs(ctx, at, a.FileArgs); {
	case planErr != nil:
		return planErr
	case resp.StatusCode < 300 && (err != nil || !bytes.Equal(old, body)):
		if _, err := h.WriteFile(ctx, at, body, modules.Replacement{Plan: plan, UnsafeWrites: a.UnsafeWrites}); err != nil {
			return err
		}
	case plan.Changed && err == nil:
		if err := h.ApplyAttrs(at, plan); err != nil {
			return err
		}
	}
	out.SetString("path", dest)
	info := h.PathInfo(ctx, dest)
	if info.UID != nil {
		fill(out, "uid", int64(*info.UID), "gid", int64(*info.GID), "owner", info.Owner, "group", info.Group, "mode", info.Mode, "state", info.State, "size", *info.Size)
	}
	return nil
}
