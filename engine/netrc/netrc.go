// Package netrc reads the logins of a netrc file.
package netrc

import (
	"bufio"
	"io"
)

// Find gives the login of a machine, or of default, in the text of a netrc file.
func Find(in io.Reader, host string) (user, password string) {
	words := bufio.NewScanner(in)
	words.Split(bufio.ScanWords)
	next := func() string { words.Scan(); return words.Text() }
	here := false
	for words.Scan() {
		switch words.Text() {
		case "machine":
			if here {
				return user, password
			}
			here = next() == host
		case "default":
			if here {
				return user, password
			}
			here = true
		case "login":
			if v := next(); here {
				user = v
			}
		case "password":
			if v := next(); here {
				password = v
			}
		}
	}
	return user, password
}
