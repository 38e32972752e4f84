package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"fettle/engine/diag"
	"fettle/engine/value"
	"fettle/playbooks/yamlv"
)

// moduleFilters reads which modules plugin_filters_cfg takes away.
func (ss *session) moduleFilters() error {
	file := first(ss.cfg.String("PLUGIN_FILTERS_CFG"), "/etc/ansible/plugin_filters.yml")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // as with Ansible
	}
	if err != nil {
		return fmt.Errorf("cannot read the plugin filter file: %w", err)
	}
	diags := &diag.List{}
	v := yamlv.Read(file, text, diags)
	if err := diags.Err(); err != nil {
		return err
	}
	d, _ := v.(*value.Dict)
	version, _ := d.GetString("filter_version")
	if value.Str(version) != "1.0" {
		return fmt.Errorf("the plugin filter file %s has the filter_version %q, only 1.0 is known", file, value.Str(version))
	}
	list, _ := d.GetString("module_rejectlist")
	l, _ := list.(*value.List)
	if l == nil {
		return nil
	}
	ss.rejected = map[string]bool{}
	for _, e := range l.V {
		name := value.Str(e)
		if name == "stat" {
			return fmt.Errorf("The stat module was specified in the module reject list file, %s, but Ansible will not function without the stat module.  Please remove stat from the reject list.", file) //nolint:staticcheck // Ansible's words
		}
		ss.rejected[name] = true
	}
	return nil
}
