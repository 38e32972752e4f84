package facts

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"fettle/engine/value"
)

// collector finds the facts of one subset.
type collector struct {
	name    string
	minimal bool     // part of the smallest set
	aliases []string // facts that may be named in place of the subset
	needs   []string
	prefix  string // of the names, when it is not ansible_
	collect func(*gatherer, context.Context) *value.Dict
}

var collectors = []collector{
	{name: "apparmor", minimal: true, collect: (*gatherer).apparmor},
	{name: "caps", minimal: true, aliases: []string{"system_capabilities", "system_capabilities_enforced"}, collect: (*gatherer).caps},
	{name: "chroot", aliases: []string{"is_chroot"}, collect: (*gatherer).chroot},
	{name: "cmdline", minimal: true, collect: (*gatherer).cmdline},
	{name: "date_time", minimal: true, collect: (*gatherer).dateTime},
	{name: "distribution", minimal: true, aliases: []string{"distribution_version", "distribution_release", "distribution_major_version", "os_family"}, collect: (*gatherer).distributionFacts},
	{name: "dns", minimal: true, collect: (*gatherer).dns},
	{name: "env", minimal: true, collect: (*gatherer).env},
	{name: "facter", prefix: "facter_", collect: (*gatherer).facter},
	{name: "fibre_channel_wwn", collect: (*gatherer).fibreChannel},
	{name: "fips", minimal: true, collect: (*gatherer).fips},
	{name: "hardware", aliases: []string{"processor", "processor_cores", "processor_count", "mounts", "devices"}, needs: []string{"platform"}, collect: (*gatherer).hardware},
	{name: "iscsi", collect: (*gatherer).iscsi},
	{name: "loadavg", collect: (*gatherer).loadavg},
	{name: "local", minimal: true, collect: (*gatherer).local},
	{name: "lsb", minimal: true, collect: (*gatherer).lsb},
	{name: "network", aliases: []string{"interfaces", "default_ipv4", "default_ipv6", "all_ipv4_addresses", "all_ipv6_addresses"}, needs: []string{"distribution", "platform"}, collect: (*gatherer).network},
	{name: "nvme", collect: (*gatherer).nvme},
	{name: "ohai", prefix: "ohai_", collect: (*gatherer).ohai},
	{name: "pkg_mgr", minimal: true, needs: []string{"distribution"}, collect: (*gatherer).pkgMgr},
	{name: "platform", minimal: true, aliases: []string{"system", "kernel", "kernel_version", "machine", "architecture", "machine_id"}, collect: (*gatherer).platform},
	{name: "python", minimal: true, aliases: []string{"python_version"}, collect: (*gatherer).python},
	{name: "selinux", minimal: true, collect: (*gatherer).selinux},
	{name: "service_mgr", minimal: true, needs: []string{"platform", "distribution"}, collect: (*gatherer).serviceMgr},
	{name: "ssh_pub_keys", minimal: true, aliases: []string{"ssh_host_pub_keys", "ssh_host_key_dsa_public", "ssh_host_key_rsa_public", "ssh_host_key_ecdsa_public", "ssh_host_key_ed25519_public"}, collect: (*gatherer).sshKeys},
	{name: "systemd", collect: (*gatherer).systemd},
	{name: "user", minimal: true, aliases: []string{"user_id", "user_uid", "user_gid", "user_gecos", "user_dir", "user_shell", "real_user_id", "effective_user_id", "effective_group_ids"}, collect: (*gatherer).user},
	{name: "virtual", aliases: []string{"virtualization_type", "virtualization_role", "virtualization_tech_guest", "virtualization_tech_host"}, collect: (*gatherer).virtual},
}

// chooseSubsets resolves gather_subset into names of collectors. The smallest set is always
// taken first; then what is named is added, what stands after ! is taken away unless it is
// also named by itself. A fact may stand for its subset, but leaving one out changes nothing.
func chooseSubsets(given []string) (map[string]bool, error) {
	if len(given) == 0 {
		given = []string{"all"}
	}
	owner := map[string]string{} // of every valid name
	for _, c := range collectors {
		for _, n := range append([]string{c.name}, c.aliases...) {
			owner[n] = c.name
		}
	}
	add, drop, wanted := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, s := range append([]string{"min"}, given...) {
		name, not := strings.CutPrefix(s, "!")
		set := add
		if not {
			set = drop
		}
		switch {
		case name == "min" || name == "all":
			for _, c := range collectors {
				if c.minimal && (name == "min" || !not) || !c.minimal && name == "all" {
					c.names(set, name == "all")
				}
			}
		case owner[name] == "" && !not:
			return nil, fmt.Errorf("Bad subset '%s' given to Ansible. gather_subset options allowed: all, %s", s, strings.Join(subsetNames(owner), ", "))
		case owner[name] == name && not:
			collectorOf(name).names(drop, true)
		default:
			set[name] = true
			wanted[name] = wanted[name] || !not
		}
	}
	out := map[string]bool{}
	for n := range add {
		if !drop[n] || wanted[n] {
			out[owner[n]] = true
		}
	}
	for _, c := range collectors {
		for _, n := range c.needs {
			out[n] = out[n] || out[c.name]
		}
	}
	return withoutFalse(out), nil
}

// names puts the name of the collector into a set, and its aliases as well if wanted.
func (c *collector) names(set map[string]bool, aliases bool) {
	set[c.name] = true
	if aliases {
		for _, a := range c.aliases {
			set[a] = true
		}
	}
}

func collectorOf(name string) *collector {
	i := slices.IndexFunc(collectors, func(c collector) bool { return c.name == name })
	return &collectors[i]
}

func withoutFalse(m map[string]bool) map[string]bool {
	for n, is := range m {
		if !is {
			delete(m, n)
		}
	}
	return m
}

func subsetNames(owner map[string]string) []string {
	var out []string
	for n := range owner {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}
