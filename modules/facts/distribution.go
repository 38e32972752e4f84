package facts

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"fettle/engine/value"
)

// distribution is what the release files of a system say.
type distribution struct {
	name, version, release, major string
	minor                         string // "" for distributions that have none here
	file, variety                 string // the file that told, and the kind of file it is
	search                        string // the text that was looked for in it
	parsed                        bool
}

func (g *gatherer) distributionFacts(context.Context) *value.Dict {
	d := g.distribution()
	out := value.DictOf("distribution", d.name, "distribution_release", d.release, "distribution_version", d.version,
		"distribution_major_version", d.major)
	if d.file != "" {
		out.SetString("distribution_file_path", d.file)
		out.SetString("distribution_file_variety", d.variety)
	}
	if d.parsed {
		out.SetString("distribution_file_parsed", true)
	}
	if d.search != "" {
		out.SetString("distribution_file_search_string", d.search)
	}
	if d.minor != "" {
		out.SetString("distribution_minor_version", d.minor)
	}
	out.SetString("os_family", family(d.name))
	return out
}

func (g *gatherer) distribution() *distribution {
	g.once.Do(func() { g.distro = g.readDistribution() })
	return g.distro
}

var families = map[string][]string{
	"RedHat": {"RedHat", "RHEL", "Fedora", "CentOS", "Scientific", "SLC", "Ascendos", "CloudLinux", "PSBM", "OracleLinux", "OVS", "OEL",
		"Amazon", "Amzn", "Virtuozzo", "XenServer", "Alibaba", "EulerOS", "openEuler", "AlmaLinux", "Rocky", "TencentOS", "EuroLinux",
		"Kylin Linux Advanced Server", "MIRACLE"},
	"Debian": {"Debian", "Ubuntu", "Raspbian", "Neon", "KDE neon", "Linux Mint", "SteamOS", "Devuan", "Kali", "Cumulus Linux", "Pop!_OS",
		"Parrot", "Pardus GNU/Linux", "Uos", "Deepin", "OSMC", "Linux Mint Debian Edition"},
	"Suse":      {"SuSE", "SLES", "SLED", "openSUSE", "openSUSE Tumbleweed", "SLES_SAP", "SUSE_LINUX", "openSUSE Leap", "ALP-Dolomite", "SL-Micro"},
	"Archlinux": {"Archlinux", "Antergos", "Manjaro"}, "Mandrake": {"Mandrake", "Mandriva"}, "Slackware": {"Slackware"}, "Altlinux": {"Altlinux"},
	"SMGL": {"SMGL"}, "Gentoo": {"Gentoo", "Funtoo"}, "Alpine": {"Alpine"}, "ClearLinux": {"Clear Linux OS", "Clear Linux Mix"}, "Flatcar": {"Flatcar"},
}

func family(name string) string {
	for f, members := range families {
		for _, m := range members {
			if m == name {
				return f
			}
		}
	}
	return name
}

// releaseFile is a place to look and how to read what is there. parse tells whether the
// text is of its kind.
type releaseFile struct {
	path, variety string
	emptyOK       bool
	parse         func(g *gatherer, d *distribution, text string) bool
}

var releaseFiles = []releaseFile{
	{"/etc/altlinux-release", "Altlinux", false, byName("Altlinux", "ALT")},
	{"/etc/oracle-release", "OracleLinux", false, byName("OracleLinux", "Oracle Linux")},
	{"/etc/slackware-version", "Slackware", false, parseSlackware},
	{"/etc/centos-release", "CentOS", false, parseCentOS},
	{"/etc/redhat-release", "RedHat", false, byName("RedHat", "Red Hat")},
	{"/etc/vmware-release", "VMwareESX", true, nil},
	{"/etc/openwrt_release", "OpenWrt", false, parseOpenWrt},
	{"/etc/os-release", "Amazon", false, parseAmazon},
	{"/etc/system-release", "Amazon", false, parseAmazon},
	{"/etc/alpine-release", "Alpine", false, parseAlpine},
	{"/etc/arch-release", "Archlinux", true, nil},
	{"/etc/os-release", "Archlinux", false, parseArch},
	{"/etc/os-release", "SUSE", false, parseSUSE},
	{"/etc/SuSE-release", "SUSE", false, parseSUSE},
	{"/etc/os-release", "Debian", false, parseDebian},
	{"/etc/lsb-release", "Debian", false, parseDebian},
	{"/etc/sourcemage-release", "SMGL", false, byName("SMGL", "Source Mage GNU/Linux")},
	{"/usr/lib/os-release", "ClearLinux", false, parseClear},
	{"/etc/os-release", "Flatcar", false, parseFlatcar},
	{"/etc/os-release", "NA", false, parseOther},
}

