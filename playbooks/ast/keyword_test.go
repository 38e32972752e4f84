package ast

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// ansible are the keywords of ansible-core 2.19, by object.
var ansible = map[Object]string{
	OnPlay:        `any_errors_fatal become become_exe become_flags become_method become_user check_mode collections connection debugger diff environment fact_path force_handlers gather_facts gather_subset gather_timeout handlers hosts ignore_errors ignore_unreachable max_fail_percentage module_defaults name no_log order port post_tasks pre_tasks remote_user roles run_once serial strategy tags tasks throttle timeout user vars vars_files vars_prompt`,
	OnRole:        `any_errors_fatal become become_exe become_flags become_method become_user check_mode collections connection debugger delegate_facts delegate_to diff environment ignore_errors ignore_unreachable module_defaults name no_log port remote_user role run_once tags throttle timeout vars when`,
	OnBlock:       `always any_errors_fatal become become_exe become_flags become_method become_user block check_mode collections connection debugger delegate_facts delegate_to diff environment ignore_errors ignore_unreachable module_defaults name no_log notify port remote_user rescue run_once tags throttle timeout vars when`,
	OnTask:        `action any_errors_fatal args async become become_exe become_flags become_method become_user changed_when check_mode collections connection debugger delay delegate_facts delegate_to diff environment failed_when ignore_errors ignore_unreachable local_action loop loop_control module_defaults name no_log notify poll port register remote_user retries run_once tags throttle timeout until vars when`,
	OnHandler:     `action any_errors_fatal args async become become_exe become_flags become_method become_user changed_when check_mode collections connection debugger delay delegate_facts delegate_to diff environment failed_when ignore_errors ignore_unreachable listen local_action loop loop_control module_defaults name no_log notify poll port register remote_user retries run_once tags throttle timeout until vars when`,
	OnImport:      `any_errors_fatal become become_exe become_flags become_method become_user check_mode connection debugger diff environment ignore_errors ignore_unreachable import_playbook module_defaults name no_log port remote_user run_once tags throttle timeout vars when`,
	OnLoopControl: `break_when extended extended_allitems index_var label loop_var pause`,
}

// Every keyword of Ansible is one here, and there are no others.
func TestKeywords(t *testing.T) {
	for on, text := range ansible {
		want, got := strings.Fields(text), KeywordNames(on)
		for _, name := range want {
			if !slices.Contains(got, name) {
				t.Errorf("object %d: no keyword %s", on, name)
			}
		}
		for _, name := range got {
			if !slices.Contains(want, name) {
				t.Errorf("object %d: Ansible has no keyword %s", on, name)
			}
		}
	}
}

// Every keyword is used by a test: a playbook that is run or compiled, or one that is refused.
func TestKeywordsAreTested(t *testing.T) {
	var all strings.Builder
	for _, dir := range []string{"../testdata", "../../integration/differential/testdata", "../../cmd/fettle/testdata", "../../engine/run", "../compile", "../load"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, ".json") || strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			all.Write(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range Keywords {
		if !regexp.MustCompile(`(^|[ \t{,"])` + k.Name + `:`).MatchString(all.String()) {
			t.Errorf("no test uses the keyword %s", k.Name)
		}
	}
}
