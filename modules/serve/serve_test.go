package serve

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"fettle/engine/value"
	"fettle/engine/wire"
	"fettle/modules"
)

type testArgs struct {
	Do   string `arg:"do,required" doc:"What to do."`
	Path string `arg:"path" doc:"A file."`
	Pass string `arg:"pass" no_log:"true" doc:"A secret."`
}

func init() {
	modules.Register(modules.Spec{Name: "test.serve.act", Check: modules.Full}, act)
}

// act is a module that does what tests need.
func act(ctx context.Context, h *modules.Host, a testArgs) (r modules.Result[*value.Dict], err error) {
	switch a.Do {
	case "env":
		c, err := h.Run(ctx, modules.Command{Shell: "echo $WORD"})
		r.Msg = string(c.Stdout)
		return r, err
	case "wait":
		_, err = h.Run(ctx, modules.Command{Shell: "echo $$ > " + a.Path + "; sleep 600", Live: true})
		return r, err
	case "live":
		_, err = h.Run(ctx, modules.Command{Shell: "echo one; echo two >&2", Live: true})
		return r, err
	case "source":
		f, err := h.Sources["src"].Open(ctx)
		if err != nil {
			return r, err
		}
		defer func() { _ = f.Close() }()
		b, err := io.ReadAll(f)
		r.Msg = string(b)
		return r, err
	case "send":
		return r, h.Send(ctx, "out", strings.NewReader("content"))
	case "temp":
		d, err := h.TempDir()
		r.Msg = d
		return r, err
	case "secret":
		r.Msg = "the word is " + a.Pass
		return r, nil
	}
	return r, modules.Failf("cannot %s", a.Do)
}

// TestMain lets the test program be a runner.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == Word {
		os.Exit(Main(os.Args[2:]))
	}
	os.Exit(m.Run())
}

func connect(t *testing.T) *wire.Client {
	t.Helper()
	near, far := net.Pipe()
	done := make(chan struct{})
	go func() { defer close(done); _ = Run(context.Background(), far, far); _ = far.Close() }()
	c := wire.NewClient(near, near)
	t.Cleanup(func() { c.Close(); _ = near.Close(); c.Wait(); <-done })
	return c
}

func arguments(a ...string) (out []json.RawMessage) {
	for _, x := range a {
		out = append(out, json.RawMessage(x))
	}
	return out
}

func TestCalls(t *testing.T) {
	c := connect(t)
	big := strings.Repeat("x", wire.MaxInline+1)
	var sent string
	var live []string
	h := wire.Handler{
		Open: func(int, string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(big)), nil },
		Receive: func(_ int, name string, r io.Reader) error {
			b, err := io.ReadAll(r)
			sent = name + ":" + string(b)
			return err
		},
		Output: func(o wire.Output) { live = append(live, o.Stream+":"+string(o.Text)) },
	}
	for _, tt := range []struct {
		name string
		call wire.Call
		want string // part of the result
	}{
		{"environment", wire.Call{Args: arguments(`{"do":"env"}`), Env: []string{"WORD=hello"}}, `"msg":"hello\n"`},
		{"items in order", wire.Call{Args: arguments(`{"do":"env"}`, `{"do":"dance"}`)}, `"msg":"cannot dance"`},
		{"inline source", wire.Call{Args: arguments(`{"do":"source"}`), Sources: []wire.Source{{Name: "src", HasInline: true, Inline: []byte("in")}}}, `"msg":"in"`},
		{"empty inline source", wire.Call{Args: arguments(`{"do":"source"}`), Sources: []wire.Source{{Name: "src", HasInline: true}}}, `"changed":false}`},
		{"pulled source", wire.Call{Args: arguments(`{"do":"source"}`), Sources: []wire.Source{{Name: "src", Size: int64(len(big))}}}, big},
		{"sending", wire.Call{Args: arguments(`{"do":"send"}`)}, `"changed":false`},
		{"live output", wire.Call{Args: arguments(`{"do":"live"}`), Live: true}, `"changed":false`},
		{"secret", wire.Call{Args: arguments(`{"do":"secret","pass":"hush"}`)}, `the word is ********`},
		{"invocation", wire.Call{Args: arguments(`{"do":"secret","pass":"hush"}`), Invocation: true}, `"pass":"VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"`},
		{"time limit", wire.Call{Args: arguments(`{"do":"wait","path":"/dev/null"}`), Timeout: 1}, `"failed":true`},
		{"unknown module", wire.Call{Module: "no.such.module", Args: arguments(`{}`)}, `no module`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.call.Module == "" {
				tt.call.Module = "test.serve.act"
			}
			var got []string
			h.Result = func(r wire.Result) { got = append(got, string(r.Data)) }
			if err := c.Call(t.Context(), &tt.call, h); err != nil {
				t.Fatal(err)
			}
			if len(got) != len(tt.call.Args) || !strings.Contains(got[len(got)-1], tt.want) {
				t.Errorf("got %.300s", got)
			}
		})
	}
	if sent != "out:content" {
		t.Errorf("received %q", sent)
	}
	if len(live) != 2 {
		t.Errorf("live output %q", live)
	}
}

func TestBadArguments(t *testing.T) {
	c := connect(t)
	for _, a := range []string{`[]`, `{`, ``, `"x"`} {
		if err := c.Call(t.Context(), &wire.Call{Module: "test.serve.act", Args: arguments(a)}, wire.Handler{}); err == nil {
			t.Errorf("%q was accepted", a)
		}
	}
}

// program starts the test program as a runner and waits for its greeting.
func program(t *testing.T) (*exec.Cmd, *wire.Client, io.Closer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, Word, "abc", t.TempDir())
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(out)
	if line, err := r.ReadString('\n'); err != nil || line != Greeting+"abc\n" {
		t.Fatalf("greeting %q, err %v", line, err)
	}
	return cmd, wire.NewClient(r, in), in
}

// When its input ends, the runner ends what it started, removes its files and exits.
func TestControllerGone(t *testing.T) {
	cmd, c, in := program(t)
	pidFile := filepath.Join(t.TempDir(), "pid")
	done := make(chan error, 1)
	go func() {
		done <- c.Call(t.Context(), &wire.Call{Module: "test.serve.act", Args: arguments(fmt.Sprintf(`{"do":"wait","path":%q}`, pidFile))}, wire.Handler{})
	}()
	pid := waitPID(t, pidFile)
	_ = in.Close()
	if err := <-done; err == nil {
		t.Error("the call came to an end")
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the runner: %v", err)
	}
	c.Wait()
	for range 200 {
		if b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat"); err != nil || bytes.Contains(b, []byte(") Z")) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the command goes on")
}

func TestTempIsRemoved(t *testing.T) {
	c := connect(t)
	var r struct{ Msg string }
	err := c.Call(t.Context(), &wire.Call{Module: "test.serve.act", Args: arguments(`{"do":"temp"}`)}, wire.Handler{Result: func(x wire.Result) { _ = json.Unmarshal(x.Data, &r) }})
	if err != nil || r.Msg == "" {
		t.Fatalf("%+v, err %v", r, err)
	}
	if _, err := os.Stat(r.Msg); !os.IsNotExist(err) {
		t.Errorf("%s is still there", r.Msg)
	}
}

func TestStartedByHand(t *testing.T) {
	if code := Main(nil); code != 2 {
		t.Errorf("exit code %d", code)
	}
}

func waitPID(t *testing.T, path string) int {
	t.Helper()
	for range 1000 {
		b, _ := os.ReadFile(path)
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && strings.HasSuffix(string(b), "\n") {
			return pid
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the command did not start")
	return 0
}
