package modules

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// The texts are those of Python's OSError.
func TestErrorText(t *testing.T) {
	dir := t.TempDir()
	_, open := os.Open(dir + "/none")
	for _, tt := range []struct {
		err  error
		want string
	}{
		{open, "[Errno 2] No such file or directory: '$/none'"},
		{fmt.Errorf("cannot read: %w (%d)", open, 3), "cannot read: [Errno 2] No such file or directory: '$/none' (3)"},
		{os.Rename(dir+"/a", dir+"/b"), "[Errno 2] No such file or directory: '$/a' -> '$/b'"},
		{os.NewSyscallError("mount", syscall.EBUSY), "[Errno 16] Device or resource busy"},
		{fmt.Errorf("chown: %w", syscall.EPERM), "chown: [Errno 1] Operation not permitted"},
		{errors.New("something else"), "something else"},
		{Failf("cannot write: %v", &os.PathError{Op: "open", Path: "/x", Err: syscall.EROFS}), "cannot write: [Errno 30] Read-only file system: '/x'"},
	} {
		if got := strings.ReplaceAll(ErrorText(tt.err), dir, "$"); got != tt.want {
			t.Errorf("%v:\ngot  %s\nwant %s", tt.err, got, tt.want)
		}
	}
}
