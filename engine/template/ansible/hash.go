package ansible

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"

	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/blake2s"
	//lint:ignore SA1019 the hash filter offers it, as Ansible's does
	"golang.org/x/crypto/ripemd160"

	"fettle/engine/template"
	"fettle/engine/value"
)

func init() {
	filter("md5(data)", digest("md5"))
	filter("sha1(data)", digest("sha1"))
	filter("checksum(data)", digest("sha1"))
	filter("hash(data, hashtype='sha1')", func(c *template.Call, a []value.Value) (value.Value, error) {
		return digest(text(a[1]))(c, a)
	})
	filter("to_uuid(string, namespace='361E6D51-FAEC-444A-9079-341386DA8E2E')", toUUID)
}

// newHash is hashlib.new.
func newHash(name string) (hash.Hash, error) {
	switch strings.ReplaceAll(strings.ToLower(name), "-", "_") {
	case "md5":
		return md5.New(), nil
	case "sha1":
		return sha1.New(), nil
	case "sha224":
		return sha256.New224(), nil
	case "sha256":
		return sha256.New(), nil
	case "sha384":
		return sha512.New384(), nil
	case "sha512":
		return sha512.New(), nil
	case "sha512_224":
		return sha512.New512_224(), nil
	case "sha512_256":
		return sha512.New512_256(), nil
	case "sha3_224":
		return sha3.New224(), nil
	case "sha3_256":
		return sha3.New256(), nil
	case "sha3_384":
		return sha3.New384(), nil
	case "sha3_512":
		return sha3.New512(), nil
	case "blake2b":
		return blake2b.New512(nil)
	case "blake2s":
		return blake2s.New256(nil)
	case "ripemd160":
		return ripemd160.New(), nil
	case "null": // OpenSSL has it
		return null{}, nil
	}
	return nil, fmt.Errorf("unsupported hash type %s", name)
}

func digest(name string) body {
	return func(_ *template.Call, a []value.Value) (value.Value, error) {
		h, err := newHash(name)
		if err != nil {
			return nil, err
		}
		raw, ok := a[0].([]byte)
		if !ok {
			raw = []byte(text(a[0]))
		}
		h.Write(raw)
		return hex.EncodeToString(h.Sum(nil)), nil
	}
}

func toUUID(_ *template.Call, a []value.Value) (value.Value, error) {
	space, err := hex.DecodeString(strings.NewReplacer("urn:", "", "uuid:", "", "-", "", "{", "", "}", "").Replace(text(a[1])))
	if err != nil || len(space) != 16 {
		return nil, fmt.Errorf("Invalid value for 'namespace' argument: %s", text(a[1]))
	}
	sum := sha1.Sum(append(space, text(a[0])...))
	id := sum[:16]
	id[6] = id[6]&0x0f | 0x50
	id[8] = id[8]&0x3f | 0x80
	h := hex.EncodeToString(id)
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-"), nil
}

// null is the hash that is always empty.
type null struct{}

func (null) Write(p []byte) (int, error) { return len(p), nil }
func (null) Sum(b []byte) []byte         { return b }
func (null) Reset()                      {}
func (null) Size() int                   { return 0 }
func (null) BlockSize() int              { return 0 }
