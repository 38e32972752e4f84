package ansible

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"fettle/engine/pyre"
	"fettle/engine/template"
	"fettle/engine/value"
)

func init() {
	address := func(name string, is func(netip.Addr) bool) {
		test("ansible.utils."+name, name+"(ip)", func(_ *template.Call, a []value.Value) (bool, error) {
			n, ok := strictIP(a[0])
			return ok && n.plain && is(n.addr), nil
		})
	}
	either := func(name string, is func(netip.Addr) bool) {
		test("ansible.utils."+name, name+"(ip)", func(_ *template.Call, a []value.Value) (bool, error) {
			n, ok := strictIP(a[0])
			return ok && is(n.addr), nil
		})
	}
	either("ip", func(netip.Addr) bool { return true })
	either("ipv4", netip.Addr.Is4)
	either("ipv6", isV6)
	address("ip_address", func(netip.Addr) bool { return true })
	address("ipv4_address", netip.Addr.Is4)
	address("ipv6_address", isV6)
	address("ipv4_netmask", func(a netip.Addr) bool { return a.Is4() && isMask(a, ipnet.mask) })
	address("ipv4_hostmask", func(a netip.Addr) bool { return a.Is4() && !a.IsUnspecified() && isMask(a, ipnet.hostmask) })
	address("ipv6_ipv4_mapped", func(a netip.Addr) bool { return a.Is4In6() })
	address("ipv6_sixtofour", func(a netip.Addr) bool { return within(a, "2002::/16") })
	address("ipv6_teredo", func(a netip.Addr) bool { return within(a, "2001::/32") })
	address("loopback", isLoopback)
	address("multicast", isMulticast)
	address("private", func(a netip.Addr) bool { return specialPurpose(a) })
	address("public", func(a netip.Addr) bool { return !specialPurpose(a) && !within(a, "100.64.0.0/10") })
	address("reserved", func(a netip.Addr) bool {
		return within(a, "240.0.0.0/4", "::/8", "100::/8", "200::/7", "400::/6", "800::/5", "1000::/4", "4000::/3", "6000::/3", "8000::/3", "a000::/3", "c000::/3", "e000::/4", "f000::/5", "f800::/6", "fe00::/9")
	})
	address("unspecified", netip.Addr.IsUnspecified)
	test("ansible.utils.mac", "mac(mac)", func(_ *template.Call, a []value.Value) (bool, error) {
		if !isText(a[0]) {
			return false, fmt.Errorf("expected string or bytes-like object, got '%s'", value.TypeName(a[0]))
		}
		m, err := macWritten.FullMatch(text(a[0]))
		return m != nil, err
	})
	test("ansible.utils.in_network", "in_network(ip, network)", pair(func(a, b ipnet) bool { return b.contains(a) }))
	test("ansible.utils.subnet_of", "subnet_of(a, b)", pair(func(a, b ipnet) bool { return b.contains(a) }))
	test("ansible.utils.supernet_of", "supernet_of(a, b)", pair(func(a, b ipnet) bool { return a.contains(b) }))
	test("ansible.utils.in_any_network", "in_any_network(ip, networks)", inNetworks(func(n int) bool { return n > 0 }))
	test("ansible.utils.in_one_network", "in_one_network(ip, networks)", inNetworks(func(n int) bool { return n == 1 }))
	test("ansible.utils.resolvable", "resolvable(host)", func(c *template.Call, a []value.Value) (bool, error) {
		_, err := net.DefaultResolver.LookupHost(c.C.Ctx(), text(a[0]))
		return err == nil, nil
	})
}

func isV6(a netip.Addr) bool { return !a.Is4() }

func isMask(a netip.Addr, make func(ipnet) netip.Addr) bool {
	for bits := range width(a) + 1 {
		if make(ipnet{addr: a, bits: bits}) == a {
			return true
		}
	}
	return false
}

// macWritten is how hardware addresses are usually written.
var macWritten = pyre.MustCompile(`[0-9a-f]{2}(:[0-9a-f]{2}){5}|[0-9a-f]{2}(-[0-9a-f]{2}){5}|[0-9a-f]{4}([.][0-9a-f]{4}){2}|[0-9a-f]{12}`, pyre.IgnoreCase|pyre.ASCII)

// strictIP reads an address or a network without host bits, as Python's ipaddress does.
func strictIP(v value.Value) (ipnet, bool) {
	if !isText(v) {
		return ipnet{}, false
	}
	s, zone, hasZone := strings.Cut(text(v), "%")
	if hasZone && (zone == "" || !strings.Contains(s, ":") || strings.ContainsAny(zone, "%/")) {
		return ipnet{}, false
	}
	n, err := parseIPText(s)
	if err != nil || n.number {
		return n, false
	}
	return n, n.plain || n.addr == n.first()
}

// specialPurpose is what Python calls private.
func specialPurpose(a netip.Addr) bool {
	a = a.Unmap()
	return isPrivate(a) && !within(a, "100.64.0.0/10") || within(a, "3fff::/20")
}

func pair(ok func(a, b ipnet) bool) check {
	return func(_ *template.Call, a []value.Value) (bool, error) {
		x, ok1 := strictIP(a[0])
		y, ok2 := strictIP(a[1])
		return ok1 && ok2 && ok(x, y), nil
	}
}

func inNetworks(enough func(n int) bool) check {
	return func(_ *template.Call, a []value.Value) (bool, error) {
		ip, ok := strictIP(a[0])
		if !ok {
			return false, nil
		}
		nets, err := value.Iterate(a[1])
		if err != nil {
			return false, err
		}
		count := 0
		for _, v := range nets {
			if n, ok := strictIP(v); ok && n.contains(ip) {
				count++
			}
		}
		return enough(count), nil
	}
}
