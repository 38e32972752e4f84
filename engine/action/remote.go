package action

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"fettle/engine/diag"
	"fettle/engine/transport"
	"fettle/engine/value"
	"fettle/engine/vault"
	"fettle/modules"
)

func init() {
	Register("ansible.builtin.raw", Action{Run: raw, Remote: true})
	Register("ansible.builtin.wait_for_connection", Action{Run: waitForConnection, Remote: true})
	Register("ansible.builtin.gather_facts", Action{Run: gatherFacts, Remote: true})
	Register("ansible.builtin.setup", Action{Prepare: setup, Async: true})
	Register("ansible.builtin.package", Action{Prepare: packageUse, Async: true})
	Register("ansible.builtin.pause", Action{Run: pause, Once: true})
}

// raw runs a command line without a runner on the host.
func raw(ctx context.Context, c *Call) (*value.Dict, error) {
	command := textArg(c.Args, "_raw_params", "free_form", "cmd")
	if command == "" {
		return nil, fmt.Errorf("no command given")
	}
	if c.Check {
		return value.DictOf("changed", false, "skipped", true), nil
	}
	if exe := textArg(c.Args, "executable"); exe != "" {
		command = exe + " -c " + shellQuote(command)
	}
	rc, stdout, stderr, err := c.Run.Raw(ctx, command)
	if err != nil {
		return nil, err
	}
	res := value.DictOf("changed", true, "rc", int64(rc), "stdout", decodeText(stdout), "stderr", decodeText(stderr))
	if rc != 0 {
		res.SetString("failed", true)
		res.SetString("msg", "non-zero return code")
	}
	return res, nil
}

