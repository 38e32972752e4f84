package facts

import (
	"context"
	"slices"
	"strings"

	"fettle/engine/value"
)

// virtualFacts collects signs of virtualization; the first one found gives type and role.
type virtualFacts struct {
	kind, role  string
	guest, host []string
}

func (v *virtualFacts) sign(kind, role string) {
	list := &v.guest
	if role == "host" {
		list = &v.host
	}
	if !slices.Contains(*list, kind) {
		*list = append(*list, kind)
	}
	if v.kind == "" {
		v.kind, v.role = kind, role
	}
}

func (g *gatherer) virtual(ctx context.Context) *value.Dict {
	v := &virtualFacts{}
	g.containers(v)
	g.hypervisors(v)
	g.processorSigns(v)
	g.modulesAndTools(ctx, v)
	if v.kind == "" {
		v.kind, v.role = "NA", "NA"
	}
	return value.DictOf("virtualization_type", v.kind, "virtualization_role", v.role,
		"virtualization_tech_guest", stringList(v.guest), "virtualization_tech_host", stringList(v.host))
}

const dockerGroup pattern = `/docker(/|-[0-9a-f]+\.scope)`

func (g *gatherer) containers(v *virtualFacts) {
	for _, line := range g.lines("/proc/1/cgroup") {
		switch {
		case dockerGroup.in(line):
			v.sign("docker", "guest")
		case strings.Contains(line, "/lxc/"), strings.Contains(line, "/machine.slice/machine-lxc"):
			v.sign("lxc", "guest")
		case strings.Contains(line, "/system.slice/containerd.service"):
			v.sign("containerd", "guest")
		}
	}
	// An lxc container may show only in the environment of its first process.
	for kv := range strings.SplitSeq(g.text("/proc/1/environ"), "\x00") {
		kind, ok := strings.CutPrefix(kv, "container=")
		if !ok || kind == "" {
			continue
		}
		if kind == "lxc" || kind == "podman" {
			v.sign(kind, "guest")
		}
		v.sign("container", "guest")
	}
	if g.exists("/proc/vz") && !g.exists("/proc/lve") {
		role := "guest"
		if g.exists("/proc/bc") {
			role = "host"
		}
		v.sign("openvz", role)
	}
	if kind := g.text("/run/systemd/container"); kind != "" {
		v.sign(kind, "guest")
		v.sign("container", "guest")
	}
	if g.exists("/.dockerenv") || g.exists("/.dockerinit") {
		v.sign("docker", "guest")
	}
	for _, k := range []string{"docker", "lxc", "podman", "openvz", "containerd"} {
		if slices.Contains(v.guest, k) {
			v.sign("container", "guest")
		}
	}
	if g.exists("/proc/xen") {
		role := "guest"
		if strings.Contains(g.text("/proc/xen/capabilities"), "control_d") {
			role = "host"
		}
		v.sign("xen", role)
	}
}

// hypervisors looks at the names in DMI.
func (g *gatherer) hypervisors(v *virtualFacts) {
	dmi := func(name string) string { return g.text("/sys/devices/virtual/dmi/id/" + name) }
	product, vendor, bios, family := dmi("product_name"), dmi("sys_vendor"), dmi("bios_vendor"), dmi("product_family")
	switch product {
	case "KVM", "KVM Server", "Bochs", "AHV":
		v.sign("kvm", "guest")
	case "VMware Virtual Platform", "VMware7,1", "VMware20,1":
		v.sign("VMware", "guest")
	case "OpenStack Compute", "OpenStack Nova":
		v.sign("openstack", "guest")
	}
	switch {
	case vendor == "oVirt":
		v.sign("oVirt", "guest")
	case vendor == "Red Hat" && family == "RHV":
		v.sign("RHV", "guest")
	case vendor == "Red Hat" && product == "RHEV Hypervisor":
		v.sign("RHEV", "guest")
	}
	switch bios {
	case "Xen":
		v.sign("xen", "guest")
	case "innotek GmbH":
		v.sign("virtualbox", "guest")
	case "Amazon EC2", "DigitalOcean", "Hetzner":
		v.sign("kvm", "guest")
	}
	switch vendor {
	case "Microsoft Corporation":
		v.sign("VirtualPC", "guest")
	case "Parallels Software International Inc.", "Parallels International GmbH.":
		v.sign("parallels", "guest")
	case "OpenStack Foundation":
		v.sign("openstack", "guest")
	case "QEMU", "Amazon EC2", "DigitalOcean", "Google", "Scaleway", "Nutanix":
		v.sign("kvm", "guest")
	}
}

func (g *gatherer) processorSigns(v *virtualFacts) {
	for _, line := range g.lines("/proc/self/status") {
		if id, ok := strings.CutPrefix(line, "VxID:"); ok {
			role := "guest"
			if strings.TrimSpace(id) == "0" {
				role = "host"
			}
			v.sign("linux_vserver", role)
		}
	}
	for _, line := range g.lines("/proc/cpuinfo") {
		k, val, _ := strings.Cut(line, ":")
		k, val = strings.TrimSpace(k), strings.TrimSpace(val)
		switch {
		case k == "model name" && strings.HasPrefix(val, "QEMU Virtual CPU"):
			v.sign("kvm", "guest")
		case k == "vendor_id" && strings.HasPrefix(val, "User Mode Linux"), k == "model name" && val == "UML":
			v.sign("uml", "guest")
		case k == "machine" && strings.HasPrefix(val, "CHRP IBM pSeries (emulated by qemu)"):
			v.sign("kvm", "guest")
		case k == "vendor_id" && val == "PowerVM Lx86":
			v.sign("powervm_lx86", "guest")
		case k == "vendor_id" && val == "IBM/S390":
			v.sign("PR/SM", "lpar")
		}
	}
}

func (g *gatherer) modulesAndTools(ctx context.Context, v *virtualFacts) {
	modules := map[string]bool{}
	for _, line := range g.lines("/proc/modules") {
		name, _, _ := strings.Cut(line, " ")
		modules[name] = true
	}
	if modules["kvm"] {
		v.sign("kvm", "host")
	}
	if modules["vboxdrv"] {
		v.sign("virtualbox", "host")
	}
	if modules["virtio"] {
		v.sign("kvm", "guest")
	}
	if out, ok := g.run(ctx, "dmidecode", "-s", "system-product-name"); ok {
		switch name := withoutComments(out); {
		case strings.HasPrefix(name, "VMware"):
			v.sign("VMware", "guest")
		case strings.Contains(name, "BHYVE"):
			v.sign("bhyve", "guest")
		}
	}
	if g.exists("/dev/kvm") {
		v.sign("kvm", "host")
	}
}
