package facts

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"fettle/engine/value"
)

// hardware joins what its parts find; those that may be slow run side by side.
func (g *gatherer) hardware(ctx context.Context) *value.Dict {
	parts := []func(context.Context) *value.Dict{g.cpu, g.memory, g.dmi, g.devices, g.mounts, g.uptime, g.lvm}
	found := make([]*value.Dict, len(parts))
	var wg sync.WaitGroup
	for i, p := range parts {
		wg.Go(func() { found[i] = p(ctx) })
	}
	wg.Wait()
	out := value.NewDict(48)
	for _, d := range found {
		for _, e := range d.Entries() {
			out.SetString(e.Key.(string), e.Value)
		}
	}
	return out
}

func (g *gatherer) uptime(context.Context) *value.Dict {
	first, _, _ := strings.Cut(g.text("/proc/uptime"), ".")
	n, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return nil
	}
	return value.DictOf("uptime_seconds", n)
}

func (g *gatherer) memory(context.Context) *value.Dict {
	mb := map[string]int64{}
	for _, line := range g.lines("/proc/meminfo") {
		k, v, _ := strings.Cut(line, ":")
		f := strings.Fields(v)
		if len(f) == 0 {
			continue
		}
		if n, err := strconv.ParseInt(f[0], 10, 64); err == nil {
			mb[k] = n / 1024
		}
	}
	if len(mb) == 0 {
		return nil
	}
	free := mb["Cached"] + mb["MemFree"] + mb["Buffers"]
	return value.DictOf("memtotal_mb", mb["MemTotal"], "swaptotal_mb", mb["SwapTotal"], "memfree_mb", mb["MemFree"], "swapfree_mb", mb["SwapFree"],
		"memory_mb", value.DictOf(
			"real", value.DictOf("total", mb["MemTotal"], "used", mb["MemTotal"]-mb["MemFree"], "free", mb["MemFree"]),
			"nocache", value.DictOf("free", free, "used", mb["MemTotal"]-free),
			"swap", value.DictOf("total", mb["SwapTotal"], "free", mb["SwapFree"], "used", mb["SwapTotal"]-mb["SwapFree"], "cached", mb["SwapCached"])))
}

// cpuInfo is what is counted in /proc/cpuinfo.
type cpuInfo struct {
	list                     *value.List
	flags                    *value.List
	entries                  int
	vendors, models, numbers int
	sockets                  map[string]int64
	firstSocket, socket      string
	firstSiblings            int64
	onXen, xen, siblings     bool
}

func (c *cpuInfo) line(key, val string) {
	n, _ := strconv.ParseInt(val, 10, 64)
	switch key {
	case "model name", "Processor", "vendor_id", "cpu", "Vendor", "processor":
		c.list.V = append(c.list.V, val)
		c.entries++
		switch key {
		case "vendor_id":
			c.vendors++
		case "model name":
			c.models++
		case "processor":
			c.numbers++
		}
	case "flags":
		c.flags = stringList(strings.Fields(val))
		c.xen = c.xen || c.onXen && !strings.Contains(val, "vme")
	case "physical id":
		c.socket = val
		if c.firstSocket == "" {
			c.firstSocket = val
		}
		if _, ok := c.sockets[val]; !ok {
			c.sockets[val] = 1
		}
	case "core id":
		if c.firstSiblings == 0 {
			c.firstSiblings = 1
		}
	case "cpu cores":
		c.sockets[c.socket] = n
		if c.firstSocket == "" {
			c.firstSocket = c.socket
		}
	case "siblings":
		if !c.siblings {
			c.siblings, c.firstSiblings = true, n
		}
	case "ncpus active":
		c.entries = int(n)
	}
}

func (g *gatherer) cpu(context.Context) *value.Dict {
	c := &cpuInfo{list: value.NewList(), sockets: map[string]int64{}, onXen: g.exists("/proc/xen")}
	for _, line := range g.lines("/proc/cpuinfo") {
		k, v, _ := strings.Cut(line, ":")
		c.line(strings.TrimSpace(k), strings.TrimSpace(v))
	}
	if c.entries == 0 && len(c.list.V) == 0 {
		return nil
	}
	count := c.entries
	if c.vendors > 0 && c.vendors == c.models {
		count = c.vendors
	}
	arch := uname().machine
	if strings.HasPrefix(arch, "arm") || strings.HasPrefix(arch, "aarch") || strings.HasPrefix(arch, "ppc") {
		count = c.numbers
	}
	sockets, cores, threads := int64(count), int64(1), int64(1)
	if len(c.sockets) > 0 {
		sockets = int64(len(c.sockets))
		if n := c.sockets[c.firstSocket]; n > 0 {
			cores = n
		}
	}
	if c.firstSiblings > 0 {
		threads = c.firstSiblings / cores
	} else {
		threads = 1 / cores
	}
	if c.xen {
		sockets, cores, threads = int64(count), int64(count), 1
	}
	nproc, vcpus := int64(count), threads*sockets*cores
	if c.xen {
		vcpus = int64(count)
	}
	if n := affinity(); n > 0 && g.root == "" {
		nproc = n
	}
	d := value.DictOf("processor", c.list, "processor_count", sockets, "processor_cores", cores, "processor_threads_per_core", threads,
		"processor_vcpus", vcpus, "processor_nproc", nproc)
	if c.flags != nil {
		d.SetString("flags", c.flags)
	}
	return d
}

