package ansible

import (
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"strconv"
	"strings"

	"fettle/engine/value"
)

// ipnet is an address with a prefix length, as ansible.utils.ipaddr sees its input.
type ipnet struct {
	addr   netip.Addr
	bits   int
	plain  bool   // written without a prefix
	number bool   // written as a number
	raw    string // as written
}

var errAddress = errors.New("not an IP address")

func width(a netip.Addr) int { return a.BitLen() }

func toInt(a netip.Addr) *big.Int { return new(big.Int).SetBytes(a.AsSlice()) }

// fromInt is the address with that number; ok is false beyond the family's range.
func fromInt(n *big.Int, bits int) (netip.Addr, bool) {
	if n.Sign() < 0 || n.BitLen() > bits {
		return netip.Addr{}, false
	}
	a, ok := netip.AddrFromSlice(n.FillBytes(make([]byte, bits/8)))
	return a, ok
}

// shift is the address n further on.
func shift(a netip.Addr, n *big.Int) (netip.Addr, bool) {
	return fromInt(new(big.Int).Add(toInt(a), n), width(a))
}

func (n ipnet) first() netip.Addr {
	p, _ := n.addr.Prefix(n.bits)
	return p.Addr()
}

func (n ipnet) size() *big.Int {
	return new(big.Int).Lsh(big.NewInt(1), uint(width(n.addr)-n.bits))
}

func (n ipnet) last() netip.Addr {
	size := n.size()
	a, _ := shift(n.first(), size.Sub(size, big.NewInt(1)))
	return a
}

// isSize tells small sizes: 1 for a host, 2 for a point-to-point net.
func (n ipnet) isSize(s int) bool { return n.bits == width(n.addr)-s+1 }

func (n ipnet) String() string { return fmt.Sprintf("%s/%d", ipText(n.addr), n.bits) }

// text is the normalised form: an address stays one.
func (n ipnet) text() string {
	if n.plain {
		return ipText(n.addr)
	}
	return n.String()
}

// ipText writes an address; one of ::/96 ends in dotted form, as inet_ntop does.
func ipText(a netip.Addr) string {
	if raw := a.As16(); !a.Is4() && within(a, "::/96") && raw[12]|raw[13] != 0 {
		return "::" + netip.AddrFrom4([4]byte(raw[12:])).String()
	}
	return a.String()
}

// numberText writes the address with a number as the family it fits in: small ones are IPv4.
func numberText(a netip.Addr) string {
	if raw := a.As16(); !a.Is4() && within(a, "::/96") {
		return netip.AddrFrom4([4]byte(raw[12:])).String()
	}
	return ipText(a)
}

// given is the value as it was written; a number becomes an address with a prefix.
func (n ipnet) given() string {
	if n.number {
		return n.String()
	}
	return n.raw
}

func (n ipnet) isNetwork() bool { return !n.isSize(1) && n.addr == n.first() }

func (n ipnet) contains(o ipnet) bool {
	return n.addr.Is4() == o.addr.Is4() && o.bits >= n.bits && netip.PrefixFrom(n.first(), n.bits).Contains(o.addr)
}

func (n ipnet) mask() netip.Addr {
	all := new(big.Int).Lsh(big.NewInt(1), uint(width(n.addr)))
	a, _ := fromInt(all.Sub(all, n.size()), width(n.addr))
	return a
}

func (n ipnet) hostmask() netip.Addr {
	size := n.size()
	a, _ := fromInt(size.Sub(size, big.NewInt(1)), width(n.addr))
	return a
}

// usable is the range of addresses hosts can have; ok is false for a single address.
func (n ipnet) usable() (first, last netip.Addr, ok bool) {
	switch {
	case n.isSize(1):
		return first, last, false
	case n.isSize(2):
		return n.first(), n.last(), true
	}
	return n.first().Next(), n.last().Prev(), true
}

// nth is the address at place i of the network, counted from the end when negative.
func (n ipnet) nth(i int64) (netip.Addr, bool) {
	at := big.NewInt(i)
	if i < 0 {
		at.Add(at, n.size())
	}
	if at.Sign() < 0 || at.Cmp(n.size()) >= 0 {
		return netip.Addr{}, false
	}
	return shift(n.first(), at)
}

// parseIP reads an address, a network, or a number.
func parseIP(v value.Value) (ipnet, error) { return parseFamily(v, 0) }

// parseFamily is parseIP where small numbers are IPv6 addresses if version is 6.
func parseFamily(v value.Value, version int64) (ipnet, error) {
	bits := 0
	if version == 6 {
		bits = 128
	}
	switch x := v.(type) {
	case int64, *big.Int:
		return numberIP(value.Big(x), text(v), bits)
	case string, value.Text, value.Markup:
		return parseText(text(x), bits)
	}
	return ipnet{}, errAddress
}

