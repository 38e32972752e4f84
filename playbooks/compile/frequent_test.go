package compile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fettle/engine/diag"
)

// What real content uses most (FLD-01), and is here: the modules of about nine tasks of ten, the filters of 95 % of uses,
// the tests and the lookups of 98 %. From collections only ansible.posix and what Debian hosts need are among them.
const (
	frequentModules = `file assert template command set_fact include_tasks import_role import_tasks shell service copy fail lineinfile
		package systemd stat include_role debug apt meta uri wait_for user community.general.ini_file get_url git replace group find include_vars
		pause cron yum unarchive ansible.posix.sysctl setup apt_repository pip ansible.posix.mount dnf slurp ansible.posix.firewalld apt_key
		community.general.ufw community.general.modprobe blockinfile fetch group_by getent raw script add_host`
	frequentFilters = `d bool default length to_json join combine int list string regex_replace map lower ternary comment selectattr unique
		from_yaml indent to_nice_yaml from_json first type_debug quote basename replace dirname flatten trim reject ansible.utils.ipaddr tojson
		dict2items format sort to_nice_json difference upper select regex_escape intersect to_yaml regex_search path_join b64decode random
		count ansible.utils.ipwrap capitalize union float last to_uuid dictsort ansible.utils.ipv6 extract urlsplit rejectattr product`
	frequentTests = `defined string none undefined truthy version iterable boolean mapping succeeded equalto changed number version_compare
		failed success false true match search sameas skipped in regex contains eq sequence ne integer`
	frequentLookups = `items community.general.flattened dict vars template env varnames password first_found file together fileglob nested
		subelements url sequence pipe community.general.filetree community.general.dig ini inventory_hostnames list`
)

func TestFrequentNamesAreThere(t *testing.T) {
	var b strings.Builder
	b.WriteString("- hosts: all\n  tasks:\n")
	for _, m := range strings.Fields(frequentModules) {
		b.WriteString("    - " + m + ":\n      when: x is defined\n")
	}
	for _, f := range strings.Fields(frequentFilters) {
		b.WriteString("    - debug: {msg: \"{{ x | " + f + " }}\"}\n")
	}
	for _, f := range strings.Fields(frequentTests) {
		b.WriteString("    - debug: {msg: \"{{ x is " + f + "(1) }}\"}\n")
	}
	for _, l := range strings.Fields(frequentLookups) {
		b.WriteString("    - debug: {msg: \"{{ lookup('" + l + "', x) }}\"}\n      with_" + l + ": []\n")
	}
	text := b.String()
	lines := strings.Split(text, "\n")
	for _, d := range compiledProblems(t, text) {
		switch {
		case d.Rule == "module", d.Rule == "unsupported", strings.Contains(d.Summary, "No filter named"),
			strings.Contains(d.Summary, "No test named"), strings.Contains(d.Summary, "no lookup"), strings.Contains(d.Summary, "is not a valid attribute"):
			t.Errorf("%s: %s", strings.TrimSpace(lines[d.At.Line-1]), d.Summary)
		}
	}
	// The check finds what is not there.
	missing := "- hosts: all\n  tasks:\n    - no_such_module:\n    - debug: {msg: \"{{ x | no_such }}\"}\n    - debug: {msg: \"{{ x is no_such }}\"}\n    - debug:\n      with_no_such: []\n"
	if n := len(compiledProblems(t, missing)); n != 4 {
		t.Errorf("%d problems with what is not there", n)
	}
}

func compiledProblems(t *testing.T, playbook string) []*diag.Diagnostic {
	t.Helper()
	path := filepath.Join(t.TempDir(), "site.yml")
	if err := os.WriteFile(path, []byte(playbook), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, ds := Compile(Options{Playbooks: []string{path}, RolesPath: []string{}, CollectionsPath: []string{}, Variables: []string{"x"}})
	return ds.Sorted()
}
