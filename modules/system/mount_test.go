package system

import "testing"

func TestEditFstab(t *testing.T) {
	old := "# /etc/fstab\nUUID=1 / ext4 errors=remount-ro 0 1\n/dev/sdb1  /srv  xfs  noatime\n/dev/sdc none swap sw 0 0\n"
	for _, c := range []struct {
		name   string
		a      mountArgs
		remove bool
		want   string // "-" is unchanged
	}{
		{name: "right", a: mountArgs{Path: "/srv", Src: "/dev/sdb1", FSType: "xfs", Opts: "noatime", Dump: "0", PassNo: "0"}, want: "-"},
		{name: "options", a: mountArgs{Path: "/srv", Src: "/dev/sdb1", FSType: "xfs", Opts: "defaults", Dump: "0", PassNo: "2"},
			want: "# /etc/fstab\nUUID=1 / ext4 errors=remount-ro 0 1\n/dev/sdb1 /srv xfs defaults 0 2\n/dev/sdc none swap sw 0 0\n"},
		{name: "new", a: mountArgs{Path: "/a b", Src: "tmpfs", FSType: "tmpfs", Opts: "defaults", Dump: "0", PassNo: "0"}, want: old + "tmpfs /a\\040b tmpfs defaults 0 0\n"},
		{name: "other swap", a: mountArgs{Path: "none", Src: "/dev/sdd", FSType: "swap", Opts: "sw", Dump: "0", PassNo: "0"}, want: old + "/dev/sdd none swap sw 0 0\n"},
		{name: "remove", a: mountArgs{Path: "/srv"}, remove: true, want: "# /etc/fstab\nUUID=1 / ext4 errors=remount-ro 0 1\n/dev/sdc none swap sw 0 0\n"},
		{name: "removed already", a: mountArgs{Path: "/nope"}, remove: true, want: "-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := c.want
			if want == "-" {
				want = old
			}
			if got := editFstab(old, &c.a, c.remove); got != want {
				t.Errorf("got\n%s", got)
			}
		})
	}
}

func TestIsMounted(t *testing.T) {
	info := "22 1 0:21 / / rw - ext4 /dev/root rw\n30 22 0:30 / /zzf\\040x rw - tmpfs tmpfs rw\n"
	if !isMounted(info, "/zzf x") || isMounted(info, "/zzf") {
		t.Error("wrong")
	}
}

func TestModules(t *testing.T) {
	if !isBuiltin("kernel/fs/ext4/ext4.ko\nkernel/net/8021q-x.ko\n", "8021q_x") || isBuiltin("kernel/fs/ext4/ext4.ko\n", "ext") {
		t.Error("builtin")
	}
	if text, has := dropModule("# c\nloop\nlp\n", "loop"); !has || text != "# c\n#loop\nlp\n" {
		t.Errorf("drop: %q", text)
	}
	if text, has := dropOptions("options a x=1\noptions b y\n", "b"); !has || text != "options a x=1\n#options b y\n" {
		t.Errorf("options: %q", text)
	}
}

func TestLocales(t *testing.T) {
	gen := "# en_GB.UTF-8 UTF-8\nde_DE.UTF-8 UTF-8\n# fr_FR ISO-8859-1\n"
	if text := editLocaleGen(gen, "en_GB.UTF-8", true); text != "en_GB.UTF-8 UTF-8\nde_DE.UTF-8 UTF-8\n# fr_FR ISO-8859-1\n" {
		t.Errorf("present: %q", text)
	}
	if text := editLocaleGen(gen, "de_DE.UTF-8", false); text != "# en_GB.UTF-8 UTF-8\n# de_DE.UTF-8 UTF-8\n# fr_FR ISO-8859-1\n" {
		t.Errorf("absent: %q", text)
	}
	for in, want := range map[string]string{"en_GB.UTF-8": "en_GB.utf8", "de_DE@euro": "de_DE@euro", "ja_JP.EUC-JP": "ja_JP.eucjp", "C.utf8": "C.utf8"} {
		if got := localeKey(in); got != want {
			t.Errorf("%s: got %s", in, got)
		}
	}
}
