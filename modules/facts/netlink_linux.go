package facts

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"fettle/engine/value"
)

// readNetwork dumps links, addresses and local routes; what cannot be read is left out.
func readNetwork() *netState {
	n := &netState{links: map[int]string{}, addrs: map[string][]ifAddr{}}
	for _, m := range netlinkDump(syscall.RTM_GETLINK) {
		if m.Header.Type == syscall.RTM_NEWLINK && len(m.Data) >= syscall.SizeofIfInfomsg {
			index := int(int32(binary.NativeEndian.Uint32(m.Data[4:])))
			for _, a := range attributes(m.Data[syscall.SizeofIfInfomsg:]) {
				if a.kind == syscall.IFLA_IFNAME {
					n.links[index] = zeroEnded(a.data)
				}
			}
		}
	}
	for _, m := range netlinkDump(syscall.RTM_GETADDR) {
		if m.Header.Type == syscall.RTM_NEWADDR && len(m.Data) >= syscall.SizeofIfAddrmsg {
			n.addAddress(m.Data)
		}
	}
	for _, m := range netlinkDump(syscall.RTM_GETROUTE) {
		if m.Header.Type == syscall.RTM_NEWROUTE && len(m.Data) >= syscall.SizeofRtMsg {
			n.addLocal(m.Data)
		}
	}
	return n
}

func netlinkDump(kind int) []syscall.NetlinkMessage {
	b, err := syscall.NetlinkRIB(kind, syscall.AF_UNSPEC)
	if err != nil {
		return nil
	}
	msgs, err := syscall.ParseNetlinkMessage(b)
	if err != nil {
		return nil
	}
	return msgs
}

type attribute struct {
	kind uint16
	data []byte
}

func attributes(b []byte) []attribute {
	var out []attribute
	for len(b) >= 4 {
		n := int(binary.NativeEndian.Uint16(b))
		if n < 4 || n > len(b) {
			break
		}
		out = append(out, attribute{binary.NativeEndian.Uint16(b[2:]) & 0x3fff, b[4:n]})
		b = b[min((n+3)&^3, len(b)):]
	}
	return out
}

func zeroEnded(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

var scopeNames = map[byte]string{syscall.RT_SCOPE_UNIVERSE: "global", syscall.RT_SCOPE_SITE: "site", syscall.RT_SCOPE_LINK: "link",
	syscall.RT_SCOPE_HOST: "host", syscall.RT_SCOPE_NOWHERE: "nowhere"}

func (n *netState) addAddress(b []byte) {
	bits, flags, scope := int(b[1]), uint32(b[2]), b[3]
	name := n.links[int(binary.NativeEndian.Uint32(b[4:]))]
	a := ifAddr{bits: bits, scope: scopeNames[scope]}
	if a.scope == "" {
		a.scope = strconv.Itoa(int(scope))
	}
	var local, address netip.Addr
	const ifaFlags = 8
	for _, at := range attributes(b[syscall.SizeofIfAddrmsg:]) {
		switch at.kind {
		case syscall.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(at.data)
		case syscall.IFA_ADDRESS:
			address, _ = netip.AddrFromSlice(at.data)
		case syscall.IFA_BROADCAST:
			a.broadcast, _ = netip.AddrFromSlice(at.data)
		case syscall.IFA_LABEL:
			a.label = zeroEnded(at.data)
		case ifaFlags:
			if len(at.data) >= 4 {
				flags = binary.NativeEndian.Uint32(at.data)
			}
		}
	}
	a.addr = address
	if local.IsValid() {
		a.addr, a.peer = local, local != address
	}
	a.secondary = flags&syscall.IFA_F_SECONDARY != 0
	if a.addr.IsValid() && name != "" {
		n.addrs[name] = append(n.addrs[name], a)
	}
}

// addLocal notes a destination of the table for local addresses.
func (n *netState) addLocal(b []byte) {
	family, bits, table, kind := b[0], int(b[1]), uint32(b[4]), b[7]
	var dst netip.Addr
	for _, a := range attributes(b[syscall.SizeofRtMsg:]) {
		switch a.kind {
		case syscall.RTA_DST:
			dst, _ = netip.AddrFromSlice(a.data)
		case syscall.RTA_TABLE:
			if len(a.data) >= 4 {
				table = binary.NativeEndian.Uint32(a.data)
			}
		}
	}
	if table != syscall.RT_TABLE_LOCAL || kind != syscall.RTN_LOCAL || !dst.IsValid() {
		return
	}
	text := dst.String()
	if bits != dst.BitLen() {
		text += "/" + strconv.Itoa(bits)
	}
	list := &n.local4
	if family == syscall.AF_INET6 {
		list = &n.local6
	}
	for _, have := range *list {
		if have == text {
			return
		}
	}
	*list = append(*list, text)
}

// fillDefault asks the kernel how it would reach a far address: interface, gateway and
// own address.
func (n *netState) fillDefault(d *value.Dict, to netip.Addr) {
	reply, err := askRoute(to)
	if err != nil {
		return
	}
	for _, a := range attributes(reply) {
		switch a.kind {
		case syscall.RTA_OIF:
			if len(a.data) >= 4 {
				d.SetString("interface", n.links[int(binary.NativeEndian.Uint32(a.data))])
			}
		case syscall.RTA_PREFSRC:
			if s, ok := netip.AddrFromSlice(a.data); ok {
				d.SetString("address", s.String())
			}
		case syscall.RTA_GATEWAY:
			if s, ok := netip.AddrFromSlice(a.data); ok {
				d.SetString("gateway", s.String())
			}
		}
	}
}

// askRoute sends one RTM_GETROUTE and gives the attributes of the answer.
func askRoute(to netip.Addr) ([]byte, error) {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	defer func() { _ = syscall.Close(fd) }()
	tv := syscall.NsecToTimeval(int64(time.Second))
	_ = syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &tv)
	addr := to.AsSlice()
	size := syscall.NLMSG_HDRLEN + syscall.SizeofRtMsg + 4 + len(addr)
	req := make([]byte, size)
	binary.NativeEndian.PutUint32(req, uint32(size))
	binary.NativeEndian.PutUint16(req[4:], syscall.RTM_GETROUTE)
	binary.NativeEndian.PutUint16(req[6:], syscall.NLM_F_REQUEST)
	binary.NativeEndian.PutUint32(req[8:], 1)
	rt := req[syscall.NLMSG_HDRLEN:]
	rt[0], rt[1] = syscall.AF_INET, byte(to.BitLen())
	if to.Is6() {
		rt[0] = syscall.AF_INET6
	}
	at := rt[syscall.SizeofRtMsg:]
	binary.NativeEndian.PutUint16(at, uint16(4+len(addr)))
	binary.NativeEndian.PutUint16(at[2:], syscall.RTA_DST)
	copy(at[4:], addr)
	if err := syscall.Sendto(fd, req, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return nil, err
	}
	buf := make([]byte, 8192)
	got, _, err := syscall.Recvfrom(fd, buf, 0)
	if err != nil {
		return nil, err
	}
	msgs, err := syscall.ParseNetlinkMessage(buf[:got])
	if err != nil || len(msgs) == 0 || msgs[0].Header.Type != syscall.RTM_NEWROUTE || len(msgs[0].Data) < syscall.SizeofRtMsg {
		return nil, syscall.ENETUNREACH
	}
	return msgs[0].Data[syscall.SizeofRtMsg:], nil
}
