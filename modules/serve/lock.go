package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"fettle/engine/wire"
)

// LockModule is the name under which a controller asks for the lock of the account.
const LockModule = "fettle.lock"

// Holder says who has the lock of an account: it keeps two runs from working as the same
// user of a host at the same time.
type Holder struct {
	Run   string `json:"run"` // the same for all runners of a run
	Who   string `json:"who"`
	From  string `json:"from"`
	PID   int    `json:"pid"`
	Since string `json:"since"`
	What  string `json:"what"`
}

// LockAnswer is the result of LockModule.
type LockAnswer struct {
	// Held is who has the lock; nil when this runner has it now.
	Held *Holder `json:"held,omitempty"`
}

// hostLock is held by the runner's process: it ends with it, however that comes about.
type hostLock struct {
	mu   sync.Mutex
	file *os.File
	path string
	over bool
}

// take answers a call of LockModule.
func (l *hostLock) take(s *wire.Session) error {
	var h Holder
	if len(s.Call.Args) != 1 {
		return errors.New("a lock has one holder")
	}
	if err := json.Unmarshal(s.Call.Args[0], &h); err != nil {
		return err
	}
	path, err := lockPath()
	if err != nil {
		return fmt.Errorf("cannot lock the account: %w", err)
	}
	held, err := l.lock(path, &h)
	if err != nil {
		return fmt.Errorf("cannot lock %s: %w", path, err)
	}
	answer, err := json.Marshal(LockAnswer{held})
	if err != nil {
		return err
	}
	return s.Result(0, answer)
}

func (l *hostLock) lock(path string, h *Holder) (held *Holder, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil || l.over {
		return nil, nil
	}
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == unix.EWOULDBLOCK {
			held := readHolder(f)
			if held.Run != h.Run {
				_ = f.Close()
				return held, nil
			}
			// Another runner of the same run, as of a host with two names: this one takes the
			// lock when that one ends.
			go func() {
				_ = unix.Flock(int(f.Fd()), unix.LOCK_EX)
				_ = f.Close()
				_, _ = l.lock(path, h)
			}()
			return nil, nil
		} else if err != nil {
			_ = f.Close()
			return nil, err
		}
		if !sameFile(f, path) { // the former holder has just removed it
			_ = f.Close()
			continue
		}
		text, err := json.Marshal(h)
		if err == nil {
			err = errors.Join(f.Truncate(0), writeAt(f, text))
		}
		if err != nil {
			_ = f.Close()
			return nil, err
		}
		l.file, l.path = f, path
		return nil, nil
	}
}

func writeAt(f *os.File, text []byte) error {
	_, err := f.WriteAt(text, 0)
	return err
}

func readHolder(f *os.File) *Holder {
	h := &Holder{}
	b, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err == nil {
		_ = json.Unmarshal(b, h)
	}
	return h
}

func sameFile(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Lstat(path)
	return err == nil && os.SameFile(a, b)
}

// release gives the lock back before the process ends, and leaves no file.
func (l *hostLock) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	if l.file != nil {
		_ = os.Remove(l.path)
		_ = l.file.Close()
		l.file = nil
	}
}

// lockPath is where the lock of this account lies: a directory that only it may write to.
func lockPath() (string, error) {
	dirs := []string{"/var/tmp/.fettle-" + strconv.Itoa(os.Geteuid())}
	if home := hello().Home; home != "" {
		dirs = append([]string{filepath.Join(home, ".fettle")}, dirs...)
	}
	if os.Geteuid() == 0 {
		dirs = append([]string{"/run"}, dirs...)
	}
	var problems error
	for _, d := range dirs {
		if err := os.Mkdir(d, 0o700); err != nil && !os.IsExist(err) {
			problems = errors.Join(problems, err)
			continue
		}
		var st unix.Stat_t
		switch err := unix.Lstat(d, &st); {
		case err != nil:
			problems = errors.Join(problems, err)
		case st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Geteuid() || st.Mode&0o022 != 0:
			problems = errors.Join(problems, fmt.Errorf("%s has another owner or can be written by others", d))
		case unix.Access(d, unix.W_OK) != nil:
			problems = errors.Join(problems, fmt.Errorf("%s cannot be written", d))
		default:
			return filepath.Join(d, "fettle.lock"), nil
		}
	}
	return "", problems
}