func (g *gatherer) readDistribution() *distribution {
	d := g.guess()
	for _, f := range releaseFiles {
		text, ok := g.content(f.path)
		if f.emptyOK && g.exists(f.path) && f.parse == nil {
			d.name, d.file, d.variety = f.variety, f.path, f.variety
			return d
		}
		if !ok || f.parse == nil {
			continue
		}
		before := *d
		if f.parse(g, d, text) {
			d.file, d.variety, d.parsed = f.path, f.variety, true
			return d
		}
		*d = before
	}
	return d
}

const versionWord pattern = `\((\D+)\)|,\s*(\D+)`

// guess is what os-release alone tells.
func (g *gatherer) guess() *distribution {
	info := g.osRelease()
	id := info["ID"]
	name := map[string]string{"amzn": "Amazon", "rhel": "Redhat", "": "OtherLinux"}[id]
	if name == "" {
		name = strings.ToUpper(id[:1]) + id[1:]
	}
	version := info["VERSION_ID"]
	if text := g.text("/etc/redhat-release"); text != "" && (id == "centos" || id == "rhel" || version == "") {
		if m := pattern(`release ([0-9.]+)`).find(text); m != nil {
			version = m[1]
		}
	}
	switch id {
	case "centos":
		if p := strings.Split(version, "."); len(p) > 2 {
			version = p[0] + "." + p[1]
		}
	case "debian":
		// The more exact one counts: 12.5 before 12, but 13 before trixie/sid.
		if v := g.text("/etc/debian_version"); version == "" || strings.Count(v, ".") > strings.Count(version, ".") {
			version = v
		}
	}
	d := &distribution{name: name, version: orNA(version), release: g.codename(info)}
	d.major, _, _ = strings.Cut(d.version, ".")
	return d
}

func orNA(s string) string {
	if s == "" {
		return "NA"
	}
	return s
}

// codename may be empty, when the file says so.
func (g *gatherer) codename(info map[string]string) string {
	for _, k := range []string{"VERSION_CODENAME", "UBUNTU_CODENAME"} {
		if v, ok := info[k]; ok {
			return v
		}
	}
	if m := versionWord.find(info["VERSION"]); m != nil {
		return strings.TrimSpace(m[1] + m[2])
	}
	if m := inBrackets.find(g.releaseText()); m != nil {
		return m[1]
	}
	return "NA"
}

var (
	ownRelease pattern = `^\w+[-_](?:release|version)$`
	inBrackets pattern = `\(([^()]*)\)\s*$`
)

// releaseText is the first line of the first of the distribution's own release files.
func (g *gatherer) releaseText() string {
	for _, n := range g.entries("/etc") {
		switch n {
		case "debian_version", "lsb-release", "oem-release", "os-release", "system-release", "plesk-release", "iredmail-release":
			continue
		}
		if !ownRelease.in(n) {
			continue
		}
		if text := g.text("/etc/" + n); text != "" {
			first, _, _ := strings.Cut(text, "\n")
			return first
		}
	}
	return ""
}

func (g *gatherer) osRelease() map[string]string {
	text, ok := g.content("/etc/os-release")
	if !ok {
		text = g.text("/usr/lib/os-release")
	}
	return assignments(text)
}

// assignments reads KEY=value lines, with quotes taken off.
func assignments(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		k, v, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && !strings.HasPrefix(k, "#") {
			out[k] = strings.Trim(strings.TrimSpace(v), `"'`)
		}
	}
	return out
}

// byName takes the given name when the text holds the words, else the first word of it:
// /etc/redhat-release serves many.
func byName(name, words string) func(*gatherer, *distribution, string) bool {
	return func(_ *gatherer, d *distribution, text string) bool {
		if strings.Contains(text, words) {
			d.name, d.search = name, words
			return true
		}
		d.name = firstWord(text)
		return true
	}
}

func firstWord(text string) string {
	if f := strings.Fields(text); len(f) > 0 {
		return f[0]
	}
	return ""
}