// shellQuote is Python's shlex.quote.
func shellQuote(s string) string {
	if s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !strings.ContainsRune("@%+=:,./-_", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'"
}

func decodeText(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }

// waitForConnection tries to reach the host until it answers.
func waitForConnection(ctx context.Context, c *Call) (*value.Dict, error) {
	seconds := func(name string, dflt int64) time.Duration {
		v, ok := c.Args.GetString(name)
		if !ok || v == nil {
			return time.Duration(dflt) * time.Second
		}
		return time.Duration(value.Float(numberOf(v)) * float64(time.Second))
	}
	timeout, delay := seconds("timeout", 600), seconds("delay", 0)
	interval, attempt := seconds("sleep", 1), seconds("connect_timeout", 5)
	start := time.Now()
	if c.Check {
		return value.DictOf("changed", false, "skipped", true), nil
	}
	if !wait(ctx, delay) {
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var last error
	for ctx.Err() == nil {
		once, done := context.WithTimeout(ctx, max(attempt, time.Second))
		err := c.Run.Reset(once)
		if err == nil || transport.IsUnreachable(err) {
			err = c.Run.Connect(once)
		}
		done()
		if err == nil {
			return value.DictOf("changed", false, "elapsed", int64(time.Since(start).Seconds())), nil
		}
		last = err
		wait(ctx, interval)
	}
	return value.DictOf("changed", false, "failed", true, "elapsed", int64(time.Since(start).Seconds()),
		"msg", fmt.Sprintf("timed out waiting for ping module test: %v", last)), nil
}

func numberOf(v value.Value) value.Value {
	if value.IsNumber(v) {
		return v
	}
	f, _ := value.ParseFloat(value.Str(v))
	return f
}

func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// setup tells the module which Python the inventory names, for the facts about it.
func setup(_ context.Context, c *Call) (*Prepared, error) {
	args := c.Args.Clone()
	addPython(c, args)
	return &Prepared{Args: args}, nil
}

// packageUse tells the module which package manager the variable ansible_package_use names,
// where the task names none.
func packageUse(_ context.Context, c *Call) (*Prepared, error) {
	if use := textArg(c.Args, "use"); use != "" && use != "auto" {
		return &Prepared{Args: c.Args}, nil
	}
	v, ok := c.T.Scope().Lookup("ansible_package_use")
	if !ok {
		return &Prepared{Args: c.Args}, nil
	}
	use, err := c.T.Render(v)
	if err != nil {
		return nil, err
	}
	args := c.Args.Clone()
	args.SetString("use", value.Str(use))
	return &Prepared{Args: args}, nil
}

func addPython(c *Call, args *value.Dict) {
	if v, ok := c.T.Scope().Lookup("ansible_python_interpreter"); ok {
		if rendered, err := c.T.Render(v); err == nil {
			args.SetString("_python", value.Str(rendered))
		}
	}
}

// gatherFacts runs setup, as the start of a play does.
func gatherFacts(ctx context.Context, c *Call) (*value.Dict, error) {
	args := value.NewDict(c.Args.Len())
	for _, e := range c.Args.Entries() {
		if e.Key != value.Value("parallel") {
			_ = args.Set(e.Key, e.Value)
		}
	}
	addPython(c, args)
	res, err := c.Run.Module(ctx, "ansible.builtin.setup", args)
	if err != nil {
		return nil, err
	}
	if facts, ok := res.GetString("ansible_facts"); ok {
		if d, isDict := facts.(*value.Dict); isDict {
			d.SetString("gather_subset", subsetOf(args))
			d.SetString("module_setup", true)
		}
	}
	return res, nil
}

func subsetOf(args *value.Dict) value.Value {
	if v, ok := args.GetString("gather_subset"); ok && v != nil {
		return listOf(v)
	}
	return value.NewList("all")
}

// wrongPause reports options that pause does not have, or not together.
func wrongPause(args *value.Dict) error {
	m := modules.Find("ansible.builtin.pause")
	if err := m.UnsupportedAs(args, "pause"); err != nil {
		return err
	}
	for _, p := range m.CheckArgs(args, func(string) bool { return false }) {
		return p
	}
	return nil
}

// pause waits for a time, or for a person.
func pause(ctx context.Context, c *Call) (*value.Dict, error) {
	start := time.Now()
	seconds, timed := 0.0, false
	for name, unit := range map[string]float64{"seconds": 1, "minutes": 60} {
		if v, ok := c.Args.GetString(name); ok && v != nil {
			n := numberOf(v)
			if s, isText := v.(string); isText {
				f, ok := value.ParseFloat(s)
				if !ok {
					return nil, fmt.Errorf("argument '%s' is of type str and we were unable to convert to int: invalid literal for int() with base 10: '%s'", name, s)
				}
				n = f
			}
			seconds, timed = float64(int64(value.Float(n)))*unit, true
		}
	}
	echo := true
	if v, ok := c.Args.GetString("echo"); ok {
		b, err := modules.ToBool(v)
		if err != nil {
			return nil, fmt.Errorf("argument 'echo' is of type %s and we were unable to convert to bool: %w", value.TypeName(v), err)
		}
		echo = b
	}
	if err := wrongPause(c.Args); err != nil {
		return nil, err
	}
	answer := ""
	prompt := textArg(c.Args, "prompt")
	switch {
	case timed && prompt == "":
		wait(ctx, time.Duration(max(seconds, 1)*float64(time.Second)))
	default:
		text := prompt
		if text == "" {
			text = "Press enter to continue, Ctrl+C to interrupt"
		}
		a, ok, err := c.Run.Prompt(ctx, text+":\n", echo, int(seconds))
		if err != nil {
			return nil, err
		}
		if !ok && !timed {
			c.Run.Warn(diag.Warnf(diag.Pos{}, "pause", "Not waiting for response to prompt as stdin is not interactive"))
		}
		if !ok && timed {
			wait(ctx, time.Duration(seconds*float64(time.Second)))
		}
		answer = a
	}
	stop := time.Now()
	const layout = "2006-01-02 15:04:05.000000"
	spent := stop.Sub(start)
	stdout := "Paused for " + value.Str(value.Float(math.Round(spent.Seconds()*100)/100)) + " seconds"
	if spent >= time.Minute {
		stdout = "Paused for " + value.Str(value.Float(math.Round(spent.Minutes()*100)/100)) + " minutes"
	}
	var shown value.Value = answer
	if !echo {
		shown = &value.Secret{V: answer}
	}
	return value.DictOf("changed", false, "rc", int64(0), "stderr", "", "stdout", stdout, "start", start.Format(layout),
		"stop", stop.Format(layout), "delta", int64(spent.Seconds()), "echo", echo, "user_input", shown), nil
}

// contentSource offers text made here.
func contentSource(name string, content []byte) Source {
	sum := sha1.Sum(content)
	s := Source{Name: name, Size: int64(len(content)), SHA1: hex.EncodeToString(sum[:]), Mode: 0o644}
	if len(content) <= InlineLimit {
		s.Content = content
		return s
	}
	s.Open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
	return s
}

// fileSource offers a file of the controller; vault files are offered decrypted.
func fileSource(c *Call, name, path string, decrypt bool) (Source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Source{}, err
	}
	if decrypt && isVault(path) {
		b, _, err := c.Run.ReadFile(path)
		if errors.Is(err, vault.ErrNoSecrets) {
			return Source{}, fmt.Errorf("A vault password or secret must be specified to decrypt %s", path) //nolint:staticcheck // Ansible's words
		}
		if err != nil {
			return Source{}, err
		}
		s := contentSource(name, b)
		s.Mode = uint32(info.Mode().Perm())
		return s, nil
	}
	return FileSource(name, path)
}

// FileSource offers a file of the controller as it is.
func FileSource(name, path string) (Source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Source{}, err
	}
	if info.Size() <= InlineLimit {
		b, err := os.ReadFile(path)
		if err != nil {
			return Source{}, err
		}
		s := contentSource(name, b)
		s.Mode = uint32(info.Mode().Perm())
		return s, nil
	}
	sum, err := fileSHA1(path)
	if err != nil {
		return Source{}, err
	}
	return Source{Name: name, Size: info.Size(), SHA1: sum, Mode: uint32(info.Mode().Perm()),
		Open: func() (io.ReadCloser, error) { return os.Open(path) }}, nil
}

func isVault(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, len("$ANSIBLE_VAULT;"))
	_, err = io.ReadFull(f, head)
	return err == nil && string(head) == "$ANSIBLE_VAULT;"
}

func fileSHA1(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha1.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
