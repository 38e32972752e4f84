package files

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"fettle/engine/value"
	"fettle/modules"
)

// fileTime is one time to set.
type fileTime struct {
	keep bool
	now  bool
	at   time.Time
}

type fileTimes struct{ access, modification fileTime }

func timesOf(a fileModuleArgs) (t fileTimes, err error) {
	if t.access, err = timeOf(a.AccessTime, a.AccessTimeFormat, a.State); err != nil {
		return t, err
	}
	t.modification, err = timeOf(a.ModificationTime, a.ModificationTimeFormat, a.State)
	return t, err
}

func timeOf(text, format, state string) (fileTime, error) {
	switch {
	case text == "preserve", text == "" && state != "touch":
		return fileTime{keep: true}, nil
	case text == "now", text == "":
		return fileTime{now: true}, nil
	}
	at, err := parseTime(text, format)
	if err != nil {
		return fileTime{}, modules.Failf("Error while obtaining timestamp for time %s using format %s: %v", text, format, err)
	}
	return fileTime{at: at}, nil
}

// apply sets the times of path where they differ.
func (t fileTimes) apply(h *modules.Host, path string, diff *modules.Diff) error {
	if t.access.keep && t.modification.keep {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		if h.Check {
			return nil // it is not there yet
		}
		return err
	}
	st := info.Sys().(*syscall.Stat_t)
	oldAccess := accessTime(st)
	access := t.access.choose(oldAccess)
	modification := t.modification.choose(info.ModTime())
	changed := false
	for _, e := range []struct {
		name     string
		old, new time.Time
	}{{"mtime", info.ModTime(), modification}, {"atime", oldAccess, access}} {
		if e.old.Equal(e.new) {
			continue
		}
		changed = true
		if diff != nil {
			diff.Before.(*value.Dict).SetString(e.name, seconds(e.old))
			diff.After.(*value.Dict).SetString(e.name, seconds(e.new))
		}
	}
	if !changed {
		return nil
	}
	return h.Act(func() error {
		if err := os.Chtimes(path, access, modification); err != nil {
			return modules.Failf("Error while updating modification or access time: %v", err)
		}
		return nil
	})
}

func (t fileTime) choose(old time.Time) time.Time {
	switch {
	case t.keep:
		return old
	case t.now:
		return time.Now()
	}
	return t.at
}

// seconds is a time as Python's float.
func seconds(t time.Time) float64 {
	return float64(t.Unix()) + float64(t.Nanosecond())/1e9
}

// strptimeFields are the directives of Python's strptime that parseTime knows, with the
// most digits each takes.
var strptimeFields = map[byte]int{'Y': 4, 'm': 2, 'd': 2, 'H': 2, 'M': 2, 'S': 2, 'y': 2, 'j': 3}

// parseTime reads a local time with the numeric directives of strptime.
func parseTime(text, format string) (time.Time, error) {
	field := map[byte]int{'Y': 1900, 'm': 1, 'd': 1}
	rest := text
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) || format[i+1] == '%' {
			if format[i] == '%' {
				i++
			}
			if rest == "" || rest[0] != format[i] {
				return time.Time{}, modules.Failf("%q does not have the form %q", text, format)
			}
			rest = rest[1:]
			continue
		}
		i++
		width, ok := strptimeFields[format[i]]
		if !ok {
			return time.Time{}, modules.Failf("the directive %%%c is not supported", format[i])
		}
		n := 0
		for n < len(rest) && n < width && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
		v, err := strconv.Atoi(rest[:n])
		if err != nil {
			return time.Time{}, modules.Failf("%q does not have the form %q", text, format)
		}
		field[format[i]], rest = v, rest[n:]
	}
	if strings.TrimSpace(rest) != "" {
		return time.Time{}, modules.Failf("unconverted data remains: %s", rest)
	}
	if y, ok := field['y']; ok {
		field['Y'] = 1900 + y
		if y < 69 {
			field['Y'] += 100
		}
	}
	if j, ok := field['j']; ok {
		field['m'], field['d'] = 1, j
	}
	t := time.Date(field['Y'], time.Month(field['m']), field['d'], field['H'], field['M'], field['S'], 0, time.Local)
	if _, ok := field['j']; !ok && (int(t.Month()) != field['m'] || t.Day() != field['d']) {
		return time.Time{}, modules.Failf("%q is no date", text)
	}
	return t, nil
}
