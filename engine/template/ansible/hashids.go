package ansible

import (
	"errors"
	"slices"
	"strings"

	"fettle/engine/template"
	"fettle/engine/value"
)

func init() {
	general("hashids_encode", "(nums, salt=None, alphabet=None, min_length=None)", hashidsEncode)
	general("hashids_decode", "(hashid, salt=None, alphabet=None, min_length=None)", hashidsDecode)
}

// hashids writes numbers as short text that does not look like numbers: https://hashids.org.
type hashids struct {
	salt                         []rune
	alphabet, separators, guards []byte
	least                        int
}

// newHashids deals out the alphabet: some characters separate numbers, some fill up.
func newHashids(salt, alphabet, length value.Value) (*hashids, error) {
	h := &hashids{separators: []byte("cfhistuCFHISTU"), alphabet: []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ1234567890")}
	if salt != nil {
		h.salt = []rune(text(salt))
	}
	if alphabet != nil {
		h.alphabet = nil
		for _, c := range []byte(text(alphabet)) {
			if !slices.Contains(h.alphabet, c) {
				h.alphabet = append(h.alphabet, c)
			}
		}
	}
	if length != nil {
		n, err := exactInt("min_length", length)
		if err != nil {
			return nil, err
		}
		h.least = int(max(0, min(n, 1<<16)))
	}
	h.separators = slices.DeleteFunc(h.separators, func(c byte) bool { return !slices.Contains(h.alphabet, c) })
	h.alphabet = slices.DeleteFunc(h.alphabet, func(c byte) bool { return slices.Contains(h.separators, c) })
	if len(h.alphabet)+len(h.separators) < 16 {
		return nil, errors.New("Alphabet must contain at least 16 unique characters.")
	}
	shuffle(h.separators, h.salt)
	if need := (2*len(h.alphabet) + 6) / 7; len(h.separators) == 0 || 2*len(h.alphabet) > 7*len(h.separators) {
		need = max(need, 2)
		more := need - len(h.separators)
		if more > 0 {
			h.separators = append(h.separators, h.alphabet[:more]...)
			h.alphabet = h.alphabet[more:]
		}
	}
	shuffle(h.alphabet, h.salt)
	guards := (len(h.alphabet) + 11) / 12
	if len(h.alphabet) < 3 {
		h.guards, h.separators = h.separators[:guards], h.separators[guards:]
	} else {
		h.guards, h.alphabet = h.alphabet[:guards], h.alphabet[guards:]
	}
	return h, nil
}

// shuffle orders letters by a salt.
func shuffle(letters []byte, salt []rune) {
	sum, at := 0, 0
	for i := len(letters) - 1; i > 0 && len(salt) > 0; i-- {
		at %= len(salt)
		c := int(salt[at])
		sum += c
		j := (c + at + sum) % i
		letters[i], letters[j] = letters[j], letters[i]
		at++
	}
}

func (h *hashids) encode(nums []uint64) string {
	var sum uint64
	for i, n := range nums {
		sum += n % uint64(i+100)
	}
	alphabet := slices.Clone(h.alphabet)
	lottery := alphabet[sum%uint64(len(alphabet))]
	out := []byte{lottery}
	for i, n := range nums {
		shuffle(alphabet, h.saltFor(lottery, alphabet))
		last := digits(n, alphabet)
		out = append(out, last...)
		if i < len(nums)-1 {
			out = append(out, h.separators[n%uint64(int(last[0])+i)%uint64(len(h.separators))])
		}
	}
	return string(h.pad(out, sum, alphabet))
}

// saltFor is the salt of the next number.
func (h *hashids) saltFor(lottery byte, alphabet []byte) []rune {
	salt := append(append([]rune{rune(lottery)}, h.salt...), []rune(string(alphabet))...)
	return salt[:len(alphabet)]
}

// pad fills up to the wanted length.
func (h *hashids) pad(out []byte, sum uint64, alphabet []byte) []byte {
	if len(out) < h.least {
		out = append([]byte{h.guards[(sum+uint64(out[0]))%uint64(len(h.guards))]}, out...)
		if len(out) < h.least {
			out = append(out, h.guards[(sum+uint64(out[2]))%uint64(len(h.guards))])
		}
	}
	half := len(alphabet) / 2
	for len(out) < h.least {
		shuffle(alphabet, []rune(string(alphabet)))
		out = slices.Concat(alphabet[half:], out, alphabet[:half])
		if extra := len(out) - h.least; extra > 0 {
			out = out[extra/2 : extra/2+h.least]
		}
	}
	return out
}

// digits writes a number with the letters of an alphabet.
func digits(n uint64, alphabet []byte) []byte {
	var out []byte
	for base := uint64(len(alphabet)); ; n /= base {
		out = append(out, alphabet[n%base])
		if n < base {
			break
		}
	}
	slices.Reverse(out)
	return out
}

func (h *hashids) decode(s string) []uint64 {
	isGuard := func(r rune) bool { return r < 128 && slices.Contains(h.guards, byte(r)) }
	parts := splitAt(s, isGuard)
	body := parts[0]
	if len(parts) == 2 || len(parts) == 3 {
		body = parts[1]
	}
	if body == "" {
		return nil
	}
	alphabet := slices.Clone(h.alphabet)
	var nums []uint64
	for _, part := range splitAt(body[1:], func(r rune) bool { return r < 128 && slices.Contains(h.separators, byte(r)) }) {
		shuffle(alphabet, h.saltFor(body[0], alphabet))
		var n uint64
		for _, c := range []byte(part) {
			i := slices.Index(alphabet, c)
			if i < 0 {
				return nil
			}
			n = n*uint64(len(alphabet)) + uint64(i)
		}
		nums = append(nums, n)
	}
	if h.encode(nums) != s {
		return nil
	}
	return nums
}

// splitAt is strings.FieldsFunc that keeps empty fields.
func splitAt(s string, is func(rune) bool) []string {
	var out []string
	for {
		i := strings.IndexFunc(s, is)
		if i < 0 {
			return append(out, s)
		}
		out = append(out, s[:i])
		s = s[i+1:]
	}
}

func hashidsEncode(_ *template.Call, a []value.Value) (value.Value, error) {
	h, err := newHashids(a[1], a[2], a[3])
	if err != nil {
		return nil, err
	}
	vs, err := items(a[0])
	if err != nil {
		return nil, err
	}
	var nums []uint64
	for _, v := range vs {
		if _, isDict := v.(*value.Dict); isDict || v == nil || isSequence(v) {
			return nil, errors.New("Data to encode must by a tuple or list of ints")
		}
		n, ok := value.Int(v)
		if _, isFloat := v.(float64); isFloat || isText(v) || !ok || n < 0 {
			return "", nil
		}
		nums = append(nums, uint64(n))
	}
	if len(nums) == 0 {
		return "", nil
	}
	return h.encode(nums), nil
}

func hashidsDecode(_ *template.Call, a []value.Value) (value.Value, error) {
	h, err := newHashids(a[1], a[2], a[3])
	if err != nil {
		return nil, err
	}
	out := []value.Value{}
	if !isText(a[0]) || !isTrue(a[0]) {
		return list(out), nil
	}
	for _, n := range h.decode(text(a[0])) {
		out = append(out, int64(n))
	}
	return list(out), nil
}
