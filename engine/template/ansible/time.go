package ansible

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"fettle/engine/template"
	"fettle/engine/value"
)

func init() {
	filter("strftime(string_format, second=None, utc=False)", strftimeFilter)
	filter("to_datetime(string, format='%Y-%m-%d %H:%M:%S')", toDatetime)
	template.SetStrftime(strftime)
}

// maxEpoch is near where the year stops to fit into a C int.
const maxEpoch = 67768036191676799

func strftimeFilter(_ *template.Call, a []value.Value) (value.Value, error) {
	t := time.Now()
	if a[1] != nil {
		f := value.Float(a[1])
		if !value.IsNumber(a[1]) {
			var ok bool
			if f, ok = value.ParseFloat(text(a[1])); !ok {
				return nil, fmt.Errorf("Invalid value for epoch value (%s)", text(a[1]))
			}
		}
		if !(math.Abs(f) < maxEpoch) {
			return nil, errors.New("timestamp out of range for platform time_t")
		}
		t = time.Unix(int64(math.Floor(f)), 0)
	}
	if isTrue(a[2]) {
		t = t.UTC()
	}
	return strftime(t, text(a[0]))
}

// strftime is glibc's in the C locale, with its flags - _ 0 ^ # and widths.
func strftime(t time.Time, format string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		d, n := parseDirective(format[i+1:])
		s, ok := d.format(t)
		if !ok {
			s = format[i : i+1+n]
		}
		b.WriteString(s)
		i += n
	}
	return b.String(), nil
}

// directive is one conversion of strftime.
type directive struct {
	flag  byte
	upper bool
	width int
	conv  byte
}

func parseDirective(s string) (d directive, n int) {
	for n < len(s) && strings.IndexByte("-_0^#", s[n]) >= 0 {
		if s[n] == '^' {
			d.upper = true
		} else {
			d.flag = s[n]
		}
		n++
	}
	for n < len(s) && '0' <= s[n] && s[n] <= '9' && d.width < 1000 {
		d.width = d.width*10 + int(s[n]-'0')
		n++
	}
	if n+1 < len(s) && (s[n] == 'E' || s[n] == 'O') {
		n++
	}
	if n < len(s) {
		d.conv = s[n]
		n++
	}
	return d, n
}

// number writes n with the directive's padding.
func (d directive) number(n, width int, pad byte) string {
	switch d.flag {
	case '-':
		width = 0
	case '_':
		pad = ' '
	case '0':
		pad = '0'
	}
	width = max(width, d.width)
	s := strconv.Itoa(n)
	if len(s) < width {
		s = strings.Repeat(string(pad), width-len(s)) + s
	}
	return s
}

func (d directive) text(s string) string {
	if d.upper {
		s = strings.ToUpper(s)
	}
	if d.flag == '#' {
		s = swapCase(s)
	}
	if len(s) < d.width {
		pad := " "
		if d.flag == '0' {
			pad = "0"
		}
		s = strings.Repeat(pad, d.width-len(s)) + s
	}
	return s
}

func swapCase(s string) string {
	if s == strings.ToUpper(s) {
		return strings.ToLower(s)
	}
	return strings.ToUpper(s)
}

// texts are directives with a layout of Go's time package.
var layouts = map[byte]string{
	'a': "Mon", 'A': "Monday", 'b': "Jan", 'h': "Jan", 'B': "January", 'c': "Mon Jan _2 15:04:05 2006",
	'D': "01/02/06", 'x': "01/02/06", 'F': "2006-01-02", 'p': "PM", 'r': "03:04:05 PM", 'R': "15:04",
	'T': "15:04:05", 'X': "15:04:05", 'z': "-0700", 'Z': "MST",
}

func (d directive) format(t time.Time) (string, bool) {
	if layout, ok := layouts[d.conv]; ok {
		s := t.Format(layout)
		if d.conv == 'Z' && s == "UTC" && t.Location() == time.UTC {
			s = "GMT"
		}
		if d.conv == 'Z' {
			d.flag = 0
		}
		return d.text(s), true
	}
	isoYear, isoWeek := t.ISOWeek()
	yday, wday := t.YearDay()-1, int(t.Weekday())
	hour12 := (t.Hour()+11)%12 + 1
	switch d.conv {
	case '%', 'n', 't':
		return map[byte]string{'%': "%", 'n': "\n", 't': "\t"}[d.conv], true
	case 'P':
		return d.text(strings.ToLower(t.Format("PM"))), true
	case 'Y':
		return d.number(t.Year(), 0, '0'), true
	case 'C':
		return d.number(t.Year()/100, 2, '0'), true
	case 'y':
		return d.number(t.Year()%100, 2, '0'), true
	case 'G':
		return d.number(isoYear, 0, '0'), true
	case 'g':
		return d.number(isoYear%100, 2, '0'), true
	case 'V':
		return d.number(isoWeek, 2, '0'), true
	case 'm':
		return d.number(int(t.Month()), 2, '0'), true
	case 'd':
		return d.number(t.Day(), 2, '0'), true
	case 'e':
		return d.number(t.Day(), 2, ' '), true
	case 'H':
		return d.number(t.Hour(), 2, '0'), true
	case 'k':
		return d.number(t.Hour(), 2, ' '), true
	case 'I':
		return d.number(hour12, 2, '0'), true
	case 'l':
		return d.number(hour12, 2, ' '), true
	case 'M':
		return d.number(t.Minute(), 2, '0'), true
	case 'S':
		return d.number(t.Second(), 2, '0'), true
	case 'f':
		return d.number(t.Nanosecond()/1000, 6, '0'), true
	case 'j':
		return d.number(yday+1, 3, '0'), true
	case 's':
		return d.number(int(t.Unix()), 0, '0'), true
	case 'u':
		return d.number((wday+6)%7+1, 0, '0'), true
	case 'w':
		return d.number(wday, 0, '0'), true
	case 'U':
		return d.number((yday+7-wday)/7, 2, '0'), true
	case 'W':
		return d.number((yday+7-(wday+6)%7)/7, 2, '0'), true
	}
	return "", false
}

