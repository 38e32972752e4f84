package modules

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"fettle/engine/value"
)

// BinarySource is the name under which the controller offers an executable module.
const BinarySource = "module"

// RunBinary runs an executable module of a library: a script with WANT_JSON in it or a
// program gets the path of a file with its arguments as JSON, any other script one with
// key=value text. What it prints must be one JSON object.
// (Ansible: "non-native want JSON modules", "binary modules", "old-style modules".)
func RunBinary(ctx context.Context, h *Host, name string, args *value.Dict) []byte {
	defer h.cleanup()
	out, err := runBinary(ctx, h, name, args)
	if err != nil {
		return failure(ErrorText(err))
	}
	text := jsonIn(out.Stdout)
	if v, err := value.FromJSON(text); err == nil {
		if _, ok := v.(*value.Dict); ok {
			return h.censor(text)
		}
	}
	b, _ := json.Marshal(map[string]any{"failed": true, "changed": false, "msg": "MODULE FAILURE\nSee stdout/stderr for the exact error", "rc": out.RC,
		"module_stdout": string(out.Stdout), "module_stderr": string(out.Stderr)})
	return h.censor(b)
}

// jsonIn takes away lines before and after the JSON object, as Ansible does.
func jsonIn(out []byte) []byte {
	lines := bytes.Split(out, []byte("\n"))
	from, to := 0, len(lines)
	for from < to && !bytes.HasPrefix(bytes.TrimSpace(lines[from]), []byte("{")) {
		from++
	}
	for to > from && !bytes.HasSuffix(bytes.TrimSpace(lines[to-1]), []byte("}")) {
		to--
	}
	return bytes.TrimSpace(bytes.Join(lines[from:to], []byte("\n")))
}

func runBinary(ctx context.Context, h *Host, name string, args *value.Dict) (CommandResult, error) {
	var none CommandResult
	src, ok := h.Sources[BinarySource]
	if !ok {
		return none, fmt.Errorf("the controller sent no module %s", name)
	}
	in, err := src.Open(ctx)
	if err != nil {
		return none, err
	}
	program, err := io.ReadAll(in)
	_ = in.Close()
	if err != nil {
		return none, err
	}
	dir, err := h.TempDir()
	if err != nil {
		return none, err
	}
	exe := filepath.Join(dir, filepath.Base(name))
	if err := os.WriteFile(exe, program, 0o700); err != nil { //nolint:gosec // it is run
		return none, err
	}
	text, err := binaryArgs(program, args)
	if err != nil {
		return none, err
	}
	file := filepath.Join(dir, "args")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return none, err
	}
	return h.Run(ctx, Command{Argv: []string{exe, file}, Dir: dir})
}

// binaryArgs are the arguments in the form that the module reads.
func binaryArgs(program []byte, args *value.Dict) ([]byte, error) {
	script := bytes.HasPrefix(program, []byte("#!"))
	if !script || bytes.Contains(program, []byte("WANT_JSON")) {
		return value.ToJSON(args)
	}
	var b strings.Builder
	for _, e := range args.Entries() {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		text := value.Str(e.Value)
		if s, isText := e.Value.(string); isText {
			text = s
		}
		fmt.Fprintf(&b, "%s=%s", value.Str(e.Key), Sh(text))
	}
	return []byte(b.String()), nil
}
