package control

import (
	"fettle/engine/value"
	"fettle/modules"
)

func init() {
	modules.Declare[includeVarsArgs, includeVarsReturn](modules.Spec{
		Name:     "ansible.builtin.include_vars",
		Summary:  "Load variables from files while the play runs.",
		Check:    modules.Full,
		FreeForm: "free-form",
		Rules:    modules.Rules{modules.Exclusive("dir", "file", "free-form")},
		Examples: `
- name: Variables of this distribution
  ansible.builtin.include_vars:
    file: "{{ ansible_distribution }}.yml"
    name: distribution
`,
	})
}

type includeVarsArgs struct {
	File          string   `arg:"file" type:"path" doc:"File to load, found in vars/ of the role or beside the playbook."`
	Dir           string   `arg:"dir" type:"path" doc:"Folder whose files are loaded, with those of folders below it."`
	Name          string   `arg:"name" doc:"Variable that takes what was loaded, as a dict."`
	Depth         int64    `arg:"depth" default:"0" doc:"How many levels of folders; 0 is all."`
	FilesMatching string   `arg:"files_matching" doc:"Regular expression that file names must match."`
	IgnoreFiles   []string `arg:"ignore_files" elements:"str" doc:"Regular expressions of file names to leave out."`
	Extensions    []string `arg:"extensions" default:"json,yaml,yml" elements:"str" doc:"Endings of the files to load from a folder."`
	IgnoreUnknown bool     `arg:"ignore_unknown_extensions" default:"false" doc:"Pass over files with other endings instead of failing."`
	HashBehaviour string   `arg:"hash_behaviour" choices:"replace,merge" doc:"What to do with dicts that exist already."`
	Raw           string   `arg:"free-form" alias:"_raw_params" doc:"The file."`
}

type includeVarsReturn struct {
	Files []string    `json:"ansible_included_var_files" doc:"The files that were loaded." returned:"success"`
	Facts *value.Dict `json:"ansible_facts" doc:"The variables." returned:"success"`
}
