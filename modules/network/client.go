// Package network holds the modules that speak to other machines: get_url, uri, wait_for
// and git.
package network

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fettle/engine/netrc"
	"fettle/engine/value"
	"fettle/modules"
)

// urlArgs are the options get_url and uri share.
type urlArgs struct {
	URL            string      `arg:"url,required" doc:"The address."`
	Username       string      `arg:"url_username" alias:"username,user" doc:"User name."`
	Password       string      `arg:"url_password" alias:"password" no_log:"true" doc:"Password."`
	ForceBasicAuth bool        `arg:"force_basic_auth" default:"false" doc:"Send the password at once, not only when asked."`
	Agent          string      `arg:"http_agent" default:"ansible-httpget" doc:"What to call ourselves."`
	UseProxy       bool        `arg:"use_proxy" default:"true" doc:"Use the proxy the environment names."`
	ValidateCerts  bool        `arg:"validate_certs" default:"true" doc:"Check the server's certificate."`
	ClientCert     string      `arg:"client_cert" type:"path" doc:"File with our certificate, and maybe its key."`
	ClientKey      string      `arg:"client_key" type:"path" doc:"File with the key."`
	Ciphers        []string    `arg:"ciphers" elements:"str" doc:"Not supported."`
	Decompress     bool        `arg:"decompress" default:"true" doc:"Unpack what comes compressed."`
	Unredirected   []string    `arg:"unredirected_headers" default:"" elements:"str" doc:"Headers that a redirection does not get."`
	Headers        *value.Dict `arg:"headers" doc:"Headers to send."`
	UseGSSAPI      bool        `arg:"use_gssapi" default:"false" doc:"Not supported."`
	UseNetrc       bool        `arg:"use_netrc" default:"true" doc:"Take name and password from ~/.netrc when none are given."`
}

// client makes requests as the options say.
type client struct {
	h        *modules.Host
	a        *urlArgs
	timeout  time.Duration
	caPath   string
	socket   string
	redirect string // safe, all, none, urllib2
	http     *http.Client
	cookies  []*http.Cookie
}

// request is what is sent; body is kept for a redirection or a second try.
type request struct {
	method, url string
	body        []byte
	header      http.Header
	since       time.Time // If-Modified-Since
}

