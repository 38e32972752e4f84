package ansible

import (
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"fettle/engine/template"
	"fettle/engine/value"
)

func init() {
	utils("ipsubnet", "(value, query='', index='x')", ipsubnet)
	utils("ipmath", "(value, amount)", ipmath)
	utils("nthhost", "(value, query=0)", nthhost)
	utils("next_nth_usable", "(value, offset)", nthUsable(1))
	utils("previous_nth_usable", "(value, offset)", nthUsable(-1))
	utils("network_in_usable", "(value, test)", networkIn(true))
	utils("network_in_network", "(value, test)", networkIn(false))
	utils("reduce_on_network", "(value, network)", reduceOnNetwork)
	utils("cidr_merge", "(value, action='merge')", cidrMerge)
	utils("ip4_hex", "(arg, delimiter='')", ip4Hex)
	utils("slaac", "(value, query='')", slaac)
	utils("ipv6form", "(value, format)", ipv6form)
	filterAs([]string{"ansible.utils.usable_range"}, "usable_range(ip)", usableRange)
}

func ipsubnet(_ *template.Call, a []value.Value) (value.Value, error) {
	n, err := parseIP(a[0])
	if err != nil {
		return false, nil
	}
	isNet := n.bits < width(n.addr)
	if isNet {
		n.addr = n.first()
	}
	q := text(a[1])
	if q == "" {
		return n.String(), nil
	}
	bits, err := strconv.Atoi(q)
	if err != nil {
		return subnetIndex(n, q)
	}
	index, err := strconv.ParseInt(text(a[2]), 10, 64)
	hasIndex := err == nil
	switch {
	case bits > width(n.addr) || bits < 0:
		return false, nil
	case bits < n.bits && isNet && !hasIndex:
		return nil, fmt.Errorf("Requested subnet size of %d is invalid", bits)
	case bits < n.bits && isNet && index != 0:
		return false, nil
	case bits < n.bits && isNet:
		return fmt.Sprintf("%s/%d", n.addr, bits), nil
	case bits < n.bits:
		return supernet(n, bits, index)
	case !isNet:
		return nil, fmt.Errorf("there is no network of size %d around %s", bits, n)
	}
	return subnetAt(n, bits, index, hasIndex)
}

// supernet is the network of that size round an address; index counts through the sizes.
func supernet(n ipnet, bits int, index int64) (value.Value, error) {
	sizes := int64(n.bits - bits)
	if index < 0 {
		index += sizes
	}
	if index < 0 || index >= sizes {
		return false, nil
	}
	up := ipnet{addr: n.addr, bits: bits + int(index)}
	return fmt.Sprintf("%s/%d", up.first(), up.bits), nil
}

// subnetAt is the subnet of that size at a place, or how many there are.
func subnetAt(n ipnet, bits int, index int64, hasIndex bool) (value.Value, error) {
	total := new(big.Int).Lsh(big.NewInt(1), uint(bits-n.bits))
	if !hasIndex {
		return value.FromBig(total), nil
	}
	at := big.NewInt(index)
	if index < 0 {
		at.Add(at, total)
	}
	if at.Sign() < 0 || at.Cmp(total) >= 0 {
		return false, nil
	}
	a, _ := shift(n.first(), at.Lsh(at, uint(width(n.addr)-bits)))
	return fmt.Sprintf("%s/%d", a, bits), nil
}

// subnetIndex is the place of n, counted from 1, among the subnets of its size in a network.
func subnetIndex(n ipnet, network string) (value.Value, error) {
	outer, err := parseIPText(network)
	if err != nil {
		return nil, fmt.Errorf("You must pass a valid subnet or IP address; %s is invalid", network)
	}
	if !outer.contains(n) {
		return nil, fmt.Errorf("%s is not in the subnet %s", n, outer)
	}
	off := new(big.Int).Sub(toInt(n.first()), toInt(outer.first()))
	off.Rsh(off, uint(width(n.addr)-n.bits))
	return value.FromBig(off.Add(off, big.NewInt(1))), nil
}

func ipmath(_ *template.Call, a []value.Value) (value.Value, error) {
	n, err := parseIP(a[0])
	if err != nil {
		return nil, fmt.Errorf("You must pass a valid IP address; %s is invalid", text(a[0]))
	}
	amount, err := integer(a[1])
	if err != nil {
		return nil, fmt.Errorf("You must pass an integer for arithmetic; %s is not a valid integer", text(a[1]))
	}
	r, ok := shift(n.addr, big.NewInt(amount))
	if !ok {
		return nil, errors.New("result outside valid IP address boundary!")
	}
	return r.String(), nil
}

func nthhost(_ *template.Call, a []value.Value) (value.Value, error) {
	n, err := parseIP(a[0])
	if err != nil {
		return false, nil
	}
	i, err := integer(a[1])
	if err != nil {
		return false, nil
	}
	r, ok := n.nth(i)
	if !ok {
		return false, nil
	}
	return r.String(), nil
}

func nthUsable(direction int64) body {
	return func(_ *template.Call, a []value.Value) (value.Value, error) {
		n, err := parseIP(a[0])
		if err != nil {
			return false, nil
		}
		offset, err := integer(a[1])
		if err != nil {
			return nil, fmt.Errorf("must pass in an integer: %w", err)
		}
		return usableAt(n, direction*offset), nil
	}
}

