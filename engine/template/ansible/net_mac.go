package ansible

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"fettle/engine/pyre"
	"fettle/engine/template"
	"fettle/engine/value"
)

func init() {
	utils("hwaddr", "(value, query='', alias='hwaddr')", hwaddr("hwaddr"))
	utils("macaddr", "(value, query='', alias='macaddr')", hwaddr("macaddr"))
}

var macForms = []*pyre.Regexp{
	pyre.MustCompile(`([0-9a-f]{1,2}):([0-9a-f]{1,2}):([0-9a-f]{1,2}):([0-9a-f]{1,2}):([0-9a-f]{1,2}):([0-9a-f]{1,2})`, pyre.IgnoreCase|pyre.ASCII),
	pyre.MustCompile(`([0-9a-f]{1,2})-([0-9a-f]{1,2})-([0-9a-f]{1,2})-([0-9a-f]{1,2})-([0-9a-f]{1,2})-([0-9a-f]{1,2})`, pyre.IgnoreCase|pyre.ASCII),
	pyre.MustCompile(`([0-9a-f]{1,4})[.:-]([0-9a-f]{1,4})[.:-]([0-9a-f]{1,4})`, pyre.IgnoreCase|pyre.ASCII),
	pyre.MustCompile(`([0-9a-f]{1,6})[:-]([0-9a-f]{1,6})`, pyre.IgnoreCase|pyre.ASCII),
	pyre.MustCompile(`([0-9a-f]{12})`, pyre.IgnoreCase|pyre.ASCII),
}

// parseMAC reads a hardware address in any of the usual notations.
func parseMAC(s string) (mac [6]byte, form int, ok bool) {
	for form, re := range macForms {
		m, err := re.FullMatch(s)
		if err != nil || m == nil {
			continue
		}
		digits := 12 / re.Groups()
		var all strings.Builder
		for g := 1; g <= re.Groups(); g++ {
			all.WriteString(strings.Repeat("0", digits-len(m.Text(g))) + m.Text(g))
		}
		raw, err := hex.DecodeString(all.String())
		if err != nil {
			return mac, 0, false
		}
		copy(mac[:], raw)
		return mac, form, true
	}
	if n, err := strconv.ParseUint(s, 10, 48); err == nil {
		copy(mac[:], binary.BigEndian.AppendUint64(nil, n)[2:])
		return mac, len(macForms), true
	}
	return mac, 0, false
}

func hwaddr(alias string) body {
	return func(_ *template.Call, a []value.Value) (value.Value, error) {
		query := text(a[1])
		mac, _, ok := parseMAC(text(a[0]))
		if _, long := parseEUI64(text(a[0])); long && !ok && query == "" {
			return text(a[0]), nil
		} else if long && !ok && query == "bool" {
			return true, nil
		}
		if !ok && (query == "" || query == "bool") {
			return nil, nil
		}
		if !ok {
			return nil, fmt.Errorf("%s: not a hardware address: %s", alias, text(a[0]))
		}
		hexes := hex.EncodeToString(mac[:])
		switch query {
		case "":
			return text(a[0]), nil
		case "bool":
			return true, nil
		case "int":
			n, _ := value.ParseInt(hexes, 16)
			return n, nil
		case "bare":
			return strings.ToUpper(hexes), nil
		case "cisco":
			return strings.Join([]string{hexes[:4], hexes[4:8], hexes[8:]}, "."), nil
		case "pgsql", "postgresql", "psql":
			return hexes[:6] + ":" + hexes[6:], nil
		case "eui48", "win":
			return strings.ToUpper(octets(mac, "%02x", "-")), nil
		case "linux":
			return octets(mac, "%02x", ":"), nil
		case "unix":
			return octets(mac, "%x", ":"), nil
		}
		return nil, fmt.Errorf("%s: unknown filter type: %s", alias, query)
	}
}

func octets(mac [6]byte, format, sep string) string {
	var parts []string
	for _, b := range mac {
		parts = append(parts, fmt.Sprintf(format, b))
	}
	return strings.Join(parts, sep)
}
