package run

import (
	"path/filepath"

	"fettle/engine/action"
	"fettle/engine/value"
	"fettle/modules"
)

// executable gets the call of an executable module of a library ready: the program travels
// with the call, and the arguments are joined by those that Ansible gives every module.
func (u *turn) executable(j *job) (*action.Prepared, error) {
	src, err := action.FileSource(modules.BinarySource, u.task.Binary)
	if err != nil {
		return nil, err
	}
	args := value.NewDict(j.args.Len() + 8)
	for _, e := range j.args.Entries() {
		_ = args.Set(e.Key, e.Value)
	}
	for name, v := range map[string]value.Value{
		"_ansible_check_mode": u.check, "_ansible_diff": u.diff, "_ansible_no_log": u.noLog, "_ansible_debug": false,
		"_ansible_verbosity": int64(u.r.Verbosity), "_ansible_module_name": filepath.Base(u.task.Binary),
	} {
		args.SetString(name, v)
	}
	return &action.Prepared{Args: args, Sources: []action.Source{src}}, nil
}
