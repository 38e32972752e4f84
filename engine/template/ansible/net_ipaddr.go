package ansible

import (
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"strconv"
	"strings"

	"fettle/engine/template"
	"fettle/engine/value"
)

// utils registers a filter of ansible.utils, also under its older names.
func utils(name, params string, f body) {
	filterAs([]string{"ansible.utils." + name, "ansible.netcommon." + name, name}, name+params, f)
}

func init() {
	utils("ipaddr", "(value, query='', version=False, alias='ipaddr')", ipaddrFilter("ipaddr", 0))
	utils("ipv4", "(value, query='', version=False, alias='ipv4')", ipaddrFilter("ipv4", 4))
	utils("ipv6", "(value, query='', version=False, alias='ipv6')", ipaddrFilter("ipv6", 6))
	utils("ipwrap", "(value, query='')", ipwrap)
}

// ipaddrFilter makes ipaddr, or ipv4 and ipv6, which take one family only.
func ipaddrFilter(name string, family int64) body {
	return func(c *template.Call, a []value.Value) (value.Value, error) {
		version := family
		if version == 0 && isTrue(a[2]) {
			n, err := integer(a[2])
			if err != nil {
				return nil, err
			}
			version = n
		}
		if a[1] == nil {
			a[1] = ""
		}
		if q := text(a[1]); c.Compat().Old() && (q == "private" || q == "public") {
			a[1] = q + " before netaddr 1"
		}
		return ipValue(name, a[0], a[1], version)
	}
}

// ipValue answers for a value, or for those elements of a list that are addresses.
func ipValue(name string, v, query value.Value, version int64) (value.Value, error) {
	switch x := v.(type) {
	case *value.List:
		out := []value.Value{}
		for _, e := range x.V {
			r, err := ipElement(name, e, query, version)
			if err != nil {
				return nil, err
			}
			if isTrue(r) {
				out = append(out, r)
			}
		}
		return list(out), nil
	case string, value.Text, value.Markup, bool, int64, *big.Int:
		return ipQuery(v, query, version)
	}
	return nil, unrecognized(name, v)
}

func ipElement(name string, v, query value.Value, version int64) (value.Value, error) {
	if _, nested := v.(*value.List); nested {
		return ipValue(name, v, query, version)
	}
	return ipQuery(v, query, version)
}

// unrecognized refuses a value that cannot be an address.
func unrecognized(name string, v value.Value) error {
	return fmt.Errorf("Unrecognized type <<class '%s'>> for %s filter <value>", value.TypeName(v), name)
}

// ipQuery answers one question about one value; False means that it is no address.
func ipQuery(v, query value.Value, version int64) (value.Value, error) {
	if _, isBool := v.(bool); isBool || !isTrue(v) {
		return false, nil
	}
	n, err := parseFamily(v, version)
	if err != nil || version != 0 && version != ipVersion(n) {
		return false, nil
	}
	q := text(query)
	if f, ok := ipQueries[q]; ok {
		return f(n)
	}
	if _, isBool := query.(bool); !isBool && (value.IsNumber(query) || strings.Trim(strings.TrimPrefix(q, "-"), "0123456789") == "") {
		i, err := strconv.ParseInt(q, 10, 64)
		return nthQuery(n, i, err == nil)
	}
	other, err := parseIPText(q)
	if err != nil {
		return nil, fmt.Errorf("ipaddr: unknown filter type: %s", q)
	}
	if other.contains(n) {
		return n.given(), nil
	}
	return nil, nil
}

func nthQuery(n ipnet, i int64, fits bool) (value.Value, error) {
	if n.plain {
		return ipText(n.addr), nil
	}
	if n.isSize(1) {
		return n.String(), nil
	}
	a, ok := n.nth(i)
	if !ok || !fits {
		return false, nil
	}
	return fmt.Sprintf("%s/%d", ipText(a), n.bits), nil
}

// answer is what a query gives: nil where Ansible says None.
type answer func(n ipnet) (value.Value, error)

// ipQueries is filled by init, for its functions refer to one another.
var ipQueries map[string]answer

