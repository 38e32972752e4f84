package modules

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// PathInfo are the keys every module that returns path or dest adds: how the file is now.
type PathInfo struct {
	UID       *int     `json:"uid,omitempty" doc:"Numeric owner." returned:"the path exists"`
	GID       *int     `json:"gid,omitempty" doc:"Numeric group." returned:"the path exists"`
	Owner     string   `json:"owner,omitempty" doc:"Owner." returned:"the path exists"`
	Group     string   `json:"group,omitempty" doc:"Group." returned:"the path exists"`
	Mode      string   `json:"mode,omitempty" doc:"Permission bits, as 0644." returned:"the path exists"`
	State     string   `json:"state,omitempty" doc:"file, directory, link, hard or absent."`
	Size      *int64   `json:"size,omitempty" doc:"Size in bytes." returned:"the path exists"`
	SEContext []string `json:"secontext,omitempty" doc:"SELinux context." returned:"SELinux is on"`
}

// PathInfo describes path, not following it when it is a
// link; a link that leads nowhere and a path that
// does not exist give the zero value.
func (h *Host) PathInfo(ctx context.Context, path string) PathInfo {
	info, err := os.Lstat(path)
	if _, dangling := os.Stat(path); err != nil || dangling != nil {
		return PathInfo{}
	}
	st, _ := info.Sys().(*syscall.Stat_t)
	uid, gid, size := int(st.Uid), int(st.Gid), info.Size()
	p := PathInfo{UID: &uid, GID: &gid, Owner: h.UserName(ctx, uid), Group: h.GroupName(ctx, gid),
		Mode: OctalMode(unixMode(info.Mode())), Size: &size}
	if p.Owner == "" {
		p.Owner = strconv.Itoa(uid)
	}
	if p.Group == "" {
		p.Group = strconv.Itoa(gid)
	}
	switch {
	case info.Mode()&os.ModeSymlink != 0:
		p.State = "link"
	case info.IsDir():
		p.State = "directory"
	case st.Nlink > 1:
		p.State = "hard"
	default:
		p.State = "file"
	}
	if selinuxEnabled() {
		p.SEContext = strings.SplitN(lgetxattr(path, selinuxXattr), ":", 4)
	}
	return p
}

func randomName() string {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
