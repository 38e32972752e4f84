package compile

import (
	"slices"

	"fettle/engine/plan"
	"fettle/engine/value"
)

// Listed is a play as --list-tasks and --list-tags show it.
type Listed struct {
	Play     *plan.Play
	Name     string // the name, or the pattern
	Pattern  string
	Tags     []string // of the play
	Tasks    []ListedTask
	TaskTags []string // of the play and all its tasks, sorted
}

// ListedTask is one line of --list-tasks.
type ListedTask struct {
	Name string // with the role before it; the module when the task has no name
	Tags []string
	Task *plan.Task
}

// List gives what the plan holds before the run: what is imported, but not what dynamic
// includes will bring. selected says which tasks count; nil means all.
func List(p *plan.Plan, selected func(tags []string) bool) []Listed {
	var out []Listed
	for _, play := range p.Plays {
		l := Listed{Play: play, Pattern: play.Pattern, Name: play.Title}
		if l.Name == "" {
			l.Name = l.Pattern
		}
		for _, t := range play.Tags {
			l.Tags = append(l.Tags, value.Str(t))
		}
		l.TaskTags = slices.Clone(l.Tags)
		for _, v := range play.Graph.Vertices {
			t := v.Task
			if v.Kind != plan.VertexTask || t.Implicit || !inBody(v) || selected != nil && !selected(t.Tags) {
				continue
			}
			l.TaskTags = append(l.TaskTags, t.Tags...)
			l.Tasks = append(l.Tasks, ListedTask{Name: listName(t), Tags: sorted(append(slices.Clone(l.Tags), t.Tags...)), Task: t})
		}
		l.TaskTags = sorted(l.TaskTags)
		out = append(out, l)
	}
	return out
}

// inBody tells that no rescue or always section is around a vertex.
func inBody(v *plan.Vertex) bool {
	for b, s := v.Block, v.Section; b != nil; b, s = b.Parent, b.ParentSection {
		if s != plan.InBody {
			return false
		}
	}
	return true
}

func listName(t *plan.Task) string {
	name := attrText(t.Name)
	switch {
	case name == "":
		return t.Action
	case t.Role != nil && t.Module != includeRole:
		return t.Role.Name + " : " + name
	}
	return name
}

// attrText is a keyword as it is written.
func attrText(a plan.Attr) string {
	switch x := a.Value.(type) {
	case nil:
		return ""
	case *value.Template:
		return x.Src
	}
	return value.Str(a.Value)
}

func patternText(v value.Value) string {
	l, ok := v.(*value.List)
	if !ok {
		return attrText(plan.Attr{Value: v})
	}
	out := ""
	for i, e := range l.V {
		if i > 0 {
			out += ","
		}
		out += attrText(plan.Attr{Value: e})
	}
	return out
}

func sorted(tags []string) []string {
	slices.Sort(tags)
	return slices.Compact(tags)
}
