package ansible

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strings"

	//lint:ignore SA1019 bcrypt is made of it; nothing is encrypted with it
	"golang.org/x/crypto/blowfish"

	"fettle/engine/template"
	"fettle/engine/value"
)

func init() {
	filter("password_hash(password, hashtype='sha512', salt=None, salt_size=None, rounds=None, ident=None)", passwordHash)
}

// scheme is a way to hash passwords for crypt(3).
type scheme struct {
	saltSize, maxSalt int
	rounds            int64
	hash              func(password, salt string, rounds int64, ident string) (string, error)
}

var schemes = map[string]scheme{
	"md5_crypt":    {saltSize: 8, maxSalt: 8, hash: md5Crypt},
	"bcrypt":       {saltSize: 22, maxSalt: 22, rounds: 12, hash: bcrypt},
	"sha256_crypt": {saltSize: 16, maxSalt: 16, rounds: 535000, hash: sha256Crypt},
	"sha512_crypt": {saltSize: 16, maxSalt: 16, rounds: 656000, hash: sha512Crypt},
}

var schemeNames = map[string]string{"md5": "md5_crypt", "blowfish": "bcrypt", "sha256": "sha256_crypt", "sha512": "sha512_crypt"}

const saltChars = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func passwordHash(_ *template.Call, a []value.Value) (value.Value, error) {
	if !isText(a[0]) {
		return nil, fmt.Errorf("password_hash needs a text, got %s", value.TypeName(a[0]))
	}
	size := int64(0)
	rounds := int64(0)
	var err error
	if a[3] != nil {
		if size, err = integer(a[3]); err != nil {
			return nil, err
		}
	}
	if a[4] != nil {
		if rounds, err = integer(a[4]); err != nil {
			return nil, err
		}
	}
	salt, ident := "", ""
	if a[2] != nil {
		salt = text(a[2])
	}
	if a[5] != nil {
		ident = text(a[5])
	}
	return cryptPassword(text(a[0]), text(a[1]), salt, int(size), rounds, ident)
}

// cryptPassword hashes a password; empty and zero arguments take the scheme's defaults.
func cryptPassword(password, kind, salt string, saltSize int, rounds int64, ident string) (string, error) {
	if full, ok := schemeNames[kind]; ok {
		kind = full
	}
	s, ok := schemes[kind]
	if !ok {
		return "", fmt.Errorf("could not hash a password: unknown hash type %q; use md5, blowfish, bcrypt, sha256 or sha512", kind)
	}
	if salt == "" {
		if saltSize <= 0 || saltSize > s.maxSalt {
			saltSize = s.saltSize
		}
		salt = randomSalt(saltSize)
	}
	if i := strings.IndexFunc(salt, func(r rune) bool { return !strings.ContainsRune(saltChars, r) }); i >= 0 {
		return "", errors.New("invalid characters in salt")
	}
	if strings.ContainsRune(password, 0) {
		return "", errors.New("a password with a NUL character cannot be hashed")
	}
	if rounds == 0 {
		rounds = s.rounds
	}
	return s.hash(password, salt, rounds, ident)
}

func randomSalt(n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte(saltChars[below(system{}, int64(len(saltChars)))])
	}
	return b.String()
}

// crypt64 writes the bytes of groups of three in crypt's own base 64.
func crypt64(sum []byte, order [][3]int, last []int) string {
	var b strings.Builder
	put := func(v uint32, n int) {
		for range n {
			b.WriteByte(saltChars[v&0x3f])
			v >>= 6
		}
	}
	for _, o := range order {
		put(uint32(sum[o[0]])<<16|uint32(sum[o[1]])<<8|uint32(sum[o[2]]), 4)
	}
	var v uint32
	for _, i := range last {
		v = v<<8 | uint32(sum[i])
	}
	put(v, len(last)+1)
	return b.String()
}

// rotation lists the byte triples of SHA-crypt: each starts where the rule says.
func rotation(n, step int) [][3]int {
	var out [][3]int
	size := n / 3
	at := [3]int{0, size, 2 * size}
	for range size {
		out = append(out, at)
		at = [3]int{at[step] + 1, at[(step+1)%3] + 1, at[(step+2)%3] + 1}
	}
	return out
}

func sha256Crypt(password, salt string, rounds int64, _ string) (string, error) {
	return shaCrypt("$5$", sha256.New, password, salt, rounds, func(sum []byte) string {
		return crypt64(sum, rotation(30, 2), []int{31, 30})
	})
}

func sha512Crypt(password, salt string, rounds int64, _ string) (string, error) {
	return shaCrypt("$6$", sha512.New, password, salt, rounds, func(sum []byte) string {
		return crypt64(sum, rotation(63, 1), []int{63})
	})
}

func shaCrypt(prefix string, newHash func() hash.Hash, password, salt string, rounds int64, print func([]byte) string) (string, error) {
	if len(salt) > 16 {
		return "", fmt.Errorf("salt too large (%s requires <= 16 chars)", schemeOf(prefix))
	}
	if rounds < 1000 || rounds > 999999999 {
		return "", fmt.Errorf("rounds must be between 1000 and 999999999, not %d", rounds)
	}
	sum := shaRounds(newHash, []byte(password), []byte(salt), int(rounds))
	head := prefix
	if rounds != 5000 {
		head += fmt.Sprintf("rounds=%d$", rounds)
	}
	return head + salt + "$" + print(sum), nil
}

