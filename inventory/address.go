package inventory

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// The pieces of an address: ranges stand where digits or letters may stand.
const (
	numberRange = `\[[0-9]+:[0-9]+(?::[0-9]+)?\]`
	hexRange    = `\[[0-9a-f]+:[0-9a-f]+(?::[0-9]+)?\]`
	letterRange = `\[(?:[a-z]:[a-z]|[0-9]+:[0-9]+)(?::[0-9]+)?\]`
	octet       = `(?:[01]?[0-9]{1,2}|2[0-4][0-9]|25[0-5])`
	ip4Part     = `(?:` + octet + `|` + numberRange + `)`
	hexPart     = `(?:[0-9a-f]{1,4}|` + hexRange + `)`
	labelStart  = `(?:[\p{L}\p{N}_]|` + letterRange + `)`
	labelMore   = `(?:[\p{L}\p{N}_-]|` + letterRange + `)`
	labelEnd    = `(?:[\p{L}\p{N}]|` + letterRange + `)`
	label       = `(?:` + labelEnd + `|` + labelStart + labelMore + `{0,62}` + labelEnd + `)`
)

var (
	bracketPort  = regexp.MustCompile(`^\[(.+)\]:([0-9]+)$`)
	plainPort    = regexp.MustCompile(`^((?:[^:\[\]]|\[[^\]]*\])*):([0-9]+)$`)
	ip4Form      = regexp.MustCompile(`(?i)^(?:` + ip4Part + `\.){3}` + ip4Part + `$`)
	hostnameForm = regexp.MustCompile(`(?i)^` + label + `(?:\.` + label + `)*$`)
	// Ansible looks only at the start of an IPv6 address, so %eth0 may follow.
	ip6Form = regexp.MustCompile(`(?i)^(?:(?:` + hexPart + `:){7}` + hexPart + `|(?:` + hexPart + `:){1,6}:|::)`)
)

// parseAddress splits host:port or [host]:port and checks that the host is a name or an
// address, where ranges are allowed with ranges as well.
func parseAddress(s string, ranges bool) (host string, port int, err error) {
	host = s
	for _, form := range []*regexp.Regexp{bracketPort, plainPort} {
		if m := form.FindStringSubmatch(host); m != nil {
			if port, err = strconv.Atoi(m[2]); err != nil {
				return "", 0, fmt.Errorf("the port of %q is too large", s)
			}
			host = m[1]
		}
	}
	if !isAddress(host) {
		return "", 0, fmt.Errorf("%q is no host name or address", s)
	}
	if !ranges && strings.Contains(host, "[") {
		return "", 0, fmt.Errorf("a range is not allowed in %q", s)
	}
	return host, port, nil
}

func isAddress(host string) bool {
	return ip4Form.MatchString(host) || hostnameForm.MatchString(host) || ip6Form.MatchString(host)
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// maxExpansion bounds what one range may stand for.
const maxExpansion = 1 << 20

// expandHosts turns a host pattern of a source (web[01:20].example.com:2222) into names.
func expandHosts(pattern string) (names []string, port int, err error) {
	host, port, err := parseAddress(pattern, true)
	if err != nil {
		host, port = pattern, 0
	}
	names, err = expandRange(host, maxExpansion)
	if err != nil {
		return nil, 0, fmt.Errorf("%w in %q", err, pattern)
	}
	return names, port, nil
}

func expandRange(s string, room int) ([]string, error) {
	open, end := strings.Index(s, "["), strings.Index(s, "]")
	if open < 0 {
		return []string{s}, nil
	}
	if end < open || strings.Contains(s, "|") {
		return nil, fmt.Errorf("the brackets of a host range do not fit")
	}
	head, body, tail := s[:open], s[open+1:end], s[end+1:]
	items, err := rangeItems(body)
	if err != nil {
		return nil, err
	}
	tails, err := expandRange(tail, room)
	if err != nil {
		return nil, err
	}
	if len(items)*len(tails) > room {
		return nil, fmt.Errorf("the range stands for more than %d hosts", maxExpansion)
	}
	out := make([]string, 0, len(items)*len(tails))
	for _, i := range items {
		for _, t := range tails {
			out = append(out, head+i+t)
		}
	}
	return out, nil
}

var errNoEnd = errors.New("a host range must have an end")

func rangeItems(body string) ([]string, error) {
	bounds := strings.Split(body, ":")
	if len(bounds) != 2 && len(bounds) != 3 {
		return nil, fmt.Errorf("a host range must be begin:end or begin:end:step")
	}
	begin, end, step := bounds[0], bounds[1], 1
	if begin == "" {
		begin = "0"
	}
	if end == "" {
		return nil, errNoEnd
	}
	width := 0
	if begin[0] == '0' && len(begin) > 1 {
		if width = len(begin); len(end) != width {
			return nil, fmt.Errorf("begin and end of a zero-padded host range must have the same length")
		}
	}
	if len(bounds) == 3 {
		n, err := strconv.Atoi(bounds[2])
		if err != nil || n < 1 {
			return nil, fmt.Errorf("the step of a host range must be a positive number, not %q", bounds[2])
		}
		step = n
	}
	if i, j := strings.Index(letters, begin), strings.Index(letters, end); i >= 0 && j >= 0 {
		if i > j {
			return nil, fmt.Errorf("a host range must not end before it begins")
		}
		var out []string
		for ; i <= j; i += step {
			out = append(out, letters[i:i+1])
		}
		return out, nil
	}
	return numberItems(begin, end, step, width)
}

func numberItems(begin, end string, step, width int) ([]string, error) {
	i, err := strconv.Atoi(begin)
	if err != nil {
		return nil, fmt.Errorf("%q cannot begin a host range", begin)
	}
	j, err := strconv.Atoi(end)
	if err != nil {
		return nil, fmt.Errorf("%q cannot end a host range", end)
	}
	if (j-i)/step >= maxExpansion {
		return nil, fmt.Errorf("the range stands for more than %d hosts", maxExpansion)
	}
	var out []string
	for ; i <= j; i += step {
		out = append(out, fmt.Sprintf("%0*d", width, i))
	}
	return out, nil
}
