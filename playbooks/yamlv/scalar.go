package yamlv

import (
	"encoding/base64"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"fettle/engine/value"

	"gopkg.in/yaml.v3"
)

type kind int

const (
	kindStr kind = iota
	kindNull
	kindBool
	kindInt
	kindFloat
	kindTime
	kindMerge
	kindEquals // the lone "=", which YAML 1.1 reserves
)

var (
	boolForm  = regexp.MustCompile(`^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$`)
	intForm   = regexp.MustCompile(`^(?:[-+]?0b[01_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$`)
	floatForm = regexp.MustCompile(`^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|` +
		`[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$`)
	timeForm = regexp.MustCompile(`^([0-9]{4})-([0-9][0-9]?)-([0-9][0-9]?)(?:(?:[Tt]|[ \t]+)([0-9][0-9]?):([0-9]{2}):([0-9]{2})(?:\.([0-9]*))?` +
		`(?:[ \t]*(Z|([-+])([0-9][0-9]?)(?::([0-9]{2}))?))?)?$`)
	dateForm = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
)

// plainKind is the type that YAML 1.1 gives to an unquoted scalar.
func plainKind(s string) kind {
	if s == "" {
		return kindNull
	}
	// Most scalars are words: look at the first character before the expressions.
	switch c := s[0]; {
	case c >= '0' && c <= '9', c == '-', c == '+', c == '.':
		switch {
		case intForm.MatchString(s):
			return kindInt
		case floatForm.MatchString(s):
			return kindFloat
		case c >= '0' && c <= '9' && timeForm.MatchString(s) && (dateForm.MatchString(s) || strings.Contains(s, ":")):
			return kindTime
		}
	case strings.IndexByte("yYnNtTfFoO", c) >= 0 && len(s) <= 5:
		switch {
		case boolForm.MatchString(s):
			return kindBool
		case s == "null" || s == "Null" || s == "NULL":
			return kindNull
		}
	case s == "~":
		return kindNull
	case s == "<<":
		return kindMerge
	case s == "=":
		return kindEquals
	}
	return kindStr
}

const quoted = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle

// tagOf is the explicit tag of a node, short form, or "".
func tagOf(n *yaml.Node) string {
	if n.Style&yaml.TaggedStyle == 0 {
		return ""
	}
	if t := n.ShortTag(); t != "!" {
		return t
	}
	return ""
}

// kindOf is the type of a scalar node, by its tag or else by its text.
func kindOf(n *yaml.Node) kind {
	switch tagOf(n) {
	case "", "!unsafe":
		if n.Style&quoted != 0 {
			return kindStr
		}
		return plainKind(n.Value)
	case "!!null":
		return kindNull
	case "!!bool":
		return kindBool
	case "!!int":
		return kindInt
	case "!!float":
		return kindFloat
	case "!!timestamp":
		return kindTime
	}
	return kindStr
}

// Scalar gives the value of a plain text under YAML 1.1 rules ("0644" is 420): what an
// unquoted scalar in a file would be. Texts that are malformed numbers stay texts.
func Scalar(s string) value.Value {
	v, err := scalarOf(plainKind(s), s)
	if err != nil {
		return s
	}
	return v
}

func scalarOf(k kind, s string) (value.Value, error) {
	switch k {
	case kindNull:
		return nil, nil
	case kindBool:
		switch strings.ToLower(s) {
		case "yes", "true", "on":
			return true, nil
		case "no", "false", "off":
			return false, nil
		}
		return nil, fmt.Errorf("%q is no boolean", s)
	case kindInt:
		return intOf(s)
	case kindFloat:
		return floatOf(s)
	case kindTime:
		return timeOf(s)
	case kindEquals:
		return nil, fmt.Errorf(`a lone "=" must be quoted`)
	}
	return s, nil
}

func intOf(s string) (value.Value, error) {
	t := strings.ReplaceAll(s, "_", "")
	negative := strings.HasPrefix(t, "-")
	t = strings.TrimLeft(t, "+-")
	n, ok := new(big.Int), false
	switch {
	case t == "0":
		ok = true
	case strings.HasPrefix(t, "0b"):
		n, ok = n.SetString(t[2:], 2)
	case strings.HasPrefix(t, "0x"):
		n, ok = n.SetString(t[2:], 16)
	case strings.HasPrefix(t, "0"):
		n, ok = n.SetString(strings.TrimPrefix(strings.TrimPrefix(t, "0o"), "0O"), 8)
	case strings.Contains(t, ":"):
		ok = true
		for part := range strings.SplitSeq(t, ":") {
			d, err := strconv.ParseInt(part, 10, 64)
			ok = ok && err == nil
			n.Add(n.Mul(n, big.NewInt(60)), big.NewInt(d))
		}
	default:
		n, ok = n.SetString(t, 10)
	}
	if !ok || n == nil {
		return nil, fmt.Errorf("%q is no whole number", s)
	}
	if negative {
		n.Neg(n)
	}
	if n.IsInt64() {
		return n.Int64(), nil
	}
	return n, nil
}

func floatOf(s string) (value.Value, error) {
	t := strings.ToLower(strings.ReplaceAll(s, "_", ""))
	sign := 1.0
	if strings.HasPrefix(t, "-") {
		sign = -1
	}
	t = strings.TrimLeft(t, "+-")
	switch t {
	case ".inf":
		return math.Inf(int(sign)), nil
	case ".nan":
		return math.NaN(), nil
	}
	total := 0.0
	for part := range strings.SplitSeq(t, ":") {
		f, err := strconv.ParseFloat(part, 64)
		if err != nil && !math.IsInf(f, 0) {
			return nil, fmt.Errorf("%q is no number", s)
		}
		total = total*60 + f
	}
	return sign * total, nil
}

// timeOf gives a date or time as the text that Python prints for it; values have no type
// of their own for dates.
func timeOf(s string) (value.Value, error) {
	m := timeForm.FindStringSubmatch(s)
	if m == nil {
		return nil, fmt.Errorf("%q is no date", s)
	}
	num := func(i int) int { n, _ := strconv.Atoi(m[i]); return n }
	year, month, day := num(1), num(2), num(3)
	t := time.Date(year, time.Month(month), day, num(4), num(5), num(6), 0, time.UTC)
	if year == 0 || t.Month() != time.Month(month) || t.Day() != day || num(4) > 23 || num(5) > 59 || num(6) > 59 {
		return nil, fmt.Errorf("%q is no date", s)
	}
	if m[4] == "" {
		return t.Format("2006-01-02"), nil
	}
	out := t.Format("2006-01-02 15:04:05")
	if fraction := (m[7] + "000000")[:6]; m[7] != "" && fraction != "000000" {
		out += "." + fraction
	}
	switch {
	case m[8] == "Z":
		out += "+00:00"
	case m[8] != "":
		out += fmt.Sprintf("%s%02d:%02d", m[9], num(10), num(11))
	}
	return out, nil
}

func binaryOf(s string) (value.Value, error) {
	b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		return nil, fmt.Errorf("cannot read base64: %w", err)
	}
	return b, nil
}