func newClient(h *modules.Host, a *urlArgs, c client) (*client, error) {
	if len(a.Ciphers) > 0 {
		return nil, modules.Failf("option ciphers is not supported")
	}
	if a.UseGSSAPI {
		return nil, modules.Failf("option use_gssapi is not supported")
	}
	c.h, c.a = h, a
	config := &tls.Config{InsecureSkipVerify: !a.ValidateCerts} //nolint:gosec // the user's choice
	if c.caPath != "" {
		pem, err := os.ReadFile(c.caPath)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, modules.Failf("no certificate in ca_path %q", c.caPath)
		}
	}
	if a.ClientCert != "" {
		key := a.ClientKey
		if key == "" {
			key = a.ClientCert
		}
		pair, err := tls.LoadX509KeyPair(a.ClientCert, key)
		if err != nil {
			return nil, modules.Failf("client_cert %q: %v", a.ClientCert, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	t := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true, DisableCompression: true, DialContext: c.dial}
	if a.UseProxy {
		t.Proxy = func(r *http.Request) (*url.URL, error) { return proxyFor(h.Getenv, r.URL) }
	}
	c.http = &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &c, nil
}

func (c *client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if c.socket != "" {
		network, address = "unix", c.socket
	}
	conn, err := (&net.Dialer{Timeout: c.timeout}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &idleConn{conn, c.timeout}, nil
}

// idleConn gives up when nothing moves for the timeout.
type idleConn struct {
	net.Conn
	timeout time.Duration
}

func (c *idleConn) Read(p []byte) (int, error) {
	_ = c.SetReadDeadline(time.Now().Add(c.timeout))
	return c.Conn.Read(p)
}

func (c *idleConn) Write(p []byte) (int, error) {
	_ = c.SetWriteDeadline(time.Now().Add(c.timeout))
	return c.Conn.Write(p)
}

// do sends the request, follows redirections and answers a demand for a password. The
// caller closes the body. Cookies are kept in c.
func (c *client) do(ctx context.Context, r request) (resp *http.Response, redirected bool, err error) {
	u, err := url.Parse(r.url)
	if err != nil {
		return nil, false, modules.Failf("invalid url: %v", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, false, modules.Failf("Request failed: <urlopen error unknown url type: %s>", u.Scheme)
	}
	user, password, known := c.credentials(u)
	u.User = nil
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	first, auth := u.Host, ""
	if user != "" && (c.a.ForceBasicAuth || known) {
		auth = basic // those of a netrc file are not waited for, as in Ansible
	}
	for hops := 0; ; hops++ {
		if u.Host != first {
			auth = ""
		}
		resp, err := c.send(ctx, r, u, auth)
		if err != nil {
			return nil, redirected, requestError(err)
		}
		c.cookies = append(c.cookies, resp.Cookies()...)
		if resp.StatusCode == http.StatusUnauthorized && user != "" && auth == "" && u.Host == first {
			if digest := digestWanted(resp); digest != nil {
				auth = digest.answer(r.method, u.RequestURI(), user, password, newNonce())
			} else if basicWanted(resp) {
				auth = basic
			}
			if auth != "" {
				_ = resp.Body.Close()
				continue
			}
		}
		next := c.follow(resp, &r)
		if next == nil {
			return resp, redirected, nil
		}
		_ = resp.Body.Close()
		if hops >= 10 {
			return nil, redirected, modules.Failf("Request failed: more than 10 redirections")
		}
		u, redirected = next, true
		if auth != basic {
			auth = "" // an answer is for one address
		}
		for _, name := range c.a.Unredirected {
			r.header.Del(name)
			if c.a.ForceBasicAuth && strings.EqualFold(name, "Authorization") {
				user, auth = "", ""
			}
		}
	}
}

func (c *client) send(ctx context.Context, r request, u *url.URL, auth string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), strings.NewReader(string(r.body)))
	if err != nil {
		return nil, err
	}
	if r.body == nil {
		req.Body, req.GetBody, req.ContentLength = nil, nil, 0
	}
	req.Header = r.header.Clone()
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	if !r.since.IsZero() {
		req.Header.Set("If-Modified-Since", r.since.UTC().Format(http.TimeFormat))
	}
	for _, k := range c.cookies {
		req.AddCookie(&http.Cookie{Name: k.Name, Value: k.Value})
	}
	return c.http.Do(req)
}

// header are the headers of the first request.
func (c *client) header() http.Header {
	h := http.Header{"User-Agent": {c.a.Agent}, "Accept-Encoding": {"identity"}}
	for k, v := range c.a.Headers.All() {
		h.Set(value.Str(k), value.Str(v))
	}
	return h
}

func basicWanted(resp *http.Response) bool {
	for _, v := range resp.Header.Values("WWW-Authenticate") {
		if strings.HasPrefix(strings.ToLower(v), "basic") {
			return true
		}
	}
	return false
}

// follow is where a redirection leads, nil when there is none or it is not to be followed;
// it changes r to the request to send there.
func (c *client) follow(resp *http.Response, r *request) *url.URL {
	code := resp.StatusCode
	if code != 301 && code != 302 && code != 303 && code != 307 && code != 308 {
		return nil
	}
	reads := r.method == http.MethodGet || r.method == http.MethodHead
	switch c.redirect {
	case "no", "none":
		return nil
	case "safe":
		if !reads {
			return nil
		}
	case "urllib2":
		if !reads && (r.method != http.MethodPost || code == 307 || code == 308) {
			return nil
		}
	}
	next, err := resp.Location()
	if err != nil || next.Scheme != "http" && next.Scheme != "https" {
		return nil
	}
	if r.method != http.MethodHead && (code == 303 || code == 302 || code == 301 && r.method == http.MethodPost) {
		r.method, r.body = http.MethodGet, nil
		r.header.Del("Content-Type")
	}
	if !strings.EqualFold(next.Host, resp.Request.URL.Host) {
		r.header.Del("Authorization")
		c.cookies = nil
	}
	return next
}

// requestError says what went wrong without the address, which the result has anyway.
func requestError(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		if ue.Timeout() {
			return modules.Failf("Connection failure: timed out")
		}
		err = ue.Err
	}
	var cert *tls.CertificateVerificationError
	if errors.As(err, &cert) {
		return modules.Failf("Failed to validate the SSL certificate: certificate verify failed: %v. You can use validate_certs=False if you do not need to confirm the servers identity but this is unsafe and not recommended.", cert.Err)
	}
	return modules.Failf("Request failed: %v", err)
}

// reader is the body, unpacked when it came compressed and that is wanted.
func (c *client) reader(resp *http.Response) (io.Reader, error) {
	if c.a.Decompress && strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") {
		return gzip.NewReader(resp.Body)
	}
	return resp.Body, nil
}

// credentials are those of the options, of the address, or of ~/.netrc.
func (c *client) credentials(u *url.URL) (user, password string, fromNetrc bool) {
	if c.a.Username != "" {
		return c.a.Username, c.a.Password, false
	}
	if u.User != nil {
		password, _ = u.User.Password()
		return u.User.Username(), password, false
	}
	if !c.a.UseNetrc {
		return "", "", false
	}
	path, ok := c.h.Getenv("NETRC")
	if !ok {
		home, _ := c.h.Getenv("HOME")
		path = filepath.Join(home, ".netrc")
	}
	f, err := os.Open(path)
	if err != nil {
		return "", "", false
	}
	defer func() { _ = f.Close() }()
	user, password = netrc.Find(f, u.Hostname())
	return user, password, true
}

// proxyFor is the proxy that the environment names for an address.
func proxyFor(getenv func(string) (string, bool), u *url.URL) (*url.URL, error) {
	get := func(name string) string {
		if v, ok := getenv(name); ok {
			return v
		}
		v, _ := getenv(strings.ToUpper(name))
		return v
	}
	proxy := get(u.Scheme + "_proxy")
	if proxy == "" {
		proxy = get("all_proxy")
	}
	if proxy == "" || bypass(get("no_proxy"), u.Hostname()) {
		return nil, nil
	}
	if !strings.Contains(proxy, "://") {
		proxy = "http://" + proxy
	}
	return url.Parse(proxy)
}

func bypass(list, host string) bool {
	for one := range strings.SplitSeq(list, ",") {
		one = strings.TrimLeft(strings.TrimSpace(one), ".")
		if one == "*" || one != "" && (host == one || strings.HasSuffix(host, "."+one)) {
			return true
		}
	}
	return false
}
