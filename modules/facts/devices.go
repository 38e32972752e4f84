package facts

import (
	"context"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"fettle/engine/value"
)

// deviceLinks maps device names to the names that link to them.
type deviceLinks map[string]map[string][]string // ids, labels, uuids, masters

func (g *gatherer) deviceLinks() deviceLinks {
	links := deviceLinks{"masters": {}}
	for kind, dir := range map[string]string{"ids": "/dev/disk/by-id", "uuids": "/dev/disk/by-uuid", "labels": "/dev/disk/by-label"} {
		links[kind] = map[string][]string{}
		for _, name := range g.entries(dir) {
			if target := g.linkBase(dir + "/" + name); target != "" {
				links[kind][target] = append(links[kind][target], name)
			}
		}
	}
	for _, owner := range g.entries("/sys/block") {
		for _, slave := range g.entries("/sys/block/" + owner + "/slaves") {
			links["masters"][slave] = append(links["masters"][slave], owner)
		}
	}
	return links
}

var linkKinds = []string{"ids", "labels", "masters", "uuids"}

// of is the links fact of one device.
func (l deviceLinks) of(device string) *value.Dict {
	d := value.NewDict(4)
	for _, kind := range linkKinds {
		d.SetString(kind, stringList(l[kind][device]))
	}
	return d
}

// all is the device_links fact.
func (l deviceLinks) all() *value.Dict {
	d := value.NewDict(4)
	for _, kind := range linkKinds {
		targets := value.NewDict(4)
		var names []string
		for t := range l[kind] {
			names = append(names, t)
		}
		slices.Sort(names)
		for _, t := range names {
			targets.SetString(t, stringList(l[kind][t]))
		}
		d.SetString(kind, targets)
	}
	return d
}

var (
	schedulerNow pattern = `\[(.*)\]`
	pciAddress   pattern = `.+/([a-f0-9]{4}:[a-f0-9]{2}:[0|1][a-f0-9]\.[0-7])/`
)

func (g *gatherer) devices(ctx context.Context) *value.Dict {
	links := g.deviceLinks()
	pci := ""
	if g.tool("lspci") != "" {
		pci, _ = g.run(ctx, "lspci", "-D")
	}
	devices := value.NewDict(8)
	for _, block := range g.entries("/sys/block") {
		dir := g.root + "/sys/block/" + block
		if to, err := filepath.EvalSymlinks(dir); err == nil {
			dir = to
		}
		devices.SetString(block, g.device(ctx, block, strings.TrimPrefix(dir, g.root), links, pci))
	}
	return value.DictOf("devices", devices, "device_links", links.all())
}

func (g *gatherer) device(ctx context.Context, name, dir string, links deviceLinks, pci string) *value.Dict {
	d := value.DictOf("virtual", int64(1), "links", links.of(name))
	for _, k := range []string{"vendor", "model", "sas_address", "sas_device_handle"} {
		d.SetString(k, g.orNone(dir+"/device/"+k))
	}
	if serial := g.serial(ctx, name); serial != "" {
		d.SetString("serial", serial)
	}
	d.SetString("removable", g.orNone(dir+"/removable"))
	d.SetString("support_discard", g.orNone(dir+"/queue/discard_granularity"))
	for _, id := range links["ids"][name] {
		if strings.HasPrefix(id, "wwn-") {
			d.SetString("wwn", id[len("wwn-"):])
		}
	}
	parts := value.NewDict(2)
	for _, sub := range g.entries(dir) {
		rest, ok := strings.CutPrefix(sub, name)
		rest = strings.TrimPrefix(rest, "p")
		if ok && rest != "" && strings.Trim(rest, "0123456789") == "" {
			parts.SetString(sub, g.partition(sub, dir+"/"+sub, links))
		}
	}
	d.SetString("partitions", parts)
	d.SetString("rotational", g.orNone(dir+"/queue/rotational"))
	mode := ""
	if m := schedulerNow.find(g.text(dir + "/queue/scheduler")); m != nil {
		mode = m[1]
	}
	d.SetString("scheduler_mode", mode)
	sectors := g.number(dir + "/size")
	d.SetString("sectors", sectors)
	d.SetString("sectorsize", g.sectorSize(dir))
	d.SetString("size", humanBytes(float64(sectors)*512))
	host := ""
	if m := pciAddress.find(dir); m != nil {
		for line := range strings.Lines(pci) {
			if rest, ok := strings.CutPrefix(line, m[1]+" "); ok {
				host = strings.TrimRight(rest, "\n")
			}
		}
	}
	d.SetString("host", host)
	d.SetString("holders", g.holders(dir))
	return d
}

const sgSerial pattern = `(?:Unit serial|Serial) number:\s+(\w+)`

func (g *gatherer) serial(ctx context.Context, name string) string {
	if g.tool("sg_inq") != "" {
		if out, ok := g.run(ctx, "sg_inq", "/dev/"+name); ok {
			if m := sgSerial.find(out); m != nil {
				return m[1]
			}
		}
	}
	return ""
}

func (g *gatherer) partition(name, dir string, links deviceLinks) *value.Dict {
	start := value.Value(int64(0))
	if s, ok := g.content(dir + "/start"); ok {
		start = s
	}
	sectors := g.number(dir + "/size")
	uuid := value.Value(nil)
	if ids := links["uuids"][name]; len(ids) > 0 {
		uuid = ids[0]
	}
	return value.DictOf("links", links.of(name), "start", start, "sectors", sectors, "sectorsize", g.sectorSize(dir),
		"size", humanBytes(float64(sectors)*512), "uuid", uuid, "holders", g.holders(dir))
}

