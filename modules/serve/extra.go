package serve

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"fettle/engine/value"
	"fettle/engine/wire"
	"fettle/modules"
)

// Partial tells whether this program lacks the extra modules.
func Partial() bool { return modules.Find("ansible.builtin.get_url") == nil }

// extra is the runner's second program: it has the modules that are too large to be placed
// on every host. It lies beside the runner, and runs as its child from the first call that
// needs it until the runner ends. The runner speaks to it as the controller speaks to the
// runner.
type extra struct {
	mu     sync.Mutex // held while it is placed and started
	path   string     // of the program, once it is there
	cmd    *exec.Cmd
	in     io.Closer
	client *wire.Client
}

// forward lets the second program answer a call of a module that is not here.
func (x *extra) forward(ctx context.Context, s *wire.Session) error {
	client, err := x.start(ctx, s)
	if err != nil {
		return err
	}
	c := *s.Call
	c.Extra = ""
	var failed error
	err = client.Call(ctx, &c, wire.Handler{
		Result:  func(r wire.Result) { failed = errors.Join(failed, s.Result(r.Item, r.Data)) },
		Output:  func(o wire.Output) { failed = errors.Join(failed, s.Output(o.Item, o.Stream, o.Text)) },
		Open:    func(item int, name string) (io.ReadCloser, error) { return s.Open(ctx, item, name) },
		Receive: func(item int, name string, r io.Reader) error { return s.Send(ctx, item, name, r) },
	})
	var lost *wire.LostError
	if errors.As(err, &lost) {
		err = fmt.Errorf("the runner's second program ended while %s was running: %w", c.Module, lost.Err)
	}
	return errors.Join(err, failed)
}

// call runs one module there, for a module that is here. s is nil in a job.
func (x *extra) call(ctx context.Context, s *wire.Session, module string, args *value.Dict, env []string) (out []byte, err error) {
	client, err := x.start(ctx, s)
	if err != nil {
		return nil, err
	}
	raw, err := value.ToJSON(args)
	if err != nil {
		return nil, err
	}
	c := &wire.Call{Module: module, Args: []json.RawMessage{raw}, Env: env}
	err = client.Call(ctx, c, wire.Handler{Result: func(r wire.Result) { out = r.Data }})
	return out, err
}

// start gives a connection to the running program, and places and starts it before.
func (x *extra) start(ctx context.Context, s *wire.Session) (*wire.Client, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.client != nil {
		select {
		case <-x.client.Done():
			x.end()
		default:
			return x.client, nil
		}
	}
	if err := x.place(ctx, s); err != nil {
		return nil, fmt.Errorf("cannot place the runner's second program: %w", err)
	}
	if err := x.run(ctx); err != nil {
		return nil, fmt.Errorf("cannot start the runner's second program: %w", err)
	}
	return x.client, nil
}

// placed is place for a job, which starts the program itself.
func (x *extra) placed(ctx context.Context, s *wire.Session) (path string, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	err = x.place(ctx, s)
	return x.path, err
}

// place makes sure that the program lies beside the runner, in the directory that only
// its owner may write to; it is checked by its hash.
func (x *extra) place(ctx context.Context, s *wire.Session) error {
	if x.path != "" {
		return nil
	}
	if s == nil || s.Call.Extra == "" {
		return errors.New("the controller offers none")
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	sum := s.Call.Extra
	if len(sum) != 2*sha256.Size || strings.Trim(sum, "0123456789abcdef") != "" {
		return fmt.Errorf("bad hash %q", sum)
	}
	path := filepath.Join(filepath.Dir(exe), "fettle-runner-extra-"+sum[:32])
	if !intact(path, sum) {
		if err := fetchProgram(ctx, s, path, sum); err != nil {
			return err
		}
	}
	x.path = path
	return nil
}

// intact tells whether the program is there, whole, and nobody else may write to it.
func intact(path, sum string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o022 != 0 {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return err == nil && hex.EncodeToString(h.Sum(nil)) == sum
}

// maxProgram bounds what is unpacked.
const maxProgram = 64 << 20

// fetchProgram gets the program from the controller; it gets its name when it is whole.
func fetchProgram(ctx context.Context, s *wire.Session, path, sum string) error {
	packed, err := s.Open(ctx, 0, s.Call.Extra)
	if err != nil {
		return err
	}
	defer func() { _ = packed.Close() }()
	plain, err := unpack(bufio.NewReader(packed))
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, h), io.LimitReader(plain, maxProgram))
	if err == nil {
		err = f.Chmod(0o700)
	}
	if e := f.Close(); err == nil {
		err = e
	}
	switch {
	case err != nil:
		return err
	case hex.EncodeToString(h.Sum(nil)) != sum:
		return errors.New("it arrived damaged")
	}
	return os.Rename(f.Name(), path)
}

// run starts the program; x.mu is held.
func (x *extra) run(ctx context.Context) error {
	dir, err := os.Getwd()
	if err != nil {
		dir = "/"
	}
	nonce := fmt.Sprintf("%016x", rand.Uint64())
	cmd := exec.Command(x.path, Word, nonce, dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	x.cmd, x.in = cmd, in
	r := bufio.NewReader(out)
	line, err := r.ReadString('\n')
	if err != nil || line != Greeting+nonce+"\n" {
		x.end()
		return fmt.Errorf("it said %q", line)
	}
	x.client = wire.NewClient(r, in)
	if _, err := x.client.Hello(ctx); err != nil {
		x.end()
		return err
	}
	return nil
}

// close ends the program with all that it runs.
func (x *extra) close() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.end()
}

// endGrace is how long the program gets to end its processes and itself.
const endGrace = 5 * time.Second

func (x *extra) end() {
	if x.cmd == nil {
		return
	}
	kill := time.AfterFunc(endGrace, func() { _ = x.cmd.Process.Kill() })
	if x.client != nil {
		x.client.Close()
	}
	_ = x.in.Close()
	if x.client != nil {
		x.client.Wait()
	}
	_ = x.cmd.Wait()
	kill.Stop()
	x.cmd, x.client = nil, nil
}
