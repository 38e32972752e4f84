package facts

import (
	"context"
	"os"
	"strings"

	"fettle/engine/value"
)

// pythonFacts prints what Ansible tells about its interpreter.
const pythonFacts = `import sys
try:
    from ssl import SSLContext
    ssl = 1
except Exception:
    ssl = 0
v = sys.version_info
print(sys.executable, sys.implementation.name, v[0], v[1], v[2], v[3], v[4], ssl)`

// python describes the interpreter of a host that has one: playbooks choose names of
// packages by its version.
func (g *gatherer) python(ctx context.Context) *value.Dict {
	if g.root != "" {
		return nil // another system's
	}
	path := "/usr/bin/python3" // the system's, whatever PATH prefers
	if _, err := os.Stat(path); err != nil {
		path = g.tool("python3")
	}
	out, ok := g.runPath(ctx, path, "-I", "-c", pythonFacts)
	f := strings.Fields(out)
	if !ok || len(f) != 8 {
		return nil
	}
	number := func(s string) value.Value {
		n, _ := value.ParseInt(s, 10)
		return n
	}
	major, minor, micro, serial := number(f[2]), number(f[3]), number(f[4]), number(f[6])
	return value.DictOf(
		"python", value.DictOf("executable", f[0], "has_sslcontext", f[7] == "1", "type", f[1],
			"version", value.DictOf("major", major, "minor", minor, "micro", micro, "releaselevel", f[5], "serial", serial),
			"version_info", value.NewList(major, minor, micro, f[5], serial)),
		"python_version", strings.Join(f[2:5], "."))
}
