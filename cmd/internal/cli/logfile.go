package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/user"
	"regexp"
	"strings"
	"sync"
	"time"

	"fettle/engine/diag"
	"fettle/engine/event"
	"fettle/engine/report"
)

// logFile is where log_path sends a copy of what is shown: a line of output a line, in the
// form of Ansible's log. Safe for concurrent use.
type logFile struct {
	mu     sync.Mutex
	w      io.Writer
	prefix string // process and user
	now    func() time.Time
}

// openLog makes ss write to log_path as well. A log that cannot be written is a warning, as
// with Ansible.
func (ss *session) openLog() {
	path := ss.cfg.String("DEFAULT_LOG_PATH")
	if path == "" {
		return
	}
	f, err := os.OpenFile(expandHome(path), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		ss.diags.Add(diag.Warnf(diag.Pos{}, "config", "log_path cannot be written: %v", err))
		return
	}
	name := "?"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	l := &logFile{w: f, prefix: fmt.Sprintf(" p=%d u=%s n=fettle ", os.Getpid(), name), now: time.Now}
	s := ss.s
	if ss.cfg.IsSet("LOG_VERBOSITY") {
		ss.log = l
	}
	out, errs := &logged{Writer: s.Out, log: l, level: "INFO"}, &logged{Writer: s.Err, log: l, level: "WARNING"}
	s.Out, s.Err = out, errs
	ss.closeLog = func() {
		s.Out, s.Err = out.Writer, errs.Writer
		out.flush()
		errs.flush()
		_ = f.Close()
	}
}

// logged copies to the log what is written, line by line.
type logged struct {
	io.Writer
	log   *logFile
	level string

	mu   sync.Mutex
	line []byte // not ended yet
}

// Write implements io.Writer.
func (l *logged) Write(p []byte) (int, error) {
	n, err := l.Writer.Write(p)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line = append(l.line, p...)
	for {
		line, rest, ok := bytes.Cut(l.line, []byte("\n"))
		if !ok {
			break
		}
		l.log.add(l.level, string(line))
		l.line = rest
	}
	l.line = bytes.Clone(l.line)
	return n, err
}

func (l *logged) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.log.add(l.level, string(l.line))
	l.line = nil
}

// control are the sequences that colour a terminal or clear its line.
var control = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")

func (f *logFile) add(level, line string) {
	if i := strings.LastIndexByte(line, '\r'); i >= 0 {
		line = line[i+1:] // what stood there before was progress
	}
	line = strings.TrimRight(control.ReplaceAllString(line, ""), " ")
	if line == "" {
		return
	}
	if level == "WARNING" && (strings.HasPrefix(line, "[ERROR]") || strings.Contains(line, " error: ")) {
		level = "ERROR"
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	_, _ = fmt.Fprintf(f.w, "%s%s%s| %s\n", strings.Replace(f.now().Format("2006-01-02 15:04:05.000"), ".", ",", 1), f.prefix, level, line)
}

// detail is how much the events of a run are to tell.
func (ss *session) detail() int {
	if ss.log != nil {
		return max(ss.o.verbosity, ss.cfg.Int("LOG_VERBOSITY"))
	}
	return ss.o.verbosity
}

// logging adds to a reporter one that writes the run to the log alone, as detailed as
// log_verbosity says; what goes to the terminal is not copied then.
func (ss *session) logging(rep event.Sink) event.Sink {
	if ss.log == nil {
		return rep
	}
	o := ss.reportOptions()
	o.Out, o.Err = &logged{Writer: io.Discard, log: ss.log, level: "INFO"}, &logged{Writer: io.Discard, log: ss.log, level: "WARNING"}
	o.Color, o.Terminal, o.Verbosity, o.Also, o.Notes = false, false, ss.detail(), nil, nil
	own, err := report.New("ansible", o)
	if err != nil {
		return rep
	}
	return watched{rep, own.Emit}
}

// unlogged is a stream without the copy to the log.
func (ss *session) unlogged(w io.Writer) io.Writer {
	if l, ok := w.(*logged); ok && ss.log != nil {
		return l.Writer
	}
	return w
}
