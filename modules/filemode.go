package modules

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"fettle/engine/value"
)

const permBits = 0o7777

// ParseMode computes the permission bits that mode asks for: an int as it stands, a
// string of octal digits, or a symbolic form ("u=rwX,g-w") applied to the bits a file has.
func ParseMode(mode value.Value, current uint32, isDir bool) (uint32, error) {
	var n int64
	switch m := mode.(type) {
	case int64:
		n = m
	case string:
		digits := strings.TrimPrefix(strings.TrimSpace(m), "0o")
		var err error
		if n, err = strconv.ParseInt(digits, 8, 64); err != nil {
			bits, err := symbolicMode(m, current&permBits, isDir)
			if err != nil {
				return 0, Failf("mode must be in octal or symbolic form: %v", err)
			}
			return bits, nil
		}
	default:
		return 0, Failf("mode must be in octal or symbolic form, not %s", value.Repr(mode))
	}
	if n < 0 || n > 0o177777 {
		return 0, Failf("Invalid mode supplied, only permission info is allowed: %s", value.Str(mode))
	}
	return uint32(n) & permBits, nil // the file type that stat's st_mode carries says nothing here
}

// symbolicMode applies each comma-separated clause in turn.
func symbolicMode(mode string, current uint32, isDir bool) (uint32, error) {
	for clause := range strings.SplitSeq(mode, ",") {
		at := strings.IndexAny(clause, "=+-")
		if at < 0 {
			return 0, fmt.Errorf("bad symbolic permission for mode: %s", mode)
		}
		users, rest := clause[:at], clause[at:]
		useUmask := users == ""
		if useUmask || users == "a" {
			users = "ugo"
		}
		if strings.Trim(users, "ugo") != "" {
			return 0, fmt.Errorf("bad symbolic permission for mode: %s", mode)
		}
		before := current
		for rest != "" {
			op := rest[0]
			end := strings.IndexAny(rest[1:], "=+-")
			perms := rest[1:]
			if end >= 0 {
				perms = rest[1 : 1+end]
			}
			rest = rest[1+len(perms):]
			if strings.Trim(perms, "rwxXstugo") != "" {
				return 0, fmt.Errorf("bad symbolic permission for mode: %s", mode)
			}
			for _, who := range []byte(users) {
				current = applyClause(current, op, who, permsOf(who, perms, before, isDir, useUmask))
			}
		}
	}
	return current, nil
}

var classShift = map[byte]uint{'u': 6, 'g': 3, 'o': 0}
var classSpecial = map[byte]uint32{'u': 0o4000, 'g': 0o2000, 'o': 0o1000}

func applyClause(current uint32, op, who byte, bits uint32) uint32 {
	switch op {
	case '+':
		return current | bits
	case '-':
		return current &^ bits
	}
	return current&^(7<<classShift[who]|classSpecial[who]) | bits
}

func permsOf(who byte, perms string, current uint32, isDir, useUmask bool) uint32 {
	var rwx, special uint32
	for i := range len(perms) {
		switch p := perms[i]; p {
		case 'r':
			rwx |= 4
		case 'w':
			rwx |= 2
		case 'x':
			rwx |= 1
		case 'X':
			if isDir || current&0o111 != 0 {
				rwx |= 1
			}
		case 's':
			if who != 'o' {
				special |= classSpecial[who]
			}
		case 't':
			if who == 'o' {
				special |= 0o1000
			}
		default:
			rwx |= current >> classShift[p] & 7
		}
	}
	if useUmask {
		rwx &^= Umask() >> classShift[who] & 7
	}
	return rwx<<classShift[who] | special
}

// Umask is the umask of this process, read without changing it.
var Umask = sync.OnceValue(func() uint32 {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "Umask:"); ok {
			if n, err := strconv.ParseUint(strings.TrimSpace(v), 8, 32); err == nil {
				return uint32(n)
			}
		}
	}
	return 0o022
})

// unixMode is the 07777 part of a Go file mode.
func unixMode(m os.FileMode) uint32 {
	bits := uint32(m.Perm())
	if m&os.ModeSetuid != 0 {
		bits |= 0o4000
	}
	if m&os.ModeSetgid != 0 {
		bits |= 0o2000
	}
	if m&os.ModeSticky != 0 {
		bits |= 0o1000
	}
	return bits
}

// goMode is the Go file mode of permission bits.
func goMode(bits uint32) os.FileMode {
	m := os.FileMode(bits & 0o777)
	if bits&0o4000 != 0 {
		m |= os.ModeSetuid
	}
	if bits&0o2000 != 0 {
		m |= os.ModeSetgid
	}
	if bits&0o1000 != 0 {
		m |= os.ModeSticky
	}
	return m
}

// OctalMode is how results show permission bits: 0644, 02755.
func OctalMode(bits uint32) string { return fmt.Sprintf("0%03o", bits&permBits) }
