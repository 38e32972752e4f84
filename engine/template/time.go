package template

import (
	"fmt"
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
