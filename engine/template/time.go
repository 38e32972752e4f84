package template

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"fettle/engine/value"
)

// Time is a datetime value: what now() and to_datetime give.
type Time struct {
	time.Time
	Aware bool // has a time zone that is shown
}

// NewTime wraps a time without showing its zone.
func NewTime(t time.Time) *Time { return &Time{Time: t} }

var strftime func(t time.Time, format string) (string, error)

// SetStrftime installs Python's strftime; called from an init function.
func SetStrftime(f func(t time.Time, format string) (string, error)) { strftime = f }

// Strftime formats a time as Python's strftime does.
func Strftime(t time.Time, format string) (string, error) { return strftime(t, format) }

// TypeName implements value.Object.
func (t *Time) TypeName() string { return "datetime" }

func (t *Time) String() string { return t.iso(" ") }

func (t *Time) iso(sep string) string {
	s := t.Format("2006-01-02") + sep + t.Format("15:04:05")
	if us := t.Nanosecond() / 1000; us != 0 {
		s += fmt.Sprintf(".%06d", us)
	}
	if t.Aware {
		s += t.Format("-07:00")
	}
	return s
}

// Repr is Python's repr.
func (t *Time) Repr() string {
	parts := []int{t.Year(), int(t.Month()), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond() / 1000}
	n := len(parts)
	for n > 5 && parts[n-1] == 0 {
		n--
	}
	s := strings.Trim(strings.Join(strings.Fields(fmt.Sprint(parts[:n])), ", "), "[]")
	if t.Aware {
		s += ", tzinfo=datetime.timezone.utc"
	}
	return "datetime.datetime(" + s + ")"
}

// CompareTo implements value.Ordered.
func (t *Time) CompareTo(other value.Value) (int, bool) {
	o, ok := other.(*Time)
	if !ok {
		return 0, false
	}
	return t.Compare(o.Time), true
}

// Operate implements value.Operand: differences of times, and times moved by a difference.
func (t *Time) Operate(op string, other value.Value, reversed bool) (value.Value, bool, error) {
	switch o := other.(type) {
	case *Time:
		if op == "-" && !reversed {
			return &Duration{t.Sub(o.Time)}, true, nil
		}
	case *Duration:
		if op == "+" {
			return &Time{t.Add(o.d), t.Aware}, true, nil
		}
		if op == "-" && !reversed {
			return &Time{t.Add(-o.d), t.Aware}, true, nil
		}
	}
	return nil, false, nil
}

// Duration is a timedelta value.
type Duration struct{ d time.Duration }

// TypeName implements value.Object.
func (d *Duration) TypeName() string { return "timedelta" }

// parts are days, seconds and microseconds as Python keeps them: only days are negative.
func (d *Duration) parts() (days, secs, micros int64) {
	us := d.d.Microseconds()
	const day = 24 * 3600 * 1_000_000
	days = us / day
	if us %= day; us < 0 {
		days, us = days-1, us+day
	}
	return days, us / 1_000_000, us % 1_000_000
}

func (d *Duration) String() string {
	days, secs, micros := d.parts()
	s := fmt.Sprintf("%d:%02d:%02d", secs/3600, secs/60%60, secs%60)
	if micros != 0 {
		s += fmt.Sprintf(".%06d", micros)
	}
	switch {
	case days == 1 || days == -1:
		return fmt.Sprintf("%d day, %s", days, s)
	case days != 0:
		return fmt.Sprintf("%d days, %s", days, s)
	}
	return s
}

// Repr is Python's repr.
func (d *Duration) Repr() string {
	days, secs, micros := d.parts()
	var parts []string
	for _, p := range []struct {
		name string
		n    int64
	}{{"days", days}, {"seconds", secs}, {"microseconds", micros}} {
		if p.n != 0 {
			parts = append(parts, fmt.Sprintf("%s=%d", p.name, p.n))
		}
	}
	if parts == nil {
		parts = []string{"0"}
	}
	return "datetime.timedelta(" + strings.Join(parts, ", ") + ")"
}

// Attr implements value.Object.
func (d *Duration) Attr(n string) (value.Value, bool, error) {
	days, secs, micros := d.parts()
	switch n {
	case "days":
		return days, true, nil
	case "seconds":
		return secs, true, nil
	case "microseconds":
		return micros, true, nil
	case "total_seconds":
		return Func(func(*Call) (value.Value, error) { return float64(d.d.Microseconds()) / 1e6, nil }), true, nil
	}
	return nil, false, nil
}

// CompareTo implements value.Ordered.
func (d *Duration) CompareTo(other value.Value) (int, bool) {
	o, ok := other.(*Duration)
	if !ok {
		return 0, false
	}
	return cmp.Compare(d.d, o.d), true
}

// Operate implements value.Operand.
func (d *Duration) Operate(op string, other value.Value, reversed bool) (value.Value, bool, error) {
	switch o := other.(type) {
	case *Duration:
		switch {
		case op == "+":
			return &Duration{d.d + o.d}, true, nil
		case op == "-" && !reversed:
			return &Duration{d.d - o.d}, true, nil
		case op == "/" && !reversed && o.d != 0:
			return float64(d.d) / float64(o.d), true, nil
		}
	case int64:
		switch {
		case op == "*":
			return &Duration{d.d * time.Duration(o)}, true, nil
		case (op == "/" || op == "//") && !reversed && o != 0:
			return &Duration{d.d / time.Duration(o)}, true, nil
		}
	}
	return nil, false, nil
}

// Attr implements value.Object.
func (t *Time) Attr(n string) (value.Value, bool, error) {
	var v value.Value
	switch n {
	case "year":
		v = int64(t.Year())
	case "month":
		v = int64(t.Month())
	case "day":
		v = int64(t.Day())
	case "hour":
		v = int64(t.Hour())
	case "minute":
		v = int64(t.Minute())
	case "second":
		v = int64(t.Second())
	case "microsecond":
		v = int64(t.Nanosecond() / 1000)
	case "strftime":
		v = Func(t.strftime)
	case "isoformat":
		v = Func(func(c *Call) (value.Value, error) { return t.iso(value.Str(c.Arg(0, "sep", "T"))), nil })
	case "timestamp":
		v = Func(func(*Call) (value.Value, error) { return float64(t.UnixMicro()) / 1e6, nil })
	case "date":
		v = Func(func(*Call) (value.Value, error) { return t.Format("2006-01-02"), nil })
	case "time":
		v = Func(func(*Call) (value.Value, error) { return t.iso(" ")[11:], nil })
	case "weekday":
		v = Func(func(*Call) (value.Value, error) { return int64(t.Weekday()+6) % 7, nil })
	case "isoweekday":
		v = Func(func(*Call) (value.Value, error) { return int64(t.Weekday()+6)%7 + 1, nil })
	default:
		return nil, false, nil
	}
	return v, true, nil
}

func (t *Time) strftime(c *Call) (value.Value, error) {
	if strftime == nil {
		return nil, fmt.Errorf("strftime is not available")
	}
	return strftime(t.Time, value.Str(c.Arg(0, "format", "")))
}