// toDatetime is datetime.strptime.
func toDatetime(_ *template.Call, a []value.Value) (value.Value, error) {
	p := &timeParser{s: text(a[0]), year: 1900, month: 1, day: 1, loc: time.UTC}
	format := text(a[1])
	fail := fmt.Errorf("time data %s does not match format %s", value.Repr(p.s), value.Repr(format))
	for i := 0; i < len(format); i++ {
		ok := true
		switch {
		case format[i] == '%' && i+1 < len(format):
			i++
			ok = p.directive(format[i])
		case value.IsSpace(rune(format[i])):
			ok = p.i < len(p.s) && value.IsSpace(rune(p.s[p.i]))
			for p.i < len(p.s) && value.IsSpace(rune(p.s[p.i])) {
				p.i++
			}
		default:
			ok = p.i < len(p.s) && strings.EqualFold(p.s[p.i:p.i+1], format[i:i+1])
			p.i++
		}
		if !ok {
			return nil, fail
		}
	}
	if p.i < len(p.s) {
		return nil, fmt.Errorf("unconverted data remains: %s", p.s[p.i:])
	}
	if p.day > daysIn(p.year, p.month) {
		return nil, fmt.Errorf("day is out of range for month")
	}
	if p.pm && p.hour12 {
		p.hour = p.hour%12 + 12
	} else if p.hour12 {
		p.hour %= 12
	}
	return &template.Time{Time: time.Date(p.year, time.Month(p.month), p.day, p.hour, p.min, p.sec, p.nano, p.loc), Aware: p.aware}, nil
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

type timeParser struct {
	s                    string
	i                    int
	year, month, day     int
	hour, min, sec, nano int
	hour12, pm, aware    bool
	loc                  *time.Location
}

func (p *timeParser) directive(c byte) bool {
	switch c {
	case 'Y':
		return p.int(&p.year, 4, 4, 1, 9999)
	case 'y':
		ok := p.int(&p.year, 2, 2, 0, 99)
		p.year += 1900
		if p.year < 1969 {
			p.year += 100
		}
		return ok
	case 'm':
		return p.int(&p.month, 1, 2, 1, 12)
	case 'd', 'e':
		return p.int(&p.day, 1, 2, 1, 31)
	case 'H':
		return p.int(&p.hour, 1, 2, 0, 23)
	case 'I':
		p.hour12 = true
		return p.int(&p.hour, 1, 2, 1, 12)
	case 'M':
		return p.int(&p.min, 1, 2, 0, 59)
	case 'S':
		return p.int(&p.sec, 1, 2, 0, 61)
	case 'j':
		p.month = 1
		return p.int(&p.day, 1, 3, 1, 366)
	case 'f':
		from := p.i
		ok := p.int(&p.nano, 1, 6, 0, 999999)
		for n := p.i - from; n < 9; n++ {
			p.nano *= 10
		}
		return ok
	case 'p':
		n := p.word([]string{"AM", "PM"}, 2)
		p.pm = n == 1
		return n >= 0
	case 'b', 'h', 'B', 'a', 'A':
		return p.name(c)
	case 'z':
		return p.zone()
	case 'Z':
		return p.word([]string{"UTC", "GMT"}, 3) >= 0
	case 'T':
		return p.directive('H') && p.byte(':') && p.directive('M') && p.byte(':') && p.directive('S')
	case '%':
		return p.byte('%')
	}
	return false
}

func (p *timeParser) byte(c byte) bool {
	p.i++
	return p.i <= len(p.s) && p.s[p.i-1] == c
}

// int reads a number of at least lo and at most hi digits within bounds.
func (p *timeParser) int(to *int, lo, hi, least, most int) bool {
	for n := hi; n >= lo; n-- {
		if p.i+n > len(p.s) {
			continue
		}
		v, err := strconv.Atoi(p.s[p.i : p.i+n])
		if err == nil && p.s[p.i] >= '0' && v >= least && v <= most {
			*to = v
			p.i += n
			return true
		}
	}
	return false
}

// word reads one of the names, of which the first n characters count; -1 when none fits.
func (p *timeParser) word(names []string, n int) int {
	for i, name := range names {
		if n > 0 {
			name = name[:n]
		}
		if len(p.s)-p.i >= len(name) && strings.EqualFold(p.s[p.i:p.i+len(name)], name) {
			p.i += len(name)
			return i
		}
	}
	return -1
}

func (p *timeParser) name(c byte) bool {
	n := 3
	if c == 'A' || c == 'B' {
		n = 0
	}
	var names []string
	if c == 'a' || c == 'A' {
		for d := time.Sunday; d <= time.Saturday; d++ {
			names = append(names, d.String())
		}
		return p.word(names, n) >= 0
	}
	for m := time.January; m <= time.December; m++ {
		names = append(names, m.String())
	}
	p.month = p.word(names, n) + 1
	return p.month > 0
}

func (p *timeParser) zone() bool {
	p.aware = true
	if p.i < len(p.s) && p.s[p.i] == 'Z' {
		p.i++
		return true
	}
	for _, layout := range []string{"-07:00", "-0700"} {
		if p.i+len(layout) <= len(p.s) {
			if t, err := time.Parse(layout, p.s[p.i:p.i+len(layout)]); err == nil {
				p.i += len(layout)
				_, offset := t.Zone()
				p.loc = time.FixedZone("", offset)
				return true
			}
		}
	}
	return false
}
