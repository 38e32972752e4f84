package packages

import (
	"context"

	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.dpkg_selections",
		Summary: "Keep the selection state of a Debian package, for example hold.",
		Check:   modules.Full,
		Diff:    modules.Full,
		Examples: `
- name: Keep the kernel as it is
  ansible.builtin.dpkg_selections:
    name: linux-image-amd64
    selection: hold
`,
	}, dpkgSelections)
}

type dpkgSelectionsArgs struct {
	Name      string `arg:"name,required" doc:"The package."`
	Selection string `arg:"selection,required" choices:"install,hold,deinstall,purge" doc:"What it is selected for."`
}

type dpkgSelectionsReturn struct {
	Before string `json:"before" doc:"The selection before." returned:"success"`
	After  string `json:"after" doc:"The selection after." returned:"success"`
}

func dpkgSelections(ctx context.Context, h *modules.Host, a dpkgSelectionsArgs) (r modules.Result[dpkgSelectionsReturn], err error) {
	db, err := readDpkg(ctx, h)
	if err != nil {
		return r, err
	}
	p := db.find(a.Name)
	if p == nil {
		out, err := h.Tool(ctx, "apt-cache", "show", "--", a.Name)
		if err != nil {
			return r, err
		}
		if out.RC != 0 {
			return r, modules.Failf("Failed to find package '%s' to perform selection '%s'.", a.Name, a.Selection)
		}
	}
	r.Data = dpkgSelectionsReturn{Before: "not present", After: a.Selection}
	if p != nil {
		r.Data.Before = p.Want
	}
	if r.Data.Before == a.Selection {
		return r, nil
	}
	return r, h.Act(func() error {
		out, err := h.ToolInput(ctx, a.Name+" "+a.Selection+"\n", "dpkg", "--set-selections")
		if err == nil && out.RC != 0 {
			err = modules.Failf("%s", out.Stderr)
		}
		return err
	})
}
