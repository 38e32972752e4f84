package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"fettle/engine/value"
	"fettle/engine/wire"
	"fettle/modules"
)

// A job is an item of a call that outlives the connection (async). A process of its own,
// in its own session, runs the module and writes its result where async_status looks:
// ~/.ansible_async/JID, as Ansible does. The call travels to it through a pipe, never
// through its arguments or a file.

// Job as the first argument makes the program the process of a job.
const Job = "job"

// job is what the process of a job is told.
type job struct {
	Call wire.Call `json:"call"`
	File string    `json:"file"`
	ID   string    `json:"id"`
	// Extra is the path of the runner's second program, when the module may need it.
	Extra string `json:"extra,omitempty"`
}

// startJob starts the process and answers with the job's id.
func (l *loop) startJob(ctx context.Context, s *wire.Session, _ int, raw []byte) ([]byte, error) {
	c := s.Call
	program := ""
	if c.Extra != "" {
		var err error
		if program, err = l.extra.placed(ctx, s); err != nil {
			return nil, err
		}
	}
	dir, err := asyncDir(c.Env)
	if err != nil {
		return nil, err
	}
	id := fmt.Sprintf("j%012d.%d", rand.Int64N(1e12), os.Getpid())
	j := job{Call: *c, ID: id, File: filepath.Join(dir, id), Extra: program}
	j.Call.Args = []json.RawMessage{raw}
	if err := writeJob(j.File, jobState(id, `"started":true,"finished":false`)); err != nil {
		return nil, err
	}
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe, Word, Job)
	cmd.Dir = "/"
	cmd.Stdin = strings.NewReader(string(text))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start the job: %w", err)
	}
	go func() { _ = cmd.Wait() }() // it ends on its own; this only takes its exit code
	return fmt.Appendf(nil, `{"changed":true,"started":true,"finished":false,"ansible_job_id":%q,"results_file":%q}`, id, j.File), nil
}

func jobState(id, fields string) []byte {
	return fmt.Appendf(nil, `{%s,"ansible_job_id":%q}`, fields, id)
}

// asyncDir is where the results of jobs lie: ANSIBLE_ASYNC_DIR, or ~/.ansible_async.
func asyncDir(env []string) (string, error) {
	dir := modules.AsyncDir(env)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("could not create: %s - %w", dir, err)
	}
	return dir, nil
}

// writeJob replaces a result file, so that readers see the old or the new one.
func writeJob(file string, text []byte) error {
	tmp := file + ".tmp"
	if err := os.WriteFile(tmp, text, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, file)
}

// runJob is the process of a job.
func runJob() int {
	text, err := io.ReadAll(os.Stdin)
	var j job
	if err == nil {
		err = json.Unmarshal(text, &j)
	}
	if err != nil || len(j.Call.Args) != 1 {
		fmt.Fprintln(os.Stderr, "fettle-runner: cannot read the job:", err)
		return 1
	}
	signal.Ignore(syscall.SIGHUP)
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(j.Call.Async)*time.Second)
	defer cancel()
	result := j.run(ctx)
	if err := writeJob(j.File, result); err != nil {
		return 1
	}
	return 0
}

func (j *job) run(ctx context.Context) []byte {
	args, err := decodeArgs(j.Call.Args[0])
	if err != nil {
		return jobState(j.ID, fmt.Sprintf(`"started":true,"finished":true,"failed":true,"msg":%q`, err.Error()))
	}
	h := &modules.Host{Check: j.Call.Check, Diff: j.Call.Diff, Env: j.Call.Env}
	if j.Extra != "" {
		x := &extra{path: j.Extra}
		defer x.close()
		h.Elsewhere = func(ctx context.Context, module string, args *value.Dict) ([]byte, error) {
			return x.call(ctx, nil, module, args, j.Call.Env)
		}
	}
	for i := range j.Call.Sources {
		if h.Sources == nil {
			h.Sources = map[string]modules.Source{}
		}
		h.Sources[j.Call.Sources[i].Name] = inline(&j.Call.Sources[i])
	}
	result := callModule(ctx, h, &j.Call, args)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return jobState(j.ID, fmt.Sprintf(`"started":true,"finished":true,"failed":true,"msg":"Timed out after %d second(s)."`, j.Call.Async))
	}
	head := fmt.Sprintf(`{"started":true,"finished":true,"ansible_job_id":%q,"results_file":%q`, j.ID, j.File)
	if len(result) > 2 {
		head += ","
	}
	return append([]byte(head), result[1:]...)
}

func inline(w *wire.Source) modules.Source {
	s := modules.Source{Name: w.Name, Size: w.Size, SHA1: w.SHA1, Mode: w.Mode}
	s.Open = func(context.Context) (io.ReadCloser, error) {
		if !w.HasInline {
			return nil, errors.New("a job in the background takes content of up to 256 KiB only")
		}
		return io.NopCloser(strings.NewReader(string(w.Inline))), nil
	}
	return s
}