func init() {
	ipQueries = map[string]answer{
		"":                 give(func(n ipnet) value.Value { return n.text() }),
		"bool":             give(func(ipnet) value.Value { return true }),
		"cidr":             give(func(n ipnet) value.Value { return n.String() }),
		"prefix":           give(func(n ipnet) value.Value { return int64(n.bits) }),
		"size":             give(func(n ipnet) value.Value { return value.FromBig(n.size()) }),
		"revdns":           give(func(n ipnet) value.Value { return reverseName(n.addr) }),
		"netmask":          give(func(n ipnet) value.Value { return n.mask().String() }),
		"network":          give(func(n ipnet) value.Value { return ipText(n.first()) }),
		"subnet":           give(func(n ipnet) value.Value { return fmt.Sprintf("%s/%d", ipText(n.first()), n.bits) }),
		"hostmask":         give(func(n ipnet) value.Value { return n.hostmask().String() }),
		"network_netmask":  give(func(n ipnet) value.Value { return ipText(n.first()) + " " + n.mask().String() }),
		"network_wildcard": give(func(n ipnet) value.Value { return ipText(n.first()) + " " + n.hostmask().String() }),
		"version":          give(func(n ipnet) value.Value { return ipVersion(n) }),
		"type":             give(ipType),
		"int":              give(ipInt),
		"address":          give(ipAddress),
		"host":             give(ipHost),
		"gateway":          give(ipGateway),
		"ip/prefix":        give(func(n ipnet) value.Value { return ifHost(n, n.String()) }),
		"ip_netmask":       give(func(n ipnet) value.Value { return ifHost(n, ipText(n.addr)+" "+n.mask().String()) }),
		"net":              give(func(n ipnet) value.Value { return only(n.isNetwork(), n.String()) }),
		"broadcast":        give(func(n ipnet) value.Value { return only(!n.isSize(1) && !n.isSize(2), ipText(n.last())) }),
		"size_usable":      give(ipSizeUsable),
		"wrap":             give(ipWrap),
		"ipv4":             give(ipAsV4),
		"ipv6":             give(ipAsV6),
		"6to4":             give(ip6to4),
		"private":          class(isPrivate),
		"public":           class(isPublic),

		"private before netaddr 1": class(wasPrivate),
		"public before netaddr 1":  class(wasPublic),

		"link-local":      class(isLinkLocal),
		"loopback":        class(isLoopback),
		"multicast":       class(isMulticast),
		"unicast":         class(func(a netip.Addr) bool { return !isMulticast(a) }),
		"first_usable":    usable(func(_ ipnet, first, _ netip.Addr) value.Value { return numberText(first) }),
		"last_usable":     usable(func(_ ipnet, _, last netip.Addr) value.Value { return numberText(last) }),
		"range_usable":    usable(func(_ ipnet, first, last netip.Addr) value.Value { return numberText(first) + "-" + numberText(last) }),
		"next_usable":     nextUsable(1),
		"previous_usable": nextUsable(-1),
		"peer":            ipPeer,
	}
	for alias, name := range map[string]string{
		"ip": "address", "gw": "gateway", "host/prefix": "gateway", "hostnet": "gateway", "router": "gateway", "address/prefix": "gateway",
		"network_id": "network", "network/prefix": "subnet", "wildcard": "hostmask", "v4": "ipv4", "v6": "ipv6",
		"lo": "loopback",
	} {
		ipQueries[alias] = ipQueries[name]
	}
}

func give(f func(ipnet) value.Value) answer {
	return func(n ipnet) (value.Value, error) { return f(n), nil }
}

// only is v where ok, else None.
func only(ok bool, v value.Value) value.Value {
	if !ok {
		return nil
	}
	return v
}

// class keeps values whose address has a property.
func class(is func(netip.Addr) bool) answer {
	return give(func(n ipnet) value.Value { return only(is(n.addr), n.given()) })
}

func usable(f func(n ipnet, first, last netip.Addr) value.Value) answer {
	return func(n ipnet) (value.Value, error) {
		if n.plain {
			return nil, errors.New("Not a network address")
		}
		first, last, ok := n.usable()
		if !ok {
			return nil, nil
		}
		return f(n, first, last), nil
	}
}

func nextUsable(offset int64) answer {
	return func(n ipnet) (value.Value, error) {
		if n.plain {
			return nil, errors.New("Not a network address")
		}
		return usableAt(n, big.NewInt(offset))
	}
}

// usableAt is the usable address that many places from the value's own, or None.
func usableAt(n ipnet, offset *big.Int) (value.Value, error) {
	first, last, ok := n.usable()
	if !ok {
		return nil, nil
	}
	to := offset.Add(offset, toInt(n.addr))
	a, valid := fromInt(to, width(n.addr))
	if to.Sign() < 0 || to.BitLen() > 128 {
		return nil, fmt.Errorf("failed to detect a valid IP address from %s", to)
	}
	return only(valid && first.Compare(a) <= 0 && a.Compare(last) <= 0, numberText(a)), nil
}

