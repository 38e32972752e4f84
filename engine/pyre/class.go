package pyre

import (
	"unicode"
	"unicode/utf8"
)

type category uint8

const (
	catNone category = iota
	catDigit
	catSpace
	catWord
)

// classItem is a range of characters or a category, possibly negated.
type classItem struct {
	lo, hi rune
	cat    category
	not    bool
}

// charset is a set of characters with a table for the ASCII ones.
type charset struct {
	items []classItem
	not   bool
	fold  bool // ignore case
	asc   bool // ASCII rules for categories and case
	table [2]uint64
}

// finish fills the table; items must not change afterwards.
func (c *charset) finish() *charset {
	for r := range rune(utf8.RuneSelf) {
		if c.slow(r) {
			c.table[r>>6] |= 1 << (r & 63)
		}
	}
	return c
}

func (c *charset) has(r rune) bool {
	if r < utf8.RuneSelf {
		return c.table[r>>6]&(1<<(r&63)) != 0
	}
	return c.slow(r)
}

func (c *charset) slow(r rune) bool {
	if !c.fold {
		return c.listed(r) != c.not
	}
	for _, v := range caseVariants(r, c.asc) {
		if c.listed(v) {
			return !c.not
		}
	}
	return c.not
}

func (c *charset) listed(r rune) bool {
	for _, it := range c.items {
		if it.cat == catNone {
			if it.lo <= r && r <= it.hi {
				return true
			}
			continue
		}
		if inCategory(it.cat, r, c.asc) != it.not {
			return true
		}
	}
	return false
}

func inCategory(cat category, r rune, ascii bool) bool {
	if r >= utf8.RuneSelf && ascii {
		return false
	}
	switch cat {
	case catDigit:
		return '0' <= r && r <= '9' || r >= utf8.RuneSelf && unicode.Is(unicode.Nd, r)
	case catSpace:
		return isSpace(r, ascii)
	case catWord:
		return isWord(r, ascii)
	}
	return false
}

// isWord is str.isalnum() or underscore.
func isWord(r rune, ascii bool) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_'
	}
	return !ascii && (unicode.IsLetter(r) || unicode.IsNumber(r))
}

// isSpace is str.isspace(), which also takes the four separators below the blank.
func isSpace(r rune, ascii bool) bool {
	switch {
	case r == ' ' || '\t' <= r && r <= '\r':
		return true
	case ascii:
		return false
	case r < utf8.RuneSelf:
		return 0x1c <= r && r <= 0x1f
	}
	return unicode.IsSpace(r)
}

func lower(r rune, ascii bool) rune {
	if r < utf8.RuneSelf || ascii {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}
	return unicode.ToLower(r)
}

// extraCase pairs lower case characters that share an upper case form outside the
// simple folding orbits.
var extraCase = map[rune]rune{
	'i': 'ı', 'ı': 'i',
	0x390: 0x1fd3, 0x1fd3: 0x390,
	0x3b0: 0x1fe3, 0x1fe3: 0x3b0,
	0xfb05: 0xfb06, 0xfb06: 0xfb05,
}

// caseVariants lists the characters that r matches when case is ignored, r included.
func caseVariants(r rune, ascii bool) []rune {
	if ascii {
		return asciiVariants(r)
	}
	lo := lower(r, false)
	out := orbit(nil, lo)
	if x, ok := extraCase[lo]; ok {
		out = orbit(out, x)
	}
	if lo == 'i' || lo == 'ı' {
		out = append(out, 'İ')
	}
	return out
}

func asciiVariants(r rune) []rune {
	switch {
	case 'a' <= r && r <= 'z':
		return []rune{r, r - 'a' + 'A'}
	case 'A' <= r && r <= 'Z':
		return []rune{r, r - 'A' + 'a'}
	}
	return []rune{r}
}

func orbit(out []rune, r rune) []rune {
	out = append(out, r)
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		out = append(out, f)
	}
	return out
}

// decode reads the character at pos; a byte that is no UTF-8 becomes U+DC80..U+DCFF.
func decode(s string, pos int) (rune, int) {
	if b := s[pos]; b < utf8.RuneSelf {
		return rune(b), 1
	}
	r, w := utf8.DecodeRuneInString(s[pos:])
	if w == 1 {
		return 0xDC00 + rune(s[pos]), 1
	}
	return r, w
}

// decodeLast reads the character before pos.
func decodeLast(s string, pos int) (rune, int) {
	if b := s[pos-1]; b < utf8.RuneSelf {
		return rune(b), 1
	}
	r, w := utf8.DecodeLastRuneInString(s[:pos])
	if w == 1 {
		return 0xDC00 + rune(s[pos-1]), 1
	}
	return r, w
}

// appendChar is the inverse of decode.
func appendChar(b []byte, r rune) []byte {
	switch {
	case 0xDC80 <= r && r <= 0xDCFF:
		return append(b, byte(r-0xDC00))
	case 0xD800 <= r && r <= 0xDFFF: // no text holds one: bytes that never occur
		return append(b, 0xED, 0x80|byte(r>>6&0x3F), 0x80|byte(r&0x3F))
	}
	return utf8.AppendRune(b, r)
}

// runes splits s into characters with decode.
func runes(s string) []rune {
	out := make([]rune, 0, len(s))
	for i := 0; i < len(s); {
		r, w := decode(s, i)
		out = append(out, r)
		i += w
	}
	return out
}
