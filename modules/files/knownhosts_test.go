package files

import "testing"

func TestKnownHostsMarkers(t *testing.T) {
	const (
		plain   = "h1 ssh-ed25519 AAAA\n"
		ca      = "@cert-authority *.x ssh-ed25519 CCCC\n"
		revoked = "@revoked h1 ssh-ed25519 AAAA\n"
	)
	for _, c := range []struct {
		name, text, host, key, state, want string
	}{
		{"a second authority stays beside the first", ca, "*.x", "@cert-authority *.x ssh-ed25519 DDDD", "present", ca + "@cert-authority *.x ssh-ed25519 DDDD\n"},
		{"the same authority", ca, "*.x", "@cert-authority *.x ssh-ed25519 CCCC", "present", ca},
		{"revoking replaces the key", plain + ca, "h1", "@revoked h1 ssh-ed25519 AAAA", "present", ca + revoked},
		{"a key beside a revoked one", revoked, "h1", "h1 ssh-ed25519 BBBB", "present", revoked + "h1 ssh-ed25519 BBBB\n"},
		{"one revoked key goes", revoked + plain, "h1", "@revoked h1 ssh-ed25519 AAAA", "absent", plain},
		{"all keys of a host go, marked lines stay", revoked + plain + ca, "h1", "", "absent", revoked + ca},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := knownHostsArgs{Name: c.host, State: c.state}
			var key hostKey
			if c.key != "" {
				a.Key = &c.key
				key, _ = parseHostKey(c.key)
			}
			if got := editKnownHosts(c.text, a, key); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestHostKeyCovers(t *testing.T) {
	for _, c := range []struct {
		hosts, name string
		want        bool
	}{
		{"h1", "h1", true}, {"h1,h2", "H2", true}, {"h1", "h2", false},
		{"*.x.org", "a.x.org", true}, {"*.x.org", "x.org", false}, {"*.x.org,!b.x.org", "b.x.org", false},
		{"h?", "h1", true}, {"[h1]:22", "[h1]:22", true}, {"*.x.org", "*.x.org", true},
	} {
		if got := (hostKey{hosts: c.hosts}).covers(c.name); got != c.want {
			t.Errorf("%s covers %s: %v", c.hosts, c.name, got)
		}
	}
}