func parseSlackware(_ *gatherer, d *distribution, text string) bool {
	if !strings.Contains(text, "Slackware") {
		return false
	}
	d.name = "Slackware"
	if m := pattern(`\w+[.]\w+\+?`).find(text); m != nil {
		d.version = m[0]
	}
	return true
}

func parseCentOS(_ *gatherer, d *distribution, text string) bool {
	switch {
	case strings.Contains(text, "CentOS Stream"):
		d.name, d.release = "CentOS", "Stream"
		return true
	case strings.Contains(text, "TencentOS Server"):
		d.name = "TencentOS"
		return true
	}
	return false // /etc/redhat-release tells
}

var (
	openWrtVersion pattern = `DISTRIB_RELEASE="(.*)"`
	openWrtName    pattern = `DISTRIB_CODENAME="(.*)"`
)

func parseOpenWrt(_ *gatherer, d *distribution, text string) bool {
	if !strings.Contains(text, "OpenWrt") {
		return false
	}
	d.name = "OpenWrt"
	if m := openWrtVersion.find(text); m != nil {
		d.version = m[1]
	}
	if m := openWrtName.find(text); m != nil {
		d.release = m[1]
	}
	return true
}

func parseAmazon(_ *gatherer, d *distribution, text string) bool {
	if !strings.Contains(text, "Amazon") {
		return false
	}
	d.name = "Amazon"
	if v := assignments(text)["VERSION_ID"]; v != "" {
		d.version = v
		d.major, d.minor, _ = strings.Cut(v, ".")
		d.minor = orNA(d.minor)
		return true
	}
	d.version = "NA"
	for _, w := range strings.Fields(text) {
		if _, err := strconv.Atoi(w); err == nil {
			d.version = w
			break
		}
	}
	return true
}

func parseAlpine(_ *gatherer, d *distribution, text string) bool {
	d.name, d.version = "Alpine", text
	return true
}

func parseArch(_ *gatherer, d *distribution, text string) bool {
	if !strings.Contains(text, "Arch Linux") {
		return false
	}
	d.name = "Archlinux"
	return true
}

const suseVersion pattern = `^([0-9]+)\.?([0-9]*)`

func parseSUSE(g *gatherer, d *distribution, text string) bool {
	lower := strings.ToLower(text)
	if !strings.Contains(lower, "suse") {
		return false
	}
	info := assignments(text)
	if n := info["NAME"]; n != "" {
		d.name = n
	}
	if m := suseVersion.find(info["VERSION_ID"]); m != nil {
		d.version, d.major = m[0], m[1]
		switch {
		case strings.Contains(lower, "open"):
			d.release = m[2]
		case strings.Contains(lower, "enterprise"):
			if d.release = m[2]; d.release == "" {
				d.release = "0"
			}
		}
	}
	if p, err := filepath.EvalSymlinks(g.root + "/etc/products.d/baseproduct"); err == nil && strings.HasSuffix(p, "SLES_SAP.prod") {
		d.name = "SLES_SAP"
	}
	return true
}

var (
	prettyName pattern = `PRETTY_NAME=[^(]+ \(?([^)]+?)\)`
	devuanName pattern = `PRETTY_NAME="?[^("]+ \(?([^) "]+)\)?`
	minorOf    pattern = `(\d+)\.(\d+)`
)

func parseDebian(g *gatherer, d *distribution, text string) bool {
	has := func(s string) bool { return strings.Contains(text, s) }
	info := assignments(text)
	switch {
	case has("Debian") || has("Raspbian"):
		d.name = "Debian"
		if m := prettyName.find(text); m != nil {
			d.release = m[1]
		}
		if m := minorOf.find(g.text("/etc/debian_version")); m != nil {
			d.minor = m[2]
		}
	case has("Ubuntu"):
		d.name = "Ubuntu"
	case has("SteamOS"):
		d.name = "SteamOS"
	case has("Kali") || has("Parrot"):
		if d.name = "Parrot"; has("Kali") {
			d.name = "Kali"
		}
		if r := info["DISTRIB_RELEASE"]; r != "" {
			d.release = r
		}
	case has("Devuan"):
		d.name = "Devuan"
		if m := devuanName.find(text); m != nil {
			d.release = m[1]
		}
	case has("Cumulus"):
		d.name, d.version, d.release = "Cumulus Linux", info["VERSION_ID"], info["VERSION"]
		d.major, _, _ = strings.Cut(d.version, ".")
	case has("Mint"):
		d.name, d.version = "Linux Mint", info["VERSION_ID"]
		d.major, _, _ = strings.Cut(d.version, ".")
	case has("UOS") || has("Uos") || has("uos") || has("Deepin") || has("deepin"):
		if d.name = "Deepin"; has("UOS") || has("Uos") || has("uos") {
			d.name = "Uos"
		}
		d.version, d.release = info["VERSION_ID"], info["VERSION_CODENAME"]
		d.major, _, _ = strings.Cut(d.version, ".")
	case has("LMDE"):
		d.name = "Linux Mint Debian Edition"
	default:
		return false
	}
	return true
}

