package run

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"fettle/engine/event"
	"fettle/engine/value"
)

// nameTask names a task for people, with the variables of its first host.
func (p *playRun) nameTask(u *turn) *event.Task {
	e := p.eventTask(u.task)
	if tmpl, ok := u.task.Name.Value.(*value.Template); ok && u.task.Name.Set {
		v, err := u.t.Render(tmpl)
		switch {
		case err != nil:
			e.Name = p.r.Masker.String(u.markedName(tmpl))
		case v != value.Value(value.Omit):
			e.Name = p.r.Masker.String(value.Str(v))
		}
	}
	return e
}

var expressions = regexp.MustCompile(`\{\{(?:[^'"}]|'[^']*'|"[^"]*"|\}[^}])*\}\}`)

// markedName renders a name piece by piece, with a mark in the place of what fails: Ansible
// goes on behind undefined values and stops at other errors.
func (u *turn) markedName(tmpl *value.Template) string {
	if strings.Contains(tmpl.Src, "{%") {
		return tmpl.Src
	}
	var b strings.Builder
	end, n := 0, 0
	for _, at := range expressions.FindAllStringIndex(tmpl.Src, -1) {
		b.WriteString(tmpl.Src[end:at[0]])
		end = at[1]
		s, err := u.t.String(&value.Template{Src: tmpl.Src[at[0]:end], At: tmpl.At})
		if err == nil {
			b.WriteString(s)
			continue
		}
		n++
		var undefined *value.UndefinedError
		if !errors.As(err, &undefined) {
			fmt.Fprintf(&b, "<< error %d - %v >><< error %d - template potentially truncated >>", n, err, n+1)
			return b.String()
		}
		fmt.Fprintf(&b, "<< error %d - %v >>", n, undefined)
	}
	return b.String() + tmpl.Src[end:]
}
