package facts

import (
	"bufio"
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"fettle/engine/value"
)

type utsname struct{ system, node, release, version, machine string }

// cString is a C character array, whose element type differs between architectures.
func cString[T int8 | uint8](c []T) string {
	var b []byte
	for _, x := range c {
		if x == 0 {
			break
		}
		b = append(b, byte(x))
	}
	return string(b)
}

const i386 pattern = `i([3456]86|86pc)`

func (g *gatherer) platform(ctx context.Context) *value.Dict {
	u := uname()
	fqdn := g.fqdn(ctx, u.node)
	_, domain, _ := strings.Cut(fqdn, ".")
	hostname, _, _ := strings.Cut(u.node, ".")
	bits := g.userspaceBits()
	d := value.DictOf("system", u.system, "kernel", u.release, "kernel_version", u.version, "machine", u.machine,
		"fqdn", fqdn, "hostname", hostname, "nodename", u.node, "domain", domain, "userspace_bits", bits)
	arch, userspace := u.machine, map[string]string{"64": "x86_64", "32": "i386"}[bits]
	switch {
	case arch == "x86_64":
		d.SetString("userspace_architecture", userspace)
	case i386.in(arch):
		arch = "i386"
		d.SetString("userspace_architecture", userspace)
	}
	d.SetString("architecture", arch)
	for _, f := range []string{"/var/lib/dbus/machine-id", "/etc/machine-id"} {
		if id := g.text(f); id != "" {
			id, _, _ = strings.Cut(id, "\n")
			d.SetString("machine_id", id)
			break
		}
	}
	return d
}

// userspaceBits looks at the shell, for the runner itself may be of another kind.
func (g *gatherer) userspaceBits() string {
	f, err := os.Open(g.root + "/bin/sh")
	if err != nil {
		return "64"
	}
	defer func() { _ = f.Close() }()
	var head [5]byte
	const class32 = 1 // in the byte after the magic number of an ELF file
	if _, err := io.ReadFull(f, head[:]); err == nil && string(head[:4]) == "\x7fELF" && head[4] == class32 {
		return "32"
	}
	return "64"
}

const dnsTimeout = 2 * time.Second

// fqdn is the name with a dot that the node's own address has: from /etc/hosts, or else
// from the resolver; without one, the first name of the address.
func (g *gatherer) fqdn(ctx context.Context, node string) string {
	if node == "" {
		node = "localhost"
	}
	names := g.hostsFileNames(node)
	if names == nil && len(g.lines("/etc/resolv.conf")) > 0 && g.root == "" {
		ctx, cancel := context.WithTimeout(ctx, dnsTimeout)
		defer cancel()
		if words := g.getent(ctx, node); len(words) > 0 {
			if words = g.getent(ctx, words[0]); len(words) > 0 {
				names = words[1:]
			}
		}
	}
	for _, n := range names {
		if strings.Contains(n, ".") {
			return n
		}
	}
	if len(names) > 0 {
		return names[0]
	}
	return node
}

// getent asks the machine's resolver: an address, and the names that it has.
func (g *gatherer) getent(ctx context.Context, key string) []string {
	out, _ := g.run(ctx, "getent", "hosts", key)
	line, _, _ := strings.Cut(out, "\n")
	return strings.Fields(line)
}

// hostsFileNames are the names of the first line of /etc/hosts with the first address
// that the file gives to node.
func (g *gatherer) hostsFileNames(node string) []string {
	f, err := os.Open(g.root + "/etc/hosts")
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	var all [][]string
	address := ""
	for sc := bufio.NewScanner(f); sc.Scan(); {
		line, _, _ := strings.Cut(sc.Text(), "#")
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		all = append(all, words)
		if named := slices.ContainsFunc(words[1:], func(n string) bool { return strings.EqualFold(n, node) }); named {
			if v4 := !strings.Contains(words[0], ":"); address == "" || v4 && strings.Contains(address, ":") {
				address = words[0]
			}
		}
	}
	for _, words := range all {
		if address != "" && words[0] == address {
			return words[1:]
		}
	}
	return nil
}
