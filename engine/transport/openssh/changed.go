package openssh

import (
	"bytes"
	"os"
	"regexp"
	"strconv"

	gossh "golang.org/x/crypto/ssh"
)

// offending is where ssh says the key stands that a host had before.
var offending = regexp.MustCompile(`Offending (?:\S+ )?key in (.+?):([0-9]+)(?: |$)`)

// knownKey tells the fingerprint of the key that was known for a host whose key has changed:
// ssh itself tells only that of the new one, and the line of the file with the old one.
func knownKey(told string) string {
	m := offending.FindStringSubmatch(told)
	if m == nil {
		return ""
	}
	b, err := os.ReadFile(m[1])
	if err != nil {
		return ""
	}
	n, _ := strconv.Atoi(m[2])
	for line := range bytes.Lines(b) {
		if n--; n > 0 {
			continue
		}
		_, _, key, _, _, err := gossh.ParseKnownHosts(line)
		if err != nil {
			return ""
		}
		return " The known key is " + gossh.FingerprintSHA256(key) + "."
	}
	return ""
}