func schemeOf(prefix string) string {
	return map[string]string{"$5$": "sha256_crypt", "$6$": "sha512_crypt", "$1$": "md5_crypt"}[prefix]
}

// shaRounds is the algorithm of "Unix crypt using SHA-256 and SHA-512".
func shaRounds(newHash func() hash.Hash, pw, salt []byte, rounds int) []byte {
	sum := func(parts ...[]byte) []byte {
		h := newHash()
		for _, p := range parts {
			h.Write(p)
		}
		return h.Sum(nil)
	}
	b := sum(pw, salt, pw)
	h := newHash()
	h.Write(pw)
	h.Write(salt)
	h.Write(stretch(b, len(pw)))
	for n := len(pw); n > 0; n >>= 1 {
		if n&1 != 0 {
			h.Write(b)
		} else {
			h.Write(pw)
		}
	}
	a := h.Sum(nil)
	h = newHash()
	for range pw {
		h.Write(pw)
	}
	p := stretch(h.Sum(nil), len(pw))
	h = newHash()
	for range 16 + int(a[0]) {
		h.Write(salt)
	}
	s := stretch(h.Sum(nil), len(salt))
	for i := range rounds {
		h := newHash()
		mix(h, i, a, p, s)
		a = h.Sum(a[:0])
	}
	return a
}

// mix writes one round's input.
func mix(h hash.Hash, i int, a, p, s []byte) {
	if i&1 != 0 {
		h.Write(p)
	} else {
		h.Write(a)
	}
	if i%3 != 0 {
		h.Write(s)
	}
	if i%7 != 0 {
		h.Write(p)
	}
	if i&1 != 0 {
		h.Write(a)
	} else {
		h.Write(p)
	}
}

// stretch repeats b to n bytes.
func stretch(b []byte, n int) []byte {
	out := make([]byte, 0, n+len(b))
	for len(out) < n {
		out = append(out, b...)
	}
	return out[:n]
}

func md5Crypt(password, salt string, _ int64, _ string) (string, error) {
	if len(salt) > 8 {
		return "", errors.New("salt too large (md5_crypt requires <= 8 chars)")
	}
	pw, s := []byte(password), []byte(salt)
	inner := md5.Sum([]byte(password + salt + password))
	h := md5.New()
	h.Write([]byte(password + "$1$" + salt))
	h.Write(stretch(inner[:], len(pw)))
	for n := len(pw); n > 0; n >>= 1 {
		if n&1 != 0 {
			h.Write([]byte{0})
		} else {
			h.Write(pw[:1])
		}
	}
	sum := h.Sum(nil)
	for i := range 1000 {
		h := md5.New()
		mix(h, i, sum, pw, s)
		sum = h.Sum(sum[:0])
	}
	order := [][3]int{{0, 6, 12}, {1, 7, 13}, {2, 8, 14}, {3, 9, 15}, {4, 10, 5}}
	return "$1$" + salt + "$" + crypt64(sum, order, []int{11}), nil
}

const bcryptChars = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

var bcrypt64 = base64.NewEncoding(bcryptChars).WithPadding(base64.NoPadding)

func bcrypt(password, salt string, rounds int64, ident string) (string, error) {
	if ident == "" {
		ident = "2b"
	}
	ident = strings.Trim(ident, "$")
	switch ident {
	case "2", "2a", "2b", "2y":
	default:
		return "", fmt.Errorf("invalid ident %q for bcrypt; use 2, 2a, 2b or 2y", ident)
	}
	if len(salt) != 22 {
		return "", fmt.Errorf("salt too %s (bcrypt requires exactly 22 chars)", map[bool]string{true: "small", false: "large"}[len(salt) < 22])
	}
	if rounds < 4 || rounds > 31 {
		return "", fmt.Errorf("rounds must be between 4 and 31, not %d", rounds)
	}
	raw, err := bcrypt64.DecodeString(salt)
	if err != nil {
		return "", errors.New("invalid characters in salt")
	}
	key := []byte(password)
	if ident != "2" {
		key = append(key, 0)
	}
	sum, err := bcryptRounds(key[:min(len(key), 72)], raw[:16], rounds)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("$%s$%02d$%s%s", ident, rounds, bcrypt64.EncodeToString(raw[:16]), bcrypt64.EncodeToString(sum[:23])), nil
}

func bcryptRounds(key, salt []byte, rounds int64) ([]byte, error) {
	c, err := blowfish.NewSaltedCipher(key, salt)
	if err != nil {
		return nil, err
	}
	for range 1 << rounds {
		blowfish.ExpandKey(key, c)
		blowfish.ExpandKey(salt, c)
	}
	sum := []byte("OrpheanBeholderScryDoubt")
	for i := 0; i < 24; i += 8 {
		for range 64 {
			c.Encrypt(sum[i:i+8], sum[i:i+8])
		}
	}
	return sum, nil
}
