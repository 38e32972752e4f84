package facts

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fettle/engine/value"
	"fettle/modules"
)

// system makes a host from files: alternating names and contents.
func system(t *testing.T, files ...string) *gatherer {
	t.Helper()
	g := &gatherer{h: &modules.Host{}, root: t.TempDir()}
	for i := 0; i < len(files); i += 2 {
		put(t, g.root+files[i], files[i+1])
	}
	return g
}

func put(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	mode := os.FileMode(0o644)
	if strings.HasPrefix(text, "#!") {
		mode = 0o755
	}
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func TestSubsets(t *testing.T) {
	minimal, all := 0, len(collectors)
	for _, c := range collectors {
		if c.minimal {
			minimal++
		}
	}
	for _, c := range []struct {
		given   string
		count   int
		has, no string
	}{
		{"all", all, "network", ""}, {"min", minimal, "user", "network"}, {"!all", minimal, "user", "network"}, {"!all !min", 0, "", ""},
		{"network", minimal + 1, "network", "hardware"}, {"!all !min hardware", 2, "hardware platform", ""}, {"!hardware", minimal, "user", "hardware"},
		{"!all !min default_ipv4", 3, "network distribution platform", ""}, {"all !virtual virtual", all, "virtual", ""},
		{"!min", 0, "", "user"}, {"!bogus", minimal, "user", ""}, {"all !mounts", all, "hardware", ""}, {"mounts !hardware", minimal + 1, "hardware", ""}, {"all !hardware", all - 1, "network", "hardware"},
	} {
		got, err := chooseSubsets(strings.Fields(c.given))
		if err != nil || len(got) != c.count {
			t.Errorf("%s: %d subsets, want %d, %v", c.given, len(got), c.count, err)
		}
		for _, n := range strings.Fields(c.has) {
			if !got[n] {
				t.Errorf("%s lacks %s", c.given, n)
			}
		}
		for _, n := range strings.Fields(c.no) {
			if got[n] {
				t.Errorf("%s has %s", c.given, n)
			}
		}
	}
	if _, err := chooseSubsets([]string{"bogus"}); err == nil || !strings.HasPrefix(err.Error(), "Bad subset 'bogus' given to Ansible. gather_subset options allowed: all, all_ipv4_addresses,") {
		t.Error(err)
	}
}

func TestFilter(t *testing.T) {
	all := value.DictOf("ansible_eth0", "x", "ansible_eth1", "y", "ansible_lo", "z", "module_setup", true)
	for _, c := range []struct{ globs, want string }{
		{"", "ansible_eth0 ansible_eth1 ansible_lo module_setup"}, {"*", "ansible_eth0 ansible_eth1 ansible_lo module_setup"},
		{"ansible_eth*", "ansible_eth0 ansible_eth1"}, {"lo", "ansible_lo"}, {"eth[!0] module_setup", "ansible_eth1 module_setup"}, {"nope", ""},
	} {
		var got []string
		for _, e := range filter(all, strings.Fields(c.globs)).Entries() {
			got = append(got, e.Key.(string))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s gives %v", c.globs, got)
		}
	}
}

func TestDistributions(t *testing.T) {
	for _, c := range []struct {
		name, want string
		files      []string
	}{
		{"Debian 12", "Debian 12.5 12 bookworm Debian /etc/os-release Debian 5", []string{
			"/etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nVERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n",
			"/etc/debian_version", "12.5\n"}},
		{"Debian sid", "Debian 13 13 n/a Debian /etc/os-release Debian ", []string{
			"/etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux trixie/sid\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"13\"\nVERSION_CODENAME=n/a\nID=debian\n",
			"/etc/debian_version", "trixie/sid\n"}},
		{"Ubuntu", "Ubuntu 22.04 22 jammy Debian /etc/os-release Debian ", []string{
			"/etc/os-release", "PRETTY_NAME=\"Ubuntu 22.04.3 LTS\"\nNAME=\"Ubuntu\"\nVERSION_ID=\"22.04\"\nVERSION=\"22.04.3 LTS (Jammy Jellyfish)\"\nVERSION_CODENAME=jammy\nID=ubuntu\nID_LIKE=debian\nUBUNTU_CODENAME=jammy\n"}},
		{"RHEL", "RedHat 9.3 9 Plow RedHat /etc/redhat-release RedHat ", []string{
			"/etc/os-release", "NAME=\"Red Hat Enterprise Linux\"\nVERSION=\"9.3 (Plow)\"\nID=\"rhel\"\nVERSION_ID=\"9.3\"\n",
			"/etc/redhat-release", "Red Hat Enterprise Linux release 9.3 (Plow)\n"}},
		{"CentOS 7", "CentOS 7.9 7 Core RedHat /etc/redhat-release RedHat ", []string{
			"/etc/os-release", "NAME=\"CentOS Linux\"\nVERSION=\"7 (Core)\"\nID=\"centos\"\nVERSION_ID=\"7\"\n",
			"/etc/centos-release", "CentOS Linux release 7.9.2009 (Core)\n", "/etc/redhat-release", "CentOS Linux release 7.9.2009 (Core)\n"}},
		{"CentOS Stream", "CentOS 9 9 Stream RedHat /etc/centos-release CentOS ", []string{
			"/etc/os-release", "NAME=\"CentOS Stream\"\nVERSION=\"9\"\nID=\"centos\"\nVERSION_ID=\"9\"\n",
			"/etc/centos-release", "CentOS Stream release 9\n", "/etc/redhat-release", "CentOS Stream release 9\n"}},
		{"Rocky", "Rocky 9.2 9 Blue Onyx RedHat /etc/redhat-release RedHat ", []string{
			"/etc/os-release", "NAME=\"Rocky Linux\"\nVERSION=\"9.2 (Blue Onyx)\"\nID=\"rocky\"\nVERSION_ID=\"9.2\"\n",
			"/etc/redhat-release", "Rocky Linux release 9.2 (Blue Onyx)\n"}},
		{"Alma", "AlmaLinux 8.8 8 Sapphire Caracal RedHat /etc/redhat-release RedHat ", []string{
			"/etc/os-release", "NAME=\"AlmaLinux\"\nVERSION=\"8.8 (Sapphire Caracal)\"\nID=\"almalinux\"\nVERSION_ID=\"8.8\"\n",
			"/etc/redhat-release", "AlmaLinux release 8.8 (Sapphire Caracal)\n"}},
		{"Oracle", "OracleLinux 8.9 8 NA RedHat /etc/oracle-release OracleLinux ", []string{
			"/etc/os-release", "NAME=\"Oracle Linux Server\"\nVERSION=\"8.9\"\nID=\"ol\"\nVERSION_ID=\"8.9\"\n", "/etc/oracle-release", "Oracle Linux Server release 8.9\n",
			"/etc/redhat-release", "Red Hat Enterprise Linux release 8.9 (Ootpa)\n"}},
		{"Fedora", "Fedora 39 39  RedHat /etc/redhat-release RedHat ", []string{
			"/etc/os-release", "NAME=\"Fedora Linux\"\nVERSION=\"39 (Server Edition)\"\nID=fedora\nVERSION_ID=39\nVERSION_CODENAME=\"\"\n",
			"/etc/redhat-release", "Fedora release 39 (Thirty Nine)\n"}},
		{"Amazon 2", "Amazon 2 2 NA RedHat /etc/os-release Amazon NA", []string{
			"/etc/os-release", "NAME=\"Amazon Linux\"\nVERSION=\"2\"\nID=\"amzn\"\nVERSION_ID=\"2\"\n"}},
		{"Leap", "openSUSE Leap 15.5 15 5 Suse /etc/os-release SUSE ", []string{
			"/etc/os-release", "NAME=\"openSUSE Leap\"\nVERSION=\"15.5\"\nID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\nVERSION_ID=\"15.5\"\n"}},
		{"SLES", "SLES 15.4 15 4 Suse /etc/os-release SUSE ", []string{
			"/etc/os-release", "NAME=\"SLES\"\nVERSION=\"15-SP4\"\nVERSION_ID=\"15.4\"\nPRETTY_NAME=\"SUSE Linux Enterprise Server 15 SP4\"\nID=\"sles\"\n"}},
		{"Alpine", "Alpine 3.19.1 3 NA Alpine /etc/alpine-release Alpine ", []string{
			"/etc/os-release", "NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.19.1\nPRETTY_NAME=\"Alpine Linux v3.19\"\n", "/etc/alpine-release", "3.19.1\n"}},
		{"Arch", "Archlinux NA NA NA Archlinux /etc/os-release Archlinux ", []string{
			"/etc/os-release", "NAME=\"Arch Linux\"\nPRETTY_NAME=\"Arch Linux\"\nID=arch\nBUILD_ID=rolling\n"}},
		{"Mint", "Linux Mint 21.2 21 victoria Debian /etc/os-release Debian ", []string{
			"/etc/os-release", "NAME=\"Linux Mint\"\nVERSION=\"21.2 (Victoria)\"\nID=linuxmint\nVERSION_ID=\"21.2\"\nVERSION_CODENAME=victoria\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := system(t, c.files...).distribution()
			if got := strings.Join([]string{d.name, d.version, d.major, d.release, family(d.name), d.file, d.variety, d.minor}, " "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestLocalFacts(t *testing.T) {
	g := system(t, "/facts.d/a.fact", `{"x": [1, "y"]}`, "/facts.d/b.fact", "[DEFAULT]\nd = 9\n[one]\nKey = v\nm: a\n  b\np = %(key)s%%\n",
		"/facts.d/c.fact", "#!/bin/sh\necho '{\"run\": true}'\n", "/facts.d/d.fact", "#!/bin/sh\necho oops >&2\nexit 3\n",
		"/facts.d/e.fact", "junk", "/facts.d/g.fact", "[a]\nx = %\n", "/facts.d/h.fact", "[a]\nx = %(y)s\n", "/facts.d/f.txt", "{}")
	g.factPath = "/facts.d"
	v, _ := g.local(context.Background()).GetString("local")
	got := value.Repr(v)
	for _, want := range []string{"'a': {'x': [1, 'y']}", "'b': {'one': {'key': 'v', 'm': 'a\\nb', 'p': 'v%', 'd': '9'}}", "'c': {'run': True}",
		"rc: 3, err: oops", "'e': 'error loading facts as JSON or ini - please check content: ",
		"g.fact ('%' must be followed by '%' or '(', found: '%')", "h.fact (Bad value substitution: option 'x' in section 'a' contains an interpolation key 'y' which is not a valid option name. Raw value: '%(y)s')"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
	if strings.Contains(got, "'f'") || len(g.warned) != 4 {
		t.Errorf("%s, warnings %q", got, g.warned)
	}
}

func TestFQDN(t *testing.T) {
	for _, c := range []struct{ hosts, want string }{
		{"127.0.0.1 localhost\n127.0.1.1 web.example.com web\n", "web.example.com"},
		{"127.0.0.1 localhost\n127.0.0.1 web\n", "localhost"},
		{"10.0.0.1 web web.example.org # comment\n", "web.example.org"},
		{"::1 web.six web\n10.0.0.1 web.four web\n", "web.four"},
		{"127.0.0.1 localhost\n", "web"},
	} {
		if got := system(t, "/etc/hosts", c.hosts).fqdn(context.Background(), "web"); got != c.want {
			t.Errorf("%q gives %s, want %s", c.hosts, got, c.want)
		}
	}
}

func TestDateTime(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zones here")
	}
	d := dateTime(time.Date(2024, 1, 7, 5, 4, 3, 12345678, zone)) // a Sunday
	for k, want := range map[string]string{"weekday": "Sunday", "weekday_number": "0", "weeknumber": "01", "tz": "CET", "tz_dst": "CEST", "tz_offset": "+0100",
		"iso8601_micro": "2024-01-07T04:04:03.012345Z", "iso8601_basic": "20240107T050403012345", "epoch": "1704600243"} {
		if got, _ := d.GetString(k); got != want {
			t.Errorf("%s is %v, want %s", k, got, want)
		}
	}
	if got, _ := dateTime(time.Date(2024, 12, 30, 0, 0, 0, 0, time.UTC)).GetString("weeknumber"); got != "53" {
		t.Errorf("week %v", got)
	}
}

func TestSmallFacts(t *testing.T) {
	g := system(t, "/proc/cmdline", `ro root=UUID=x console=tty0 console=ttyS0 q="a b" quiet`,
		"/etc/resolv.conf", "# c\nnameserver 1.1.1.1\nnameserver 9.9.9.9\nsearch a.b c\noptions ndots:2 rotate\n",
		"/etc/ssh/ssh_host_rsa_key.pub", "ssh-rsa AAAA root@x\n", "/etc/iscsi/initiatorname.iscsi", "## c\nInitiatorName=iqn.x\n",
		"/proc/1/comm", "init\n", "/etc/init.d/x", "", "/sys/class/fc_host/host0/port_name", "0x21000014ff52a9bb\n")
	ctx := context.Background()
	for want, d := range map[string]*value.Dict{
		"{'cmdline': {'ro': True, 'root': 'UUID=x', 'console': 'ttyS0', 'q': '\"a b\"', 'quiet': True}, 'proc_cmdline': {'ro': True, 'root': 'UUID=x', 'console': ['tty0', 'ttyS0'], 'q': '\"a b\"', 'quiet': True}}": g.cmdline(ctx),
		"{'dns': {'nameservers': ['1.1.1.1', '9.9.9.9'], 'search': ['a.b', 'c'], 'options': {'ndots': '2', 'rotate': True}}}":                                                                                         g.dns(ctx),
		"{'ssh_host_key_rsa_public': 'AAAA', 'ssh_host_key_rsa_public_keytype': 'ssh-rsa'}":                                                                                                                           g.sshKeys(ctx),
		"{'iscsi_iqn': 'iqn.x'}":                      g.iscsi(ctx),
		"{'service_mgr': 'sysvinit'}":                 g.serviceMgr(ctx),
		"{'fibre_channel_wwn': ['21000014ff52a9bb']}": g.fibreChannel(ctx),
	} {
		if got := value.Repr(d); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestVirtual(t *testing.T) {
	for _, c := range []struct {
		name, want string
		files      []string
	}{
		{"nothing", "NA NA [] []", nil},
		{"docker", "docker guest ['docker', 'container'] []", []string{"/.dockerenv", ""}},
		{"podman", "podman guest ['podman', 'container'] []", []string{"/proc/1/environ", "PATH=/bin\x00container=podman\x00"}},
		{"nspawn", "systemd-nspawn guest ['systemd-nspawn', 'container'] []", []string{"/run/systemd/container", "systemd-nspawn\n"}},
		{"qemu", "kvm guest ['kvm'] []", []string{"/sys/devices/virtual/dmi/id/sys_vendor", "QEMU\n"}},
		{"kvm host", "kvm host [] ['kvm']", []string{"/proc/modules", "kvm 1 2\n"}},
		{"vmware", "VMware guest ['VMware'] []", []string{"/sys/devices/virtual/dmi/id/product_name", "VMware7,1\n"}},
	} {
		d := system(t, c.files...).virtual(context.Background())
		var got []string
		for _, k := range []string{"virtualization_type", "virtualization_role", "virtualization_tech_guest", "virtualization_tech_host"} {
			v, _ := d.GetString(k)
			got = append(got, value.Str(v))
		}
		if slices.Compare(got, nil) == 0 || strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %s, want %s", c.name, strings.Join(got, " "), c.want)
		}
	}
}

func TestCPU(t *testing.T) {
	text := ""
	for i, core := range []string{"0", "1", "0", "1"} {
		text += "processor\t: " + string(rune('0'+i)) + "\nvendor_id\t: GenuineIntel\nmodel name\t: Xeon\nphysical id\t: 0\nsiblings\t: 4\ncore id\t\t: " + core + "\ncpu cores\t: 2\nflags\t\t: fpu vme\n\n"
	}
	d := system(t, "/proc/cpuinfo", text).cpu(context.Background())
	for k, want := range map[string]string{"processor_count": "1", "processor_cores": "2", "processor_threads_per_core": "2", "processor_vcpus": "4",
		"processor_nproc": "4", "flags": "['fpu', 'vme']"} {
		if v, _ := d.GetString(k); value.Str(v) != want {
			t.Errorf("%s is %v, want %s", k, value.Str(v), want)
		}
	}
}

func TestSetupArguments(t *testing.T) {
	f := callSetup(t, "gather_subset", value.NewList("!all", "!min", "platform"), "filter", value.NewList("system", "gather_subset"))
	if len(f) != 2 || f["ansible_system"] != "Linux" {
		t.Errorf("facts are %v", f)
	}
	out := modules.Call(context.Background(), &modules.Host{}, "ansible.builtin.setup", value.DictOf("gather_subset", "bogus"), false)
	if !strings.Contains(string(out), "Bad subset 'bogus'") {
		t.Error(string(out))
	}
}