func (g *gatherer) number(file string) int64 {
	n, _ := strconv.ParseInt(g.text(file), 10, 64)
	return n
}

// sectorSize is text where the kernel tells it, and the number 512 where not.
func (g *gatherer) sectorSize(dir string) value.Value {
	for _, f := range []string{"/queue/logical_block_size", "/queue/hw_sector_size"} {
		if s, ok := g.content(dir + f); ok {
			return s
		}
	}
	return int64(512)
}

func (g *gatherer) holders(dir string) *value.List {
	l := value.NewList()
	for _, h := range g.entries(dir + "/holders") {
		if !strings.HasPrefix(h, "dm-") {
			continue
		}
		if n := g.text(dir + "/holders/" + h + "/dm/name"); n != "" {
			h = n
		}
		l.V = append(l.V, h)
	}
	return l
}

// mountEntry is a line of /proc/mounts.
type mountEntry struct{ device, mount, fstype, options, dump, pass string }

// unescapeOctal takes back the \ooo that the kernel writes for blanks and the like.
func unescapeOctal(s string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 || i+4 > len(s) {
			return b.String() + s
		}
		b.WriteString(s[:i])
		if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
			b.WriteByte(byte(n))
			s = s[i+4:]
		} else {
			b.WriteByte('\\')
			s = s[i+1:]
		}
	}
}

func (g *gatherer) mountEntries() []mountEntry {
	file := "/proc/mounts"
	if g.exists("/etc/mtab") {
		file = "/etc/mtab"
	}
	var out []mountEntry
	for _, line := range g.lines(file) {
		f := append(strings.Fields(line), "0", "0")
		if len(f) < 6 {
			continue
		}
		e := mountEntry{f[0], unescapeOctal(f[1]), f[2], f[3], f[4], f[5]}
		if (!strings.HasPrefix(e.device, "/") && !strings.HasPrefix(e.device, "\\") && !strings.Contains(e.device, ":/")) || e.fstype == "none" {
			continue
		}
		out = append(out, e)
	}
	return out
}

// bindMounts are the mount points of what is only a part of its file system.
func (g *gatherer) bindMounts() map[string]bool {
	out := map[string]bool{}
	for _, line := range g.lines("/proc/self/mountinfo") {
		f := strings.Fields(line)
		if len(f) > 9 && f[3] != "/" {
			out[unescapeOctal(f[4])] = true
		}
	}
	return out
}

func (g *gatherer) mounts(context.Context) *value.Dict {
	entries, binds := g.mountEntries(), g.bindMounts()
	results := make([]chan *value.Dict, len(entries))
	for i, e := range entries {
		results[i] = make(chan *value.Dict, 1)
		go func() { results[i] <- g.mountInfo(e, binds) }() // may hang on a dead network file system
	}
	deadline := time.After(g.limit())
	l := value.NewList()
	for i, e := range entries {
		select {
		case d := <-results[i]:
			l.V = append(l.V, d)
		case <-deadline:
			expired := make(chan time.Time)
			close(expired)
			deadline = expired
			d := g.mountBase(e, binds)
			d.SetString("note", "Could not get extra information due to timeout")
			l.V = append(l.V, d)
		}
	}
	return value.DictOf("mounts", l)
}

func (g *gatherer) mountBase(e mountEntry, binds map[string]bool) *value.Dict {
	if binds[e.mount] && !slices.Contains(strings.Split(e.options, ","), "bind") {
		e.options += ",bind"
	}
	dump, _ := strconv.ParseInt(e.dump, 10, 64)
	pass, _ := strconv.ParseInt(e.pass, 10, 64)
	return value.DictOf("mount", e.mount, "device", e.device, "fstype", e.fstype, "options", e.options, "dump", dump, "passno", pass)
}

func (g *gatherer) mountInfo(e mountEntry, binds map[string]bool) *value.Dict {
	d := g.mountBase(e, binds)
	fillSizes(d, g.root+e.mount)
	d.SetString("uuid", g.uuid(e.device))
	return d
}

// uuid is the UUID of the file system on a device, as udev knows it.
func (g *gatherer) uuid(device string) string {
	var st syscall.Stat_t
	if !strings.HasPrefix(device, "/") || syscall.Stat(g.root+device, &st) != nil || st.Mode&syscall.S_IFMT != syscall.S_IFBLK {
		return "N/A"
	}
	major, minor := (st.Rdev>>8)&0xfff|(st.Rdev>>32)&^0xfff, st.Rdev&0xff|(st.Rdev>>12)&^0xff
	key := "/run/udev/data/b" + strconv.FormatUint(uint64(major), 10) + ":" + strconv.FormatUint(uint64(minor), 10)
	for _, line := range g.lines(key) {
		if id, ok := strings.CutPrefix(line, "E:ID_FS_UUID="); ok {
			return id
		}
	}
	real, err := filepath.EvalSymlinks(g.root + device)
	if err != nil {
		return "N/A"
	}
	for _, id := range g.entries("/dev/disk/by-uuid") {
		if to, err := filepath.EvalSymlinks(g.root + "/dev/disk/by-uuid/" + id); err == nil && to == real {
			return id
		}
	}
	return "N/A"
}
