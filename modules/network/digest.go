package network

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"slices"
	"strings"
)

// challenge is what a server asks of a client with the digest scheme (RFC 7616).
type challenge map[string]string

// digestWanted is the first demand for a digest that can be answered, nil when there is none.
func digestWanted(resp *http.Response) challenge {
	for _, v := range resp.Header.Values("WWW-Authenticate") {
		scheme, rest, _ := strings.Cut(strings.TrimSpace(v), " ")
		if !strings.EqualFold(scheme, "digest") {
			continue
		}
		if c := parseChallenge(rest); c["nonce"] != "" && c.hash() != nil && (c["qop"] == "" || c.protects()) {
			return c
		}
	}
	return nil
}

// parseChallenge reads NAME=VALUE, separated by commas; values may be quoted.
func parseChallenge(s string) challenge {
	c := challenge{}
	for s != "" {
		name, rest, ok := strings.Cut(s, "=")
		if !ok {
			break
		}
		var v strings.Builder
		quoted, i := false, 0
		for ; i < len(rest) && (quoted || rest[i] != ','); i++ {
			switch {
			case rest[i] == '"':
				quoted = !quoted
				continue
			case quoted && rest[i] == '\\' && i+1 < len(rest):
				i++
			}
			v.WriteByte(rest[i])
		}
		c[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(v.String())
		s = strings.TrimLeft(rest[i:], ", ")
	}
	return c
}

// hash is the function that the server asks for, nil when it is unknown.
func (c challenge) hash() func() hash.Hash {
	switch strings.TrimSuffix(strings.ToUpper(c["algorithm"]), "-SESS") {
	case "", "MD5":
		return md5.New
	case "SHA-256":
		return sha256.New
	}
	return nil
}

// protects tells whether the server takes qop=auth.
func (c challenge) protects() bool {
	return slices.Contains(strings.FieldsFunc(c["qop"], func(r rune) bool { return r == ',' || r == ' ' }), "auth")
}

// answer is the value of the header Authorization for one request.
func (c challenge) answer(method, uri, user, password, cnonce string) string {
	sum := func(parts ...string) string {
		h := c.hash()()
		h.Write([]byte(strings.Join(parts, ":")))
		return hex.EncodeToString(h.Sum(nil))
	}
	const count = "00000001"
	ha1 := sum(user, c["realm"], password)
	if strings.HasSuffix(strings.ToUpper(c["algorithm"]), "-SESS") {
		ha1 = sum(ha1, c["nonce"], cnonce)
	}
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace
	out := fmt.Sprintf(`Digest username="%s", realm="%s", nonce="%s", uri="%s"`, quote(user), quote(c["realm"]), quote(c["nonce"]), uri)
	if c["qop"] == "" {
		out += fmt.Sprintf(`, response="%s"`, sum(ha1, c["nonce"], sum(method, uri)))
	} else {
		out += fmt.Sprintf(`, response="%s", qop=auth, nc=%s, cnonce="%s"`, sum(ha1, c["nonce"], count, cnonce, "auth", sum(method, uri)), count, cnonce)
	}
	for _, name := range []string{"algorithm", "opaque"} {
		if v, ok := c[name]; ok {
			out += fmt.Sprintf(`, %s="%s"`, name, quote(v))
		}
	}
	return out
}

func newNonce() string { return strings.ToLower(rand.Text()) }
