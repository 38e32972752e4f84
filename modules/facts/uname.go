package facts

import "golang.org/x/sys/unix"

func uname() utsname {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return utsname{system: "Linux"}
	}
	return utsname{cString(u.Sysname[:]), cString(u.Nodename[:]), cString(u.Release[:]), cString(u.Version[:]), cString(u.Machine[:])}
}