func ipVersion(n ipnet) int64 {
	if n.addr.Is4() {
		return 4
	}
	return 6
}

func ipType(n ipnet) value.Value {
	if !n.plain && n.isNetwork() {
		return "network"
	}
	return "address"
}

func ipInt(n ipnet) value.Value {
	if n.plain {
		return value.FromBig(toInt(n.addr))
	}
	return fmt.Sprintf("%s/%d", toInt(n.addr), n.bits)
}

func ipAddress(n ipnet) value.Value {
	return only(!n.isNetwork() || n.isSize(2) || !n.addr.Is4(), ipText(n.addr))
}

func ipHost(n ipnet) value.Value { return only(!n.isNetwork() || n.isSize(2), n.String()) }

// ipGateway is the address with its prefix when a host can have it.
func ipGateway(n ipnet) value.Value {
	if !n.isSize(1) && !n.isSize(2) && (n.isNetwork() || n.addr == n.last()) {
		return false
	}
	return n.String()
}

func ifHost(n ipnet, v value.Value) value.Value {
	return only(!n.isSize(1) && (!n.isNetwork() || n.isSize(2)), v)
}

func ipSizeUsable(n ipnet) value.Value {
	switch {
	case n.isSize(1):
		return int64(0)
	case n.isSize(2):
		return int64(2)
	}
	return value.FromBig(new(big.Int).Sub(n.size(), big.NewInt(2)))
}

func ipWrap(n ipnet) value.Value {
	switch {
	case n.addr.Is4():
		return n.given()
	case n.plain:
		return "[" + ipText(n.addr) + "]"
	}
	return fmt.Sprintf("[%s]/%d", n.addr, n.bits)
}

func ipAsV4(n ipnet) value.Value {
	if n.addr.Is4() {
		return n.given()
	}
	if !within(n.addr.Unmap(), "0.0.0.0/0") && !within(n.addr, "::/96") {
		return false
	}
	if n.bits < 96 {
		return false
	}
	raw := n.addr.As16()
	return fmt.Sprintf("%s/%d", netip.AddrFrom4([4]byte(raw[12:])), n.bits-96)
}

func ipAsV6(n ipnet) value.Value {
	if !n.addr.Is4() {
		return n.given()
	}
	return fmt.Sprintf("%s/%d", netip.AddrFrom16(n.addr.As16()), n.bits+96)
}

func ip6to4(n ipnet) value.Value {
	if !n.addr.Is4() {
		if within(n.addr, "2002::/16") {
			return n.raw
		}
		return false
	}
	if n.isNetwork() || !isPublic(n.addr) && !isPrivate(n.addr) {
		return false
	}
	b := n.addr.As4()
	return fmt.Sprintf("2002:%02x%02x:%02x%02x::1/48", b[0], b[1], b[2], b[3])
}

func ipPeer(n ipnet) (value.Value, error) {
	switch {
	case n.plain:
		return nil, errors.New("Not a network address")
	case n.isSize(2):
		if n.addr == n.first() {
			return ipText(n.last()), nil
		}
		return ipText(n.first()), nil
	case n.bits != width(n.addr)-2:
		return nil, errors.New("Not a point-to-point network")
	}
	switch n.addr {
	case n.first():
		return nil, errors.New("Network address of /30 has no peer")
	case n.last():
		return nil, errors.New("Broadcast address of /30 has no peer")
	case n.first().Next():
		return n.last().Prev().String(), nil
	}
	return n.first().Next().String(), nil
}

// ipwrap puts IPv6 addresses in brackets and leaves everything else alone.
func ipwrap(_ *template.Call, a []value.Value) (value.Value, error) {
	one := func(v value.Value) value.Value {
		n, err := parseIP(v)
		if err != nil {
			return v
		}
		if n.addr.Is4() && !n.plain {
			return n.String()
		}
		return ipWrap(n)
	}
	switch x := a[0].(type) {
	case *value.List:
		out := []value.Value{}
		for _, v := range x.V {
			out = append(out, one(v))
		}
		return list(out), nil
	case string, value.Text, value.Markup, bool:
		if n, err := parseIP(x); err == nil && n.number && n.plain {
			return numberText(n.addr), nil
		}
		return one(x), nil
	}
	return nil, unrecognized("ipwrap", a[0])
}
