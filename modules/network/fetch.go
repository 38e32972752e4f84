package network

import (
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"fettle/modules"
)

// Fetch is the content of an address, for modules that take a file or an address; it is
// an error when it is longer than limit.
func Fetch(ctx context.Context, h *modules.Host, address string, validateCerts bool, limit int64) ([]byte, error) {
	if path, ok := strings.CutPrefix(address, "file://"); ok {
		return os.ReadFile(path)
	}
	a := &urlArgs{URL: address, Agent: "ansible-httpget", UseProxy: true, ValidateCerts: validateCerts, Decompress: true, UseNetrc: true}
	c, err := newClient(h, a, client{timeout: 30 * time.Second, redirect: "urllib2"})
	if err != nil {
		return nil, err
	}
	resp, _, err := c.do(ctx, request{method: http.MethodGet, url: address, header: c.header()})
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= 300 {
		return nil, modules.Failf("Failed to download %s: %s", address, statusText(resp))
	}
	body, err := c.reader(resp)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = modules.Failf("%s is longer than %d bytes", address, limit)
	}
	return b, err
}
