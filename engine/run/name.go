package run

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"fettle/engine/event"
	"fettle/engine/mask"
	"fettle/engine/plan"
	"fettle/engine/value"
)

// nameTask names a task for people, with the variables of its first host.
func (p *playRun) nameTask(u *turn) *event.Task {
	e := p.eventTask(u.task)
	if p.r.DisplayArgs && e.Args == "" && !u.mayHide() {
		e.Args = p.r.Masker.String(writtenArgs(u.task.Args))
	}
	if tmpl, ok := u.task.Name.Value.(*value.Template); ok && u.task.Name.Set {
		v, err := u.t.Render(tmpl)
		switch {
		case err != nil:
			e.Name = p.r.Masker.String(u.markedName(tmpl))
		case v != value.Value(value.Omit):
			e.Name = value.Str(p.r.Masker.Value(v))
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
		v, err := u.t.Render(&value.Template{Src: tmpl.Src[at[0]:end], At: tmpl.At})
		if err == nil {
			b.WriteString(value.Str(u.r.Masker.Value(v)))
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

// mayHide tells that no_log is set, or is a template that may give true.
func (u *turn) mayHide() bool {
	k := u.task.Keywords.NoLog
	if !k.Set {
		return u.r.NoLog
	}
	if _, computed := k.Value.(*value.Template); computed {
		return true
	}
	hide, err := toBool(k.Value)
	return err != nil || hide
}

// writtenArgs are the arguments as the playbook has them, in one line.
func writtenArgs(d *value.Dict) string {
	var parts []string
	for _, e := range d.Entries() {
		parts = append(parts, value.Str(e.Key)+"="+value.Str(asWritten(e.Value)))
	}
	return strings.Join(parts, ", ")
}

// asWritten puts the source of templates in their place.
func asWritten(v value.Value) value.Value {
	switch x := v.(type) {
	case *value.Template:
		return x.Src
	case *value.List:
		out := value.NewList()
		for _, e := range x.V {
			out.V = append(out.V, asWritten(e))
		}
		return out
	case *value.Dict:
		out := value.NewDict(x.Len())
		for _, e := range x.Entries() {
			_ = out.Set(e.Key, asWritten(e.Value))
		}
		return out
	case *value.Encrypted:
		return mask.Text
	}
	return v
}

// checkMode is what the keyword check_mode says, as far as it is known without a host.
func (r *run) checkMode(k *plan.Keywords) bool {
	if !k.CheckMode.Set {
		return r.Check
	}
	on, err := toBool(k.CheckMode.Value)
	if _, computed := k.CheckMode.Value.(*value.Template); computed || err != nil {
		return r.Check
	}
	return on
}
