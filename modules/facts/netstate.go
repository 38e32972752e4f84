package facts

import "net/netip"

// netState is what the kernel tells of its network.
type netState struct {
	links          map[int]string
	addrs          map[string][]ifAddr
	local4, local6 []string
}

type ifAddr struct {
	addr, broadcast netip.Addr
	bits            int
	peer            bool // a point-to-point address, shown without its prefix
	label, scope    string
	secondary       bool
}
