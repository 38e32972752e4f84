package facts

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"fettle/engine/value"
)

// pythons are the interpreters that Ansible would discover, best first.
var pythons = []string{"python3.13", "python3.12", "python3.11", "python3.10", "python3.9", "python3.8", "/usr/bin/python3", "python3"}

// pythonVersion is what sys.version_info says.
type pythonVersion struct {
	Major, Minor, Micro int64
	Level               string
	Serial              int64
}

// python describes the interpreter that Ansible would run its modules with, for playbooks
// that look at it: nothing here needs one, and a host without Python has no such facts.
func (g *gatherer) python(ctx context.Context) *value.Dict {
	if g.root != "" {
		return nil // another system's
	}
	var path string
	var v pythonVersion
	ok := false
	for _, path = range g.findPythons() {
		if v, ok = versionInFile(path); !ok {
			v, ok = g.askPython(ctx, path)
		}
		if ok {
			break
		}
	}
	if !ok {
		return nil
	}
	info := value.NewList(v.Major, v.Minor, v.Micro, v.Level, v.Serial)
	version := value.DictOf("major", v.Major, "minor", v.Minor, "micro", v.Micro, "releaselevel", v.Level, "serial", v.Serial)
	return value.DictOf("python", value.DictOf("version", version, "version_info", info, "executable", path, "has_sslcontext", true, "type", "cpython"),
		"python_version", v.String())
}

func (v pythonVersion) String() string {
	s := strconv.FormatInt(v.Major, 10) + "." + strconv.FormatInt(v.Minor, 10) + "." + strconv.FormatInt(v.Micro, 10)
	if short := map[string]string{"alpha": "a", "beta": "b", "candidate": "rc"}[v.Level]; short != "" {
		s += short + strconv.FormatInt(v.Serial, 10)
	}
	return s
}

// findPythons are the interpreter of the inventory, or those that would be discovered.
func (g *gatherer) findPythons() (found []string) {
	if strings.HasPrefix(g.interpreter, "/") {
		return []string{g.interpreter}
	}
	for _, name := range pythons {
		if !filepath.IsAbs(name) {
			name = g.tool(name)
		}
		if name != "" && g.exists(name) {
			found = append(found, name)
		}
	}
	return found
}

// versionInFile finds the version in the interpreter's own file, which takes a tenth of the
// time that starting it does. The file is called python3.13 in the end, and holds the text
// 3.13.5 between zero bytes.
func versionInFile(path string) (v pythonVersion, ok bool) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return v, false
	}
	series, named := strings.CutPrefix(filepath.Base(real), "python")
	if _, isOne := parsePythonVersion(series + ".0"); !named || !isOne {
		return v, false
	}
	text, err := os.ReadFile(real)
	if err != nil {
		return v, false
	}
	prefix := []byte("\x00" + series + ".")
	for {
		i := bytes.Index(text, prefix)
		if i < 0 {
			return v, false
		}
		text = text[i+1:]
		end := bytes.IndexByte(text, 0)
		if end < 0 {
			return v, false
		}
		if v, ok = parsePythonVersion(string(text[:end])); ok {
			return v, true
		}
	}
}

// parsePythonVersion reads 3.13.5 or 3.14.0rc2.
func parsePythonVersion(s string) (v pythonVersion, ok bool) {
	v.Level = "final"
	for short, long := range map[string]string{"a": "alpha", "b": "beta", "rc": "candidate"} {
		if before, serial, found := strings.Cut(s, short); found && v.Level == "final" {
			n, err := strconv.ParseUint(serial, 10, 31)
			if err != nil {
				return v, false
			}
			s, v.Level, v.Serial = before, long, int64(n)
		}
	}
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return v, false
	}
	for i, to := range []*int64{&v.Major, &v.Minor, &v.Micro} {
		n, err := strconv.ParseUint(parts[i], 10, 31)
		if err != nil {
			return v, false
		}
		*to = int64(n)
	}
	return v, true
}

// askPython runs an interpreter that does not tell otherwise: a link to a shared library,
// another implementation.
func (g *gatherer) askPython(ctx context.Context, path string) (v pythonVersion, ok bool) {
	const ask = "import sys, json; print(json.dumps(list(sys.version_info)))"
	out, ok := g.runPath(ctx, path, "-I", "-S", "-c", ask)
	if !ok {
		return v, false
	}
	var level string
	parts := []any{&v.Major, &v.Minor, &v.Micro, &level, &v.Serial}
	if json.Unmarshal([]byte(out), &parts) != nil || len(parts) != 5 {
		return v, false
	}
	v.Level = level
	return v, true
}
