// Package ast is a playbook as it is written: plays, blocks, tasks and role entries with
// the place of everything, before anything is inherited, searched or rendered.
//
// Package playbooks/load makes it, once per file; playbooks/compile reads it, once per use.
// A tree is read only.
package ast

import (
	"fettle/engine/diag"
	"fettle/engine/plan"
	"fettle/engine/value"
)

// Attr is a keyword with its value.
type Attr struct {
	Name  string
	Value value.Value
	Key   diag.Pos // of the keyword
	At    diag.Pos // of the value
}

// Attrs are the keywords of one object, in the order in which they stand.
type Attrs []Attr

// Get returns a keyword; Set is false in the result when it is not given.
func (as Attrs) Get(name string) plan.Attr {
	for i := range as {
		if as[i].Name == name {
			return plan.Attr{Value: as[i].Value, At: as[i].At, Set: true}
		}
	}
	return plan.Attr{}
}

// Find returns a keyword or nil.
func (as Attrs) Find(name string) *Attr {
	for i := range as {
		if as[i].Name == name {
			return &as[i]
		}
	}
	return nil
}

// Playbook is one playbook file.
type Playbook struct {
	File    string
	Entries []Entry
}

// Entry is a *Play or an *Import.
type Entry interface{ entry() }

// Import is an import_playbook.
type Import struct {
	Pos   diag.Pos
	Attrs Attrs
	File  value.Value // as written
	At    diag.Pos    // of the file name
	Vars  *value.Vars
}

// Play is one play.
type Play struct {
	Pos                                 diag.Pos
	Attrs                               Attrs
	Vars                                *value.Vars
	VarsFiles                           []plan.Attr
	Prompts                             []plan.Prompt
	Roles                               []*RoleUse
	PreTasks, Tasks, PostTasks, Handler []Item
}

func (*Import) entry() {}
func (*Play) entry()   {}

// RoleUse is an entry of roles or of a role's dependencies.
type RoleUse struct {
	Pos    diag.Pos
	Name   value.Value
	At     diag.Pos // of the name
	Attrs  Attrs
	Vars   *value.Vars // under vars:
	Params *value.Vars // other keys
}

// Item is a *Block or a *Task.
type Item interface{ item() }

// Block is a block with its sections.
type Block struct {
	Pos                  diag.Pos
	Attrs                Attrs
	Vars                 *value.Vars
	Body, Rescue, Always []Item
}

// Task is a task or handler.
type Task struct {
	Pos      diag.Pos
	Attrs    Attrs
	Vars     *value.Vars
	Action   string // the module as written
	ActionAt diag.Pos
	Local    bool        // local_action
	Args     *value.Dict // never nil
	ArgsExpr value.Value // a template that gives further arguments
	ArgsAt   map[string]diag.Pos
	Loop     *Loop
}

// Loop is loop or with_*, with loop_control.
type Loop struct {
	Lookup  string
	Expr    value.Value
	At      diag.Pos
	Control Attrs
}

func (*Block) item() {}
func (*Task) item()  {}

// RoleMeta is meta/main.yml of a role.
type RoleMeta struct {
	Dependencies    []*RoleUse
	AllowDuplicates bool
	Collections     []string
	ArgumentSpecs   *value.Dict
}
