package modules

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// ErrorText is the text of an error as results give it: what the system refused reads as
// Python prints an OSError, for playbooks look for "Permission denied" and the like in msg.
func ErrorText(err error) string {
	text := err.Error()
	var p *fs.PathError
	var l *os.LinkError
	var s *os.SyscallError
	var no syscall.Errno
	switch {
	case errors.As(err, &p) && errors.As(p.Err, &no):
		return strings.Replace(text, p.Error(), osError(no)+": '"+p.Path+"'", 1)
	case errors.As(err, &l) && errors.As(l.Err, &no):
		return strings.Replace(text, l.Error(), osError(no)+": '"+l.Old+"' -> '"+l.New+"'", 1)
	case errors.As(err, &s) && errors.As(s.Err, &no):
		return strings.Replace(text, s.Error(), osError(no), 1)
	case errors.As(err, &no):
		return strings.Replace(text, no.Error(), osError(no), 1)
	}
	return text
}

func osError(no syscall.Errno) string {
	text := no.Error()
	return fmt.Sprintf("[Errno %d] %s%s", int(no), strings.ToUpper(text[:1]), text[1:])
}
