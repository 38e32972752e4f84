package template

import "testing"

// What a file ends with is what Ansible leaves: the source's line ends come back where the
// rendering took them, and only those.
func TestRenderFileEnd(t *testing.T) {
	const loop = "{% for i in [1, 2] %}\n    {% if loop.first %}\nx\n    {% endif %}\n{% endfor %}\n"
	for _, c := range []struct {
		name, src    string
		trim, lstrip bool
		want         string
	}{
		{"the end of a block takes the line end", loop, true, false, "    x\n        \n"},
		{"stripped before blocks", loop, true, true, "x\n"},
		{"nothing trimmed", "{% if true %}\nx\n{% endif %}\n", false, false, "\nx\n"},
		{"text", "x\n\n", true, false, "x\n\n"},
		{"no line end", "x", true, false, "x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := DefaultSyntax()
			s.TrimBlocks, s.LstripBlocks = c.trim, c.lstrip
			got, _, err := contextOf(t, Options{}).RenderFile("f", c.src, FileOptions{Syntax: &s})
			if err != nil || got != c.want {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}
