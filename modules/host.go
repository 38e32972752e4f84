package modules

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"fettle/engine/value"
)

// Host is the machine a module runs on, for the time of one call. It is not shared
// between calls. Check mode lives here: modules look through it freely, and do every
// change inside Act, which in check mode notes the change and does nothing.
type Host struct {
	Check bool // predict, change nothing
	Diff  bool // the caller wants before/after texts
	// Env is the environment of the task (the environment keyword), already part of the
	// process environment that Run gives to commands: KEY=VALUE.
	Env []string
	// Sources opens content that the controller offers with the call (copy's file,
	// template's text, unarchive's archive) by name.
	Sources map[string]Source
	// Output, when set, receives live output of long commands.
	Output func(stream string, p []byte)
	// Fetch, when set, takes content for the controller (fetch's file).
	Send func(ctx context.Context, name string, r io.Reader) error
	// Elsewhere, when set, runs a module that this program does not have.
	Elsewhere func(ctx context.Context, module string, args *value.Dict) ([]byte, error)
	// Now and the like are not here: modules use package time.

	// MaskKeys has the values of no_log options masked in the names of keys of the result, too.
	MaskKeys bool

	changed bool
	// unsafeDefault allows unsafe writes to a task that does not say (ANSIBLE_UNSAFE_WRITES).
	unsafeDefault bool
	warnings      []string
	noLog         []string
	temps         []string
	locks         []*os.File // on directories among temps

	userNames, groupNames *accounts
}

// Source is content offered by the controller. Opening one that is not inline pulls it
// over the connection, so a module first compares Size and SHA1 with what it has.
type Source struct {
	Name string
	Size int64
	SHA1 string // hex; Ansible's "checksum"
	Mode uint32 // permission bits of the controller's file, for mode: preserve
	Open func(ctx context.Context) (io.ReadCloser, error)
}

// Act notes that something changes and, unless in check mode, does it. A change that
// fails counts as none, unless it called MarkChanged for the part that it had done.
func (h *Host) Act(change func() error) error {
	if !h.Check {
		if err := change(); err != nil {
			return err
		}
	}
	h.changed = true
	return nil
}

// MarkChanged notes a change that has been made (or, in check mode, would be).
func (h *Host) MarkChanged() { h.changed = true }

// Changed tells whether anything was marked changed so far.
func (h *Host) Changed() bool { return h.changed }

// Warn adds a warning to the result.
func (h *Host) Warn(format string, a ...any) {
	h.warnings = append(h.warnings, fmt.Sprintf(format, a...))
}

func (h *Host) begin(m *Module, args *Args) {
	h.changed, h.warnings, h.unsafeDefault = false, nil, false
	if _, said := args.Values.GetString("unsafe_writes"); !said {
		if v, ok := h.Getenv("ANSIBLE_UNSAFE_WRITES"); ok {
			h.unsafeDefault, _ = ToBool(v)
		}
	}
	for _, o := range m.Options {
		if v, ok := lookupOption(o, args.Values); ok && o.NoLog {
			if s, isText := v.(string); isText && s != "" {
				h.noLog = append(h.noLog, s)
			}
		}
	}
}

// Failure is a module's failure with a message for people; the keys of the result are
// returned with it (rc, stdout, ...). Any other error fails the task with its text.
type Failure struct{ Msg string }

func (f *Failure) Error() string { return f.Msg }

// Failf makes a Failure; errors among a are told by their ErrorText.
func Failf(format string, a ...any) error {
	for i, x := range a {
		if err, ok := x.(error); ok {
			a[i] = ErrorText(err)
		}
	}
	return &Failure{fmt.Sprintf(format, a...)}
}

// cleanup removes what TempFile and TempDir made.
func (h *Host) cleanup() {
	for _, t := range h.temps {
		_ = os.RemoveAll(t)
	}
	for _, f := range h.locks {
		_ = f.Close()
	}
	h.temps, h.locks = nil, nil
}

// TempDir makes a private directory that is removed when the call ends; those of runners
// that were killed are removed before.
func (h *Host) TempDir() (string, error) {
	at, err := os.OpenRoot(os.TempDir())
	if err != nil {
		return "", err
	}
	defer at.Close()
	sweepDrafts(at)
	name := ".fettle-" + randomName()
	if err := at.Mkdir(name, 0o700); err != nil {
		return "", err
	}
	d := filepath.Join(os.TempDir(), name)
	h.temps = append(h.temps, d)
	if f := lockDir(at, name); f != nil {
		h.locks = append(h.locks, f)
	}
	return d, nil
}