var formFactors = strings.Split("Unknown,Other,Unknown,Desktop,Low Profile Desktop,Pizza Box,Mini Tower,Tower,Portable,Laptop,Notebook,"+
	"Hand Held,Docking Station,All In One,Sub Notebook,Space-saving,Lunch Box,Main Server Chassis,Expansion Chassis,Sub Chassis,"+
	"Bus Expansion Chassis,Peripheral Chassis,RAID Chassis,Rack Mount Chassis,Sealed-case PC,Multi-system,CompactPCI,AdvancedTCA,"+
	"Blade,Blade Enclosure,Tablet,Convertible,Detachable,IoT Gateway,Embedded PC,Mini PC,Stick PC", ",")

var dmiFiles = [][3]string{ // fact, file, word of dmidecode
	{"bios_date", "bios_date", "bios-release-date"}, {"bios_vendor", "bios_vendor", "bios-vendor"}, {"bios_version", "bios_version", "bios-version"},
	{"board_asset_tag", "board_asset_tag", "baseboard-asset-tag"}, {"board_name", "board_name", "baseboard-product-name"},
	{"board_serial", "board_serial", "baseboard-serial-number"}, {"board_vendor", "board_vendor", "baseboard-manufacturer"},
	{"board_version", "board_version", "baseboard-version"}, {"chassis_asset_tag", "chassis_asset_tag", "chassis-asset-tag"},
	{"chassis_serial", "chassis_serial", "chassis-serial-number"}, {"chassis_vendor", "chassis_vendor", "chassis-manufacturer"},
	{"chassis_version", "chassis_version", "chassis-version"}, {"form_factor", "chassis_type", "chassis-type"},
	{"product_name", "product_name", "system-product-name"}, {"product_serial", "product_serial", "system-serial-number"},
	{"product_uuid", "product_uuid", "system-uuid"}, {"product_version", "product_version", "system-version"},
	{"system_vendor", "sys_vendor", "system-manufacturer"},
}

func (g *gatherer) dmi(ctx context.Context) *value.Dict {
	d := value.NewDict(len(dmiFiles))
	const dir = "/sys/devices/virtual/dmi/id/"
	files := g.exists(dir + "product_name")
	for _, f := range dmiFiles {
		text, ok := "", false
		if files {
			if text, ok = g.content(dir + f[1]); ok && f[0] == "form_factor" {
				text = formFactor(text)
			}
		} else if text, ok = g.run(ctx, "dmidecode", "-s", f[2]); ok {
			text = withoutComments(text)
		}
		if !ok {
			text = "NA"
		}
		d.SetString(f[0], text)
	}
	return d
}

func formFactor(text string) string {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n >= len(formFactors) {
		return "unknown (" + text + ")"
	}
	return formFactors[n]
}

func withoutComments(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			b.WriteString(strings.TrimRight(line, "\n"))
		}
	}
	return strings.TrimSpace(b.String())
}

// lvm asks the LVM tools, which only root may do.
func (g *gatherer) lvm(ctx context.Context) *value.Dict {
	if os.Getuid() != 0 || g.tool("vgs") == "" {
		return value.DictOf("lvm", "N/A")
	}
	outputs := [3]string{}
	var wg sync.WaitGroup
	for i, tool := range []string{"vgs", "lvs", "pvs"} {
		wg.Go(func() {
			outputs[i], _ = g.run(ctx, tool, "--noheadings", "--nosuffix", "--units", "g", "--separator", ",")
		})
	}
	wg.Wait()
	vgs, lvs, pvs := value.NewDict(2), value.NewDict(4), value.NewDict(2)
	for _, f := range csv(outputs[0], 7) {
		vgs.SetString(f[0], value.DictOf("size_g", f[len(f)-2], "free_g", f[len(f)-1], "num_lvs", f[2], "num_pvs", f[1]))
	}
	for _, f := range csv(outputs[1], 4) {
		lvs.SetString(f[0], value.DictOf("size_g", f[3], "vg", f[1]))
	}
	for _, f := range csv(outputs[2], 6) {
		pvs.SetString(g.mapperName(ctx, f[0]), value.DictOf("size_g", f[4], "free_g", f[5], "vg", f[1]))
	}
	return value.DictOf("lvm", value.DictOf("lvs", lvs, "vgs", vgs, "pvs", pvs))
}

func csv(text string, least int) [][]string {
	var out [][]string
	for line := range strings.Lines(text) {
		if f := strings.Split(strings.TrimSpace(line), ","); len(f) >= least {
			out = append(out, f)
		}
	}
	return out
}

// mapperName is the name below /dev/mapper of a /dev/dm-N.
func (g *gatherer) mapperName(_ context.Context, device string) string {
	if n, ok := strings.CutPrefix(device, "/dev/"); ok && strings.HasPrefix(n, "dm-") {
		if name := g.text("/sys/block/" + n + "/dm/name"); name != "" {
			return "/dev/mapper/" + name
		}
	}
	return device
}

// humanBytes is 256.00 GB.
func humanBytes(n float64) string {
	for _, u := range []struct {
		name string
		size float64
	}{{"YB", 1 << 80}, {"ZB", 1 << 70}, {"EB", 1 << 60}, {"PB", 1 << 50}, {"TB", 1 << 40}, {"GB", 1 << 30}, {"MB", 1 << 20}, {"KB", 1 << 10}} {
		if n >= u.size {
			return fmt.Sprintf("%.2f %s", n/u.size, u.name)
		}
	}
	return fmt.Sprintf("%.2f Bytes", n)
}
