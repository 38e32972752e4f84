package ansible

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fettle/engine/netrc"
	"fettle/engine/template"
	"fettle/engine/value"
)

func init() {
	register("url", "validate_certs split_lines use_proxy username password headers force timeout http_agent force_basic_auth follow_redirects unix_socket ca_path !ciphers !unredirected_headers !use_gssapi use_netrc", lookupURL)
}

const maxBody = 256 << 20

// urlVariables are the ends of the variables ansible_lookup_url_… and of their like in the
// environment, by option.
var urlVariables = map[string]string{"ca_path": "ca_path", "ciphers": "ciphers", "follow_redirects": "follow_redirects", "force": "force",
	"force_basic_auth": "force_basic_auth", "http_agent": "agent", "timeout": "timeout", "unix_socket": "unix_socket",
	"unredirected_headers": "unredir_headers", "use_gssapi": "use_gssapi", "use_netrc": "use_netrc"}

// fromVariables adds the options that only variables give.
func fromVariables(c *template.Context, o options) error {
	for option, end := range urlVariables {
		if _, given := o.all[option]; given {
			continue
		}
		name := "ansible_lookup_url_" + end
		v, err := c.Var(name)
		if err != nil {
			return err
		}
		if _, missing := v.(*value.Undefined); missing {
			env, ok := os.LookupEnv(strings.ToUpper(name))
			if !ok {
				continue
			}
			v = env
		}
		if slices.Contains(registered["url"], "!"+option) {
			return fmt.Errorf("the option %q (%s) is not supported", option, name)
		}
		o.all[option] = v
	}
	return nil
}

func lookupURL(c *template.Context, terms []value.Value, o options) ([]value.Value, error) {
	if err := fromVariables(c, o); err != nil {
		return nil, err
	}
	client, err := httpClient(o)
	if err != nil {
		return nil, err
	}
	out := []value.Value{}
	for _, t := range terms {
		body, err := fetch(c.Ctx(), client, text(t), o)
		if err != nil {
			return nil, err
		}
		if !o.bool("split_lines", true) {
			out = append(out, body)
			continue
		}
		out = append(out, texts(splitLines(body)).V...)
	}
	return out, nil
}

// fromNetrc is the login that the user's netrc file has for a host.
func fromNetrc(host string, o options) (user, password string) {
	if !o.bool("use_netrc", true) {
		return "", ""
	}
	path := os.Getenv("NETRC")
	if path == "" {
		path = filepath.Join(os.Getenv("HOME"), ".netrc")
	}
	f, err := os.Open(path)
	if err != nil {
		return "", ""
	}
	defer func() { _ = f.Close() }()
	return netrc.Find(f, host)
}

func fetch(ctx context.Context, client *http.Client, url string, o options) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("User-Agent", o.text("http_agent", "ansible-httpget"))
	if o.bool("force", false) {
		req.Header.Set("Cache-Control", "no-cache")
	}
	user := o.text("username", "")
	if user != "" && o.bool("force_basic_auth", false) {
		req.SetBasicAuth(user, o.text("password", ""))
	}
	if d, ok := o.all["headers"].(*value.Dict); ok {
		for _, e := range d.Items() {
			req.Header.Set(text(e.Key), text(e.Value))
		}
	}
	if name, password := fromNetrc(req.URL.Hostname(), o); user == "" && name != "" {
		req.SetBasicAuth(name, password) // instead of a header that is given, as in Ansible
	}
	resp, err := client.Do(req)
	if err == nil && resp.StatusCode == http.StatusUnauthorized && user != "" && req.Header.Get("Authorization") == "" {
		_ = resp.Body.Close()
		req.SetBasicAuth(user, o.text("password", ""))
		resp, err = client.Do(req)
	}
	if bad := (*tls.CertificateVerificationError)(nil); errors.As(err, &bad) {
		return "", fmt.Errorf("Error validating the server's certificate for %s: %w", url, err)
	}
	if err != nil {
		return "", fmt.Errorf("failed lookup url for %s: %w", url, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return "", fmt.Errorf("received HTTP error for %s: HTTP error %s", url, resp.Status)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err == nil && len(raw) > maxBody {
		err = fmt.Errorf("the answer of %s is larger than %d bytes", url, maxBody)
	}
	return string(raw), err
}

func httpClient(o options) (*http.Client, error) {
	seconds := 10.0
	if v := o.all["timeout"]; v != nil {
		f, ok := value.ParseFloat(text(v))
		if !ok {
			return nil, fmt.Errorf("option timeout: %s is no number", describe(v))
		}
		seconds = f
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: !o.bool("validate_certs", true)}, DisableKeepAlives: true}
	if o.bool("use_proxy", true) {
		tr.Proxy = http.ProxyFromEnvironment
	}
	if path := o.text("ca_path", ""); path != "" {
		pool, err := certificates(path)
		if err != nil {
			return nil, err
		}
		tr.TLSClientConfig.RootCAs = pool
	}
	if socket := o.text("unix_socket", ""); socket != "" {
		tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		}
	}
	client := &http.Client{Transport: tr, Timeout: time.Duration(seconds * float64(time.Second))}
	switch o.text("follow_redirects", "urllib2") {
	case "no", "none", "False", "false":
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return client, nil
}

// certificates reads the authorities of a file or of all files of a directory.
func certificates(path string) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	files := []string{path}
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		files, _ = filepath.Glob(filepath.Join(path, "*"))
	}
	found := false
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil && len(files) == 1 {
			return nil, err
		}
		found = pool.AppendCertsFromPEM(raw) || found
	}
	if !found {
		return nil, errors.New("there is no certificate in " + strings.TrimSpace(path))
	}
	return pool, nil
}
