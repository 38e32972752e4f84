//go:build !linux

package facts

import (
	"net"
	"net/netip"

	"fettle/engine/value"
)

// readNetwork takes the interfaces and addresses every system tells.
func readNetwork() *netState {
	n := &netState{links: map[int]string{}, addrs: map[string][]ifAddr{}}
	links, _ := net.Interfaces()
	for _, l := range links {
		n.links[l.Index] = l.Name
		addrs, _ := l.Addrs()
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				n.addrs[l.Name] = append(n.addrs[l.Name], ifAddr{addr: p.Addr().WithZone(""), bits: p.Bits(), scope: scopeOf(p.Addr())})
			}
		}
	}
	return n
}

func scopeOf(a netip.Addr) string {
	switch {
	case a.IsLoopback():
		return "host"
	case a.IsLinkLocalUnicast():
		return "link"
	}
	return "global"
}

// fillDefault leaves the default route out: its interface is asked for over netlink only.
func (n *netState) fillDefault(*value.Dict, netip.Addr) {}