// numberIP is the address with a number; without bits it is of the first family it fits in.
func numberIP(n *big.Int, raw string, bits int) (ipnet, error) {
	if bits == 0 && n.BitLen() <= 32 {
		bits = 32
	}
	bits = max(bits, 32)
	if n.BitLen() > 32 {
		bits = 128
	}
	a, ok := fromInt(n, bits)
	if !ok {
		return ipnet{}, errAddress
	}
	return ipnet{addr: a, bits: bits, plain: true, number: true, raw: raw}, nil
}

func parseIPText(s string) (ipnet, error) { return parseText(s, 0) }

func parseText(s string, numberBits int) (ipnet, error) {
	head, prefix, hasPrefix := strings.Cut(s, "/")
	n := ipnet{raw: s, plain: !hasPrefix}
	if b, ok := new(big.Int).SetString(head, 10); ok && strings.Trim(head, "0123456789") == "" {
		num, err := numberIP(b, s, numberBits)
		if err != nil {
			return n, err
		}
		n.addr, n.number = num.addr, true
	} else {
		a, err := netip.ParseAddr(head)
		if err != nil || a.Zone() != "" {
			return n, errAddress
		}
		n.addr = a
	}
	n.bits = width(n.addr)
	if !hasPrefix {
		return n, nil
	}
	bits, err := prefixBits(prefix, n.addr)
	n.bits = bits
	return n, err
}

// prefixBits reads a prefix length, a netmask or a hostmask.
func prefixBits(s string, a netip.Addr) (int, error) {
	if n, err := strconv.Atoi(s); err == nil && strings.Trim(s, "0123456789") == "" {
		if n > width(a) {
			return 0, errAddress
		}
		return n, nil
	}
	m, err := netip.ParseAddr(s)
	if err != nil || m.Is4() != a.Is4() {
		return 0, errAddress
	}
	return maskBits(m)
}

// maskBits is the prefix length of a netmask or hostmask.
func maskBits(m netip.Addr) (int, error) {
	for bits := range width(m) + 1 {
		n := ipnet{addr: m, bits: bits}
		if n.mask() == m {
			return bits, nil
		}
	}
	for bits := range width(m) + 1 {
		n := ipnet{addr: m, bits: bits}
		if n.hostmask() == m {
			return bits, nil
		}
	}
	return 0, errAddress
}

// within tells whether an address lies in one of the networks.
func within(a netip.Addr, nets ...string) bool {
	for _, s := range nets {
		if netip.MustParsePrefix(s).Contains(a) {
			return true
		}
	}
	return false
}

func isLinkLocal(a netip.Addr) bool { return within(a, "169.254.0.0/16", "fe80::/10") }
func isLoopback(a netip.Addr) bool  { return within(a, "127.0.0.0/8", "::1/128") }
func isMulticast(a netip.Addr) bool { return within(a, "224.0.0.0/4", "ff00::/8") }

// isPrivate tells addresses that the registries of special purposes call not globally reachable.
func isPrivate(a netip.Addr) bool {
	if within(a, "192.0.0.9/32", "192.0.0.10/32", "2001:1::1/128", "2001:1::2/128", "2001:3::/32", "2001:4:112::/48", "2001:20::/28", "2001:30::/28") {
		return false
	}
	return within(a, "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
		"192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4", "::/127", "::ffff:0:0/96", "64:ff9b:1::/48", "100::/64",
		"2001::/23", "2001:db8::/32", "2002::/16", "fc00::/7", "fe80::/10")
}

func isPublic(a netip.Addr) bool {
	_, err := maskBits(a)
	return !isMulticast(a) && !isPrivate(a) && err != nil
}

// wasPrivate and wasPublic are how netaddr told them apart before its version 1.
func wasPrivate(a netip.Addr) bool {
	return isLinkLocal(a) || within(a, "10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16",
		"198.18.0.0/15", "239.192.0.0/14", "fc00::/7", "fec0::/10")
}

func wasPublic(a netip.Addr) bool {
	_, err := maskBits(a)
	return !isMulticast(a) && !wasPrivate(a) && !isLoopback(a) && err != nil
}

// reverseName is the name under in-addr.arpa or ip6.arpa.
func reverseName(a netip.Addr) string {
	var b strings.Builder
	raw := a.AsSlice()
	for i := len(raw) - 1; i >= 0; i-- {
		if a.Is4() {
			fmt.Fprintf(&b, "%d.", raw[i])
		} else {
			fmt.Fprintf(&b, "%x.%x.", raw[i]&15, raw[i]>>4)
		}
	}
	if a.Is4() {
		return b.String() + "in-addr.arpa."
	}
	return b.String() + "ip6.arpa."
}
