package ansible

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"slices"
	"sort"
	"strconv"
	"strings"

	"fettle/engine/template"
	"fettle/engine/value"
)

func init() {
	utils("ipsubnet", "(value, query='', index=none)", ipsubnet)
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
	utils("ipcut", "(value, amount)", ipcut)
	filterAs([]string{"ansible.utils.usable_range"}, "usable_range(ip)", usableRange)
}

// exactInt reads the int argument of a name: no fraction is cut off.
func exactInt(name string, v value.Value) (int64, error) {
	n, err := integer(v)
	if f, ok := v.(float64); err != nil || ok && f != math.Trunc(f) {
		return 0, fmt.Errorf("argument %q is of type %s and cannot be converted to an int: %s", name, value.TypeName(v), value.Repr(v))
	}
	return n, nil
}

// notAddress refuses what is no address.
func notAddress(v value.Value) error {
	return fmt.Errorf("You must pass a valid IP address; %s is invalid", text(v))
}

func ipsubnet(_ *template.Call, a []value.Value) (value.Value, error) {
	hasIndex := a[2] != nil
	var index int64
	if hasIndex {
		var err error
		if index, err = exactInt("index", a[2]); err != nil {
			return nil, err
		}
	}
	n, err := parseFamily(text(a[0]), 0)
	if err != nil {
		return false, nil
	}
	isNet := n.bits < width(n.addr)
	n.addr = n.first()
	q := text(a[1])
	if a[1] == nil || q == "" {
		return n.String(), nil
	}
	bits, err := strconv.Atoi(q)
	switch {
	case err != nil || strings.HasPrefix(q, "-"):
		return subnetIndex(n, q)
	case bits > width(n.addr):
		return false, nil
	case bits < n.bits && isNet && !hasIndex:
		return nil, fmt.Errorf("Requested subnet size of %d is invalid", bits)
	case bits < n.bits && isNet && index != 0:
		return false, nil
	case bits < n.bits && isNet:
		return fmt.Sprintf("%s/%d", ipText(n.addr), bits), nil
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
	up := ipnet{bits: bits + int(index)}
	up.addr = ipnet{addr: n.addr, bits: up.bits}.first()
	return up.String(), nil
}

// subnetAt is the subnet of that size at a place, or how many there are.
func subnetAt(n ipnet, bits int, index int64, hasIndex bool) (value.Value, error) {
	total := new(big.Int).Lsh(big.NewInt(1), uint(bits-n.bits))
	if !hasIndex {
		return total.String(), nil
	}
	at := big.NewInt(index)
	if index < 0 {
		at.Add(at, total)
	}
	if at.Sign() < 0 || at.Cmp(total) >= 0 {
		return false, nil
	}
	a, _ := shift(n.first(), at.Lsh(at, uint(width(n.addr)-bits)))
	return fmt.Sprintf("%s/%d", numberText(a), bits), nil
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
	return off.Add(off, big.NewInt(1)).String(), nil
}

func ipmath(_ *template.Call, a []value.Value) (value.Value, error) {
	amount, err := exactInt("amount", a[1])
	if err != nil {
		return nil, err
	}
	n, err := parseIP(a[0])
	if err != nil || n.number {
		return nil, notAddress(a[0])
	}
	r, ok := shift(n.addr, big.NewInt(amount))
	if !ok {
		return nil, errors.New("result outside valid IP address boundary!")
	}
	return ipText(r), nil
}

// ipcut is the first bits of an address, or the last where amount is negative.
func ipcut(_ *template.Call, a []value.Value) (value.Value, error) {
	amount, err := exactInt("amount", a[1])
	if err != nil {
		return nil, err
	}
	n, err := parseIP(a[0])
	if err != nil || !n.plain || n.number {
		return nil, notAddress(a[0])
	}
	var bits strings.Builder
	for _, b := range n.addr.AsSlice() {
		fmt.Fprintf(&bits, "%08b", b)
	}
	size, sep, base := 16, ":", 16
	if n.addr.Is4() {
		size, sep, base = 8, ".", 10
	}
	cut := bits.String()
	if amount < 0 {
		cut = cut[max(0, int64(len(cut))+amount):]
	} else {
		cut = cut[:min(int64(len(cut)), amount)]
	}
	var parts []string
	for group := range slices.Chunk([]byte(cut), size) {
		v, _ := strconv.ParseUint(string(group), 2, 16)
		parts = append(parts, strconv.FormatUint(v, base))
	}
	return strings.Join(parts, sep), nil
}

func nthhost(_ *template.Call, a []value.Value) (value.Value, error) {
	n, err := parseIP(a[0])
	if err != nil {
		return false, nil
	}
	i, err := integer(text(a[1]))
	if err != nil {
		return false, nil
	}
	r, ok := n.nth(i)
	switch {
	case !ok && i < 0:
		return nil, errors.New("index out range for address range size!")
	case !ok:
		return false, nil
	}
	return ipText(r), nil
}

func nthUsable(direction int64) body {
	return func(_ *template.Call, a []value.Value) (value.Value, error) {
		offset, err := exactInt("offset", a[1])
		if err != nil {
			return nil, err
		}
		n, err := parseIP(a[0])
		if err != nil {
			return false, nil
		}
		return usableAt(n, big.NewInt(direction*offset))
	}
}

// span is the numbers of the first and last address of a value. What is no address spans
// nothing and counts as inside of everything that is none either.
func span(v value.Value, usableOnly bool) (first, last *big.Int) {
	n, err := parseFamily(text(v), 0)
	if err != nil {
		return new(big.Int), new(big.Int)
	}
	if usableOnly && !n.plain {
		if f, l, ok := n.usable(); ok {
			return toInt(f), toInt(l)
		}
	}
	return toInt(n.first()), toInt(n.last())
}

func inSpan(v value.Value, first, last *big.Int) bool {
	f, l := span(v, false)
	return first.Cmp(f) <= 0 && l.Cmp(last) <= 0
}

// untupled is the elements of an argument that has to be a list.
func untupled(v value.Value) ([]value.Value, error) {
	if _, ok := v.(value.Tuple); ok {
		return nil, errors.New("argument 'value' is of type tuple and we were unable to convert to list")
	}
	return items(v)
}

func networkIn(usableOnly bool) body {
	return func(_ *template.Call, a []value.Value) (value.Value, error) {
		first, last := span(a[0], usableOnly)
		return inSpan(a[1], first, last), nil
	}
}

func reduceOnNetwork(_ *template.Call, a []value.Value) (value.Value, error) {
	first, last := span(a[1], false)
	vs, err := untupled(a[0])
	out := []value.Value{}
	for _, v := range vs {
		s := ""
		if v != nil {
			s = text(v)
		}
		if inSpan(s, first, last) {
			out = append(out, s)
		}
	}
	return list(out), err
}

func cidrMerge(_ *template.Call, a []value.Value) (value.Value, error) {
	vs, err := untupled(a[0])
	if err != nil {
		return nil, err
	}
	var nets []ipnet
	for _, v := range vs {
		n, err := parseIP(v)
		if err != nil || n.number {
			return nil, fmt.Errorf("cidr_merge: error in netaddr:\ninvalid IPNetwork %s", text(v))
		}
		nets = append(nets, n)
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
		sort.Slice(nets, func(i, j int) bool {
			if c := nets[i].first().Compare(nets[j].first()); c != 0 {
				return c < 0
			}
			return nets[i].bits < nets[j].bits
		})
		var out []ipnet
		joined := false
		for _, n := range nets {
			last := len(out) - 1
			if last >= 0 && out[last].contains(n) {
				continue
			}
			if last >= 0 && out[last].bits == n.bits && n.bits > 0 {
				up := ipnet{addr: out[last].first(), bits: n.bits - 1}
				if up.addr == up.first() && up.contains(n) {
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
	if len(nets) == 0 {
		return nil, nil
	}
	low, all := nets[0], nets[0]
	for _, n := range nets[1:] {
		if n.addr.Is4() != all.addr.Is4() {
			return nil, errors.New("cidr_merge: error in netaddr:\nIP sequence cannot contain both IPv4 and IPv6!")
		}
		if n.first().Less(low.first()) {
			low = n
		}
		if all.first().Less(n.first()) {
			all = n
		}
	}
	for all.bits > 0 && low.first().Less(all.first()) {
		all.bits--
	}
	if len(nets) > 1 {
		all.addr = all.first()
	}
	return all.String(), nil
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
	id := []byte{mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]}
	if !ok {
		if id, ok = parseEUI64(text(a[1])); !ok {
			return false, nil
		}
	}
	at, ok := shift(n.first(), new(big.Int).SetBytes(id))
	if !ok {
		return false, nil
	}
	return ipText(at), nil
}

// parseEUI64 reads an interface identifier of eight octets.
func parseEUI64(s string) ([]byte, bool) {
	b, err := hex.DecodeString(strings.NewReplacer("-", "", ":", "").Replace(s))
	if err != nil || len(b) != 8 || strings.Count(s, "-") != 7 && strings.Count(s, ":") != 7 {
		return nil, false
	}
	b[0] ^= 2
	return b, true
}

func ipv6form(_ *template.Call, a []value.Value) (value.Value, error) {
	n, err := parseIP(a[0])
	if err != nil || n.number || !n.plain {
		return nil, notAddress(a[0])
	}
	switch text(a[1]) {
	case "expand":
		return n.addr.StringExpanded(), nil
	case "compress":
		return n.addr.String(), nil
	case "x509":
		if n.addr.Is4() {
			return nil, notAddress(a[0])
		}
		var parts []string
		for p := range strings.SplitSeq(n.addr.StringExpanded(), ":") {
			p = strings.TrimLeft(p, "0")
			if p == "" {
				p = "0"
			}
			parts = append(parts, p)
		}
		return strings.Join(parts, ":"), nil
	}
	return nil, fmt.Errorf("value of format must be one of: compress, expand, x509, got: %s", text(a[1]))
}

func usableRange(_ *template.Call, a []value.Value) (value.Value, error) {
	n, err := parseIP(a[0])
	if err != nil || !isText(a[0]) {
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
