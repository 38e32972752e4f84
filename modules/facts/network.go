package facts

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"fettle/engine/value"
)

// netFacts is the network as it is being put together.
type netFacts struct {
	g          *gatherer
	names      []string // of interfaces and of labels such as eth0:1
	interfaces map[string]*value.Dict
	default4   *value.Dict
	default6   *value.Dict
	all4, all6 *value.List
}

func (g *gatherer) network(ctx context.Context) *value.Dict {
	n := &netFacts{g: g, interfaces: map[string]*value.Dict{}, default4: value.NewDict(8), default6: value.NewDict(8),
		all4: value.NewList(), all6: value.NewList()}
	system := readNetwork()
	system.fillDefault(n.default4, netip.MustParseAddr("8.8.8.8"))
	system.fillDefault(n.default6, netip.MustParseAddr("2404:6800:400a:800::1012"))
	devices := g.interfaceNames()
	for _, name := range devices {
		n.add(name, g.netDevice(name))
	}
	for _, secondary := range []bool{false, true} {
		for _, name := range devices {
			for _, a := range system.addrs[name] {
				if a.secondary == secondary {
					n.address(name, a)
				}
			}
		}
	}
	g.ethtool(ctx, devices, n.interfaces)
	out := value.NewDict(16)
	list := value.NewList()
	for _, name := range n.names {
		d := n.interfaces[name]
		name = strings.ReplaceAll(name, ":", "_")
		list.V = append(list.V, name)
		out.SetString(name, d)
	}
	out.SetString("interfaces", list)
	out.SetString("default_ipv4", n.default4)
	out.SetString("default_ipv6", n.default6)
	out.SetString("all_ipv4_addresses", n.all4)
	out.SetString("all_ipv6_addresses", n.all6)
	out.SetString("locally_reachable_ips", value.DictOf("ipv4", stringList(system.local4), "ipv6", stringList(system.local6)))
	return out
}

func (n *netFacts) add(name string, d *value.Dict) {
	n.names = append(n.names, name)
	n.interfaces[name] = d
}

// interfaceNames are the directories in /sys/class/net.
func (g *gatherer) interfaceNames() []string {
	var out []string
	for _, name := range g.entries("/sys/class/net") {
		if g.exists("/sys/class/net/" + name + "/mtu") {
			out = append(out, name)
		}
	}
	return out
}

var hardwareTypes = map[string]string{"1": "ether", "32": "infiniband", "512": "ppp", "772": "loopback", "65534": "tunnel"}

// netDevice is what /sys knows about an interface.
func (g *gatherer) netDevice(name string) *value.Dict {
	dir := "/sys/class/net/" + name
	d := value.DictOf("device", name)
	if mac := g.text(dir + "/address"); mac != "" && mac != "00:00:00:00:00:00" {
		d.SetString("macaddress", mac)
	}
	g.setNumber(d, "mtu", dir+"/mtu")
	if state, ok := g.content(dir + "/operstate"); ok {
		d.SetString("active", state != "down")
	}
	if module := g.linkBase(dir + "/device/driver/module"); module != "" {
		d.SetString("module", module)
	}
	if t, ok := g.content(dir + "/type"); ok {
		kind := hardwareTypes[t]
		if kind == "" {
			kind = "unknown"
		}
		d.SetString("type", kind)
	}
	g.bridge(d, dir)
	g.bond(d, dir)
	if g.exists(dir + "/device") {
		if id := g.linkBase(dir + "/device"); id != "" {
			d.SetString("pciid", id)
		}
	}
	g.setNumber(d, "speed", dir+"/speed")
	if flags, ok := g.content(dir + "/flags"); ok {
		bits, _ := strconv.ParseUint(strings.TrimPrefix(flags, "0x"), 16, 64)
		d.SetString("promisc", bits&0x100 != 0)
	}
	return d
}

func (g *gatherer) setNumber(d *value.Dict, key, file string) {
	if n, err := strconv.ParseInt(g.text(file), 10, 64); err == nil {
		d.SetString(key, n)
	}
}

func (g *gatherer) bridge(d *value.Dict, dir string) {
	if !g.exists(dir + "/bridge") {
		return
	}
	d.SetString("type", "bridge")
	d.SetString("interfaces", stringList(g.entries(dir+"/brif")))
	d.SetString("id", g.text(dir+"/bridge/bridge_id"))
	d.SetString("stp", g.text(dir+"/bridge/stp_state") == "1")
}

func (g *gatherer) bond(d *value.Dict, dir string) {
	if g.exists(dir + "/bonding") {
		d.SetString("type", "bonding")
		d.SetString("slaves", stringList(strings.Fields(g.text(dir+"/bonding/slaves"))))
		for _, k := range []string{"mode", "miimon", "lacp_rate"} {
			first := ""
			if f := strings.Fields(g.text(dir + "/bonding/" + k)); len(f) > 0 {
				first = f[0]
			}
			d.SetString(k, first)
		}
		if primary := g.text(dir + "/bonding/primary"); primary != "" {
			d.SetString("primary", primary)
		}
		if s, ok := g.content(dir + "/bonding/all_slaves_active"); ok {
			d.SetString("all_slaves_active", s == "1")
		}
	}
	if mac, ok := g.content(dir + "/bonding_slave/perm_hwaddr"); ok {
		d.SetString("perm_macaddress", mac)
	}
}