func parseClear(_ *gatherer, d *distribution, text string) bool {
	if !strings.Contains(strings.ToLower(text), "clearlinux") {
		return false
	}
	info := assignments(text)
	if n := info["NAME"]; !strings.Contains(n, "Clear Linux") {
		return false
	}
	d.name, d.version, d.major, d.release = info["NAME"], info["VERSION_ID"], info["VERSION_ID"], info["ID"]
	return true
}

func parseFlatcar(_ *gatherer, d *distribution, text string) bool {
	if !strings.Contains(strings.ToLower(text), "flatcar") {
		return false
	}
	info := assignments(text)
	d.name, d.version = "Flatcar", info["VERSION"]
	d.major, _, _ = strings.Cut(d.version, ".")
	return true
}

func parseOther(_ *gatherer, d *distribution, text string) bool {
	info := assignments(text)
	if n := info["NAME"]; n != "" {
		d.name = n
	}
	if v := info["VERSION"]; v != "" && d.version == "NA" {
		d.version = v
	}
	return true
}

var packageManagers = []struct{ path, name string }{
	{"/usr/bin/rpm-ostree", "atomic_container"}, {"/usr/bin/yum", "yum"}, {"/usr/bin/dnf-3", "dnf"}, {"/usr/bin/dnf5", "dnf5"},
	{"/usr/bin/apt-get", "apt"}, {"/usr/bin/zypper", "zypper"}, {"/usr/sbin/urpmi", "urpmi"}, {"/usr/bin/pacman", "pacman"},
	{"/bin/opkg", "opkg"}, {"/usr/pkg/bin/pkgin", "pkgin"}, {"/opt/tools/bin/pkgin", "pkgin"}, {"/usr/sbin/swupd", "swupd"},
	{"/sbin/apk", "apk"}, {"/usr/bin/apk", "apk"}, {"/usr/bin/emerge", "portage"}, {"/usr/bin/xbps-install", "xbps"}, {"/usr/bin/swupd", "swupd"},
	{"/usr/sbin/sorcery", "sorcery"}, {"/usr/bin/installp", "installp"}, {"/QOpenSys/pkgs/bin/yum", "yum"},
}

func (g *gatherer) pkgMgr(ctx context.Context) *value.Dict {
	name := "unknown"
	for _, p := range packageManagers {
		if g.exists(p.path) {
			name = p.name
		}
	}
	d := g.distribution()
	switch f := family(d.name); {
	case f == "RedHat":
		name = g.redHatPkgMgr(d, name)
	case f == "Altlinux" && name == "apt":
		name = "apt_rpm"
	case f == "Debian" && name != "apt" && g.exists("/usr/bin/apt-get"), name == "apt":
		name = "apt"
		if g.exists("/usr/bin/rpm") {
			if _, ok := g.run(ctx, "rpm", "-q", "--whatprovides", "/usr/bin/apt-get"); ok {
				name = "apt_rpm"
			}
		}
	}
	return value.DictOf("pkg_mgr", name)
}

func (g *gatherer) redHatPkgMgr(d *distribution, found string) string {
	if g.exists("/run/ostree-booted") {
		return "atomic_container"
	}
	if p, err := filepath.EvalSymlinks(g.root + "/usr/bin/dnf"); err == nil {
		if filepath.Base(p) == "dnf5" {
			return "dnf5"
		}
		return "dnf"
	}
	major, err := strconv.Atoi(d.major)
	if err != nil {
		return found
	}
	old := map[string]int{"Fedora": 23, "Amazon": 2022}[d.name]
	if old == 0 {
		old = 8
	}
	if _, err := os.Stat(g.root + "/usr/bin/yum"); err == nil && major < old {
		return "yum"
	}
	return found
}