func networkIn(usableOnly bool) body {
	return func(_ *template.Call, a []value.Value) (value.Value, error) {
		n, err := parseIP(a[0])
		if err != nil {
			return false, nil
		}
		inner, err := parseIP(a[1])
		if err != nil {
			return false, nil
		}
		if !usableOnly || !n.contains(inner) {
			return n.contains(inner), nil
		}
		first, last, ok := n.usable()
		return ok && first.Compare(inner.first()) <= 0 && inner.last().Compare(last) <= 0, nil
	}
}

func reduceOnNetwork(_ *template.Call, a []value.Value) (value.Value, error) {
	n, err := parseIP(a[1])
	if err != nil {
		return nil, fmt.Errorf("%s is no network", describe(a[1]))
	}
	vs, err := items(a[0])
	out := []value.Value{}
	for _, v := range vs {
		if x, err := parseIP(v); err == nil && n.contains(x) {
			out = append(out, v)
		}
	}
	return list(out), err
}

func cidrMerge(_ *template.Call, a []value.Value) (value.Value, error) {
	if isText(a[0]) {
		a[0] = list([]value.Value{a[0]})
	}
	vs, err := value.Iterate(a[0])
	if err != nil {
		return nil, fmt.Errorf("cidr_merge: expected iterable, got %s", value.Repr(a[0]))
	}
	var nets []ipnet
	for _, v := range vs {
		n, err := parseIP(v)
		if err != nil {
			return nil, fmt.Errorf("cidr_merge: invalid IPNetwork %s", text(v))
		}
		nets = append(nets, ipnet{addr: n.first(), bits: n.bits})
	}
	switch action := text(a[1]); action {
	case "merge":
		return list(merged(nets)), nil
	case "span":
		return spanning(nets)
	default:
		return nil, fmt.Errorf("cidr_merge: invalid action '%s'", action)
	}
}

// merged joins networks into the fewest that cover the same addresses.
func merged(nets []ipnet) []value.Value {
	for {
		slices.SortFunc(nets, func(a, b ipnet) int {
			if c := a.addr.Compare(b.addr); c != 0 {
				return c
			}
			return a.bits - b.bits
		})
		var out []ipnet
		joined := false
		for _, n := range nets {
			last := len(out) - 1
			if last >= 0 && out[last].contains(n) {
				continue
			}
			if last >= 0 && out[last].bits == n.bits && n.bits > 0 {
				up := ipnet{addr: out[last].addr, bits: n.bits - 1}
				if up.isNetwork() && up.contains(n) {
					out[last] = up
					joined = true
					continue
				}
			}
			out = append(out, n)
		}
		nets = out
		if !joined {
			break
		}
	}
	var res []value.Value
	for _, n := range nets {
		res = append(res, n.String())
	}
	return res
}

// spanning is the smallest network that holds all.
func spanning(nets []ipnet) (value.Value, error) {
	if len(nets) < 2 {
		return nil, errors.New("cidr_merge: a span needs at least two networks")
	}
	span := nets[0]
	for _, n := range nets[1:] {
		for span.bits > 0 && !span.contains(n) {
			span = ipnet{addr: ipnet{addr: span.addr, bits: span.bits - 1}.first(), bits: span.bits - 1}
		}
	}
	return span.String(), nil
}

func ip4Hex(_ *template.Call, a []value.Value) (value.Value, error) {
	addr, err := netip.ParseAddr(text(a[0]))
	if err != nil || !addr.Is4() {
		return nil, fmt.Errorf("%s is no IPv4 address", describe(a[0]))
	}
	var parts []string
	for _, b := range addr.AsSlice() {
		parts = append(parts, fmt.Sprintf("%02x", b))
	}
	return strings.Join(parts, text(a[1])), nil
}

// slaac is the address that stateless autoconfiguration gives a hardware address.
func slaac(_ *template.Call, a []value.Value) (value.Value, error) {
	n, err := parseIP(a[0])
	if err != nil || n.addr.Is4() {
		return false, nil
	}
	mac, _, ok := parseMAC(text(a[1]))
	if !ok {
		return false, nil
	}
	raw := n.first().As16()
	copy(raw[8:], []byte{mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]})
	return netip.AddrFrom16(raw).String(), nil
}

func ipv6form(_ *template.Call, a []value.Value) (value.Value, error) {
	n, err := parseIP(a[0])
	if err != nil || n.addr.Is4() {
		return nil, fmt.Errorf("%s is no IPv6 address", describe(a[0]))
	}
	switch form := text(a[1]); form {
	case "expand":
		return n.addr.StringExpanded(), nil
	case "compress":
		return n.addr.String(), nil
	case "x509":
		var parts []string
		for p := range strings.SplitSeq(n.addr.StringExpanded(), ":") {
			p = strings.TrimLeft(p, "0")
			if p == "" {
				p = "0"
			}
			parts = append(parts, p)
		}
		return strings.Join(parts, ":"), nil
	default:
		return nil, fmt.Errorf("ipv6form: unknown format %q", form)
	}
}

func usableRange(_ *template.Call, a []value.Value) (value.Value, error) {
	n, err := parseIP(a[0])
	if err != nil {
		return nil, fmt.Errorf("%s is no network", describe(a[0]))
	}
	if n.addr != n.first() {
		return nil, fmt.Errorf("%s has host bits set", n)
	}
	if n.size().Cmp(big.NewInt(maxElements)) > 0 {
		return nil, errTooMany
	}
	ips := []value.Value{}
	for x := n.first(); ; x = x.Next() {
		ips = append(ips, x.String())
		if x == n.last() {
			break
		}
	}
	return value.DictOf("usable_ips", list(ips), "number_of_ips", int64(len(ips))), nil
}