// address adds one address to an interface.
func (n *netFacts) address(device string, a ifAddr) {
	if a.addr.Is4() {
		n.address4(device, a)
		return
	}
	d := n.interfaces[device]
	old, _ := d.GetString("ipv6")
	l, ok := old.(*value.List)
	if !ok {
		l = value.NewList()
		d.SetString("ipv6", l)
	}
	text, prefix := a.addr.String(), strconv.Itoa(a.bits)
	l.V = append(l.V, value.DictOf("address", text, "prefix", prefix, "scope", a.scope))
	if is, _ := n.default6.GetString("address"); is == text {
		n.default6.SetString("prefix", prefix)
		n.default6.SetString("scope", a.scope)
		n.copyLink(n.default6, d)
	}
	if text != "::1" {
		n.all6.V = append(n.all6.V, text)
	}
}

func (n *netFacts) address4(device string, a ifAddr) {
	text, broadcast := a.addr.String(), ""
	if a.broadcast.IsValid() {
		broadcast = a.broadcast.String()
	}
	bits := a.bits
	if a.peer {
		bits = 32
	}
	prefix := netip.PrefixFrom(a.addr, bits)
	mask := ^uint32(0)
	if bits < 32 {
		mask <<= 32 - bits
	}
	netmask := fmt.Sprintf("%d.%d.%d.%d", mask>>24, mask>>16&255, mask>>8&255, mask&255)
	entry := func() *value.Dict {
		return value.DictOf("address", text, "broadcast", broadcast, "netmask", netmask, "network", prefix.Masked().Addr().String(), "prefix", strconv.Itoa(bits))
	}
	name := device
	if a.label != "" && a.label != device {
		if name = a.label; n.interfaces[name] == nil {
			n.add(name, value.NewDict(2))
		}
	}
	d := n.interfaces[name]
	if _, has := d.GetString("ipv4"); !has && !a.secondary {
		d.SetString("ipv4", entry())
	} else {
		n.secondary(name, entry())
	}
	if a.secondary && name != device {
		n.secondary(device, entry())
	}
	if is, _ := n.default4.GetString("address"); is == text {
		for _, e := range entry().Entries() {
			if e.Key != "address" {
				n.default4.SetString(e.Key.(string), e.Value)
			}
		}
		n.copyLink(n.default4, n.interfaces[device])
		n.default4.SetString("alias", name)
	}
	if !strings.HasPrefix(text, "127.") {
		n.all4.V = append(n.all4.V, text)
	}
}

func (n *netFacts) secondary(name string, entry *value.Dict) {
	d := n.interfaces[name]
	old, _ := d.GetString("ipv4_secondaries")
	l, ok := old.(*value.List)
	if !ok {
		l = value.NewList()
		d.SetString("ipv4_secondaries", l)
	}
	l.V = append(l.V, entry)
}

func (n *netFacts) copyLink(to, from *value.Dict) {
	for _, k := range []string{"macaddress", "mtu", "type"} {
		if v, ok := from.GetString(k); ok {
			to.SetString(k, v)
		}
	}
}

// ethtool adds features and timestamping, where the tool is there.
func (g *gatherer) ethtool(ctx context.Context, devices []string, interfaces map[string]*value.Dict) {
	if g.tool("ethtool") == "" {
		return
	}
	type answer struct{ features, stamps string }
	answers := make([]answer, len(devices))
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8)
	for i, name := range devices {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			answers[i].features, _ = g.run(ctx, "ethtool", "-k", name)
			answers[i].stamps, _ = g.run(ctx, "ethtool", "-T", name)
		})
	}
	wg.Wait()
	for i, name := range devices {
		if answers[i].features != "" {
			interfaces[name].SetString("features", ethtoolFeatures(answers[i].features))
		}
		if answers[i].stamps != "" {
			ethtoolStamps(interfaces[name], answers[i].stamps)
		}
	}
}

func ethtoolFeatures(text string) *value.Dict {
	d := value.NewDict(64)
	for line := range strings.Lines(strings.TrimSpace(text)) {
		line = strings.TrimSpace(line)
		k, v, ok := strings.Cut(line, ":")
		if !ok || line == "" || strings.HasSuffix(line, ":") {
			continue
		}
		d.SetString(strings.ReplaceAll(strings.TrimSpace(k), "-", "_"), strings.TrimSpace(v))
	}
	return d
}

func ethtoolStamps(d *value.Dict, text string) {
	words := func(prefix string) *value.List {
		var out []string
		for line := range strings.Lines(text) {
			for _, w := range strings.Fields(line) {
				w = strings.Trim(w, "()")
				if rest, ok := strings.CutPrefix(w, prefix); ok && !slices.Contains(out, strings.ToLower(rest)) {
					out = append(out, strings.ToLower(rest))
				}
			}
		}
		return stringList(out)
	}
	d.SetString("timestamping", words("SOF_TIMESTAMPING_"))
	d.SetString("hw_timestamp_filters", words("HWTSTAMP_FILTER_"))
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "PTP Hardware Clock" {
			if n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil {
				d.SetString("phc_index", n)
			}
		}
	}
}
