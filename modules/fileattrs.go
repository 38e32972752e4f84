package modules

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"fettle/engine/value"
)

// FileArgs are the options every module that makes files shares; embed it in the args.
type FileArgs struct {
	Mode         value.Value `arg:"mode" type:"raw" doc:"Permission bits: octal (quote it) or symbolic, like u=rw,g=r."`
	Owner        string      `arg:"owner" doc:"User who shall own it, by name or number."`
	Group        string      `arg:"group" doc:"Group that shall own it, by name or number."`
	SEUser       string      `arg:"seuser" doc:"User part of the SELinux context."`
	SERole       string      `arg:"serole" doc:"Role part of the SELinux context."`
	SEType       string      `arg:"setype" doc:"Type part of the SELinux context."`
	SELevel      string      `arg:"selevel" doc:"Level part of the SELinux context."`
	Attributes   string      `arg:"attributes" alias:"attr" doc:"Inode flags as chattr takes them, like +i or -a."`
	UnsafeWrites bool        `arg:"unsafe_writes" default:"false" doc:"Write in place where the file cannot be replaced (bind mounts)."`
}

// AttrPlan is what has to be done to a file's ownership, mode, flags and context.
type AttrPlan struct {
	Changed bool
	// Before and After hold what differs: owner and group as numbers, mode, attributes,
	// secontext; the shape of Ansible's diff of the file module.
	Before, After *value.Dict

	uid, gid int // -1: as it is
	mode     int // -1: as it is
	flagOp   byte
	flags    string
	context  string
	isLink   bool
}

// fileState is what PlanAttrs needs to know about the file as it is or will be made.
type fileState struct {
	uid, gid int
	mode     uint32
	isDir    bool
	isLink   bool
	exists   bool
}

// PlanAttrs compares what a asks for with the file at path, which is not followed when it
// is a link. A file that does not exist yet is taken as one newly made.
func (h *Host) PlanAttrs(ctx context.Context, path string, a FileArgs) (*AttrPlan, error) {
	s := fileState{uid: os.Geteuid(), gid: os.Getegid(), mode: 0o666 &^ Umask()}
	info, err := os.Lstat(path)
	switch {
	case err == nil:
		s = stateOf(info)
	case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR):
		return nil, err
	}
	return h.planAttrs(ctx, path, s, a)
}

// PlanNewAttrs is PlanAttrs for a directory or file that will be made with mode.
func (h *Host) PlanNewAttrs(ctx context.Context, path string, mode uint32, isDir bool, a FileArgs) (*AttrPlan, error) {
	return h.planAttrs(ctx, path, fileState{uid: os.Geteuid(), gid: os.Getegid(), mode: mode, isDir: isDir}, a)
}

func stateOf(info fs.FileInfo) fileState {
	s := fileState{mode: unixMode(info.Mode()), isDir: info.IsDir(), isLink: info.Mode()&os.ModeSymlink != 0, exists: true}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		s.uid, s.gid = int(st.Uid), int(st.Gid)
	}
	return s
}

func (h *Host) planAttrs(ctx context.Context, path string, s fileState, a FileArgs) (*AttrPlan, error) {
	p := &AttrPlan{Before: value.NewDict(2), After: value.NewDict(2), uid: -1, gid: -1, mode: -1, isLink: s.isLink}
	if err := h.planContext(ctx, path, s, a, p); err != nil {
		return nil, err
	}
	if a.Owner != "" {
		uid, ok := h.UserID(ctx, a.Owner)
		if !ok {
			if h.Check {
				h.Warn("failed to look up user %s. Create user up to this point in real play", a.Owner)
			}
			return nil, Failf("chown failed: failed to look up user %s", a.Owner)
		}
		if uid != s.uid {
			p.note("owner", int64(s.uid), int64(uid))
			p.uid = uid
		}
	}
	if a.Group != "" {
		gid, ok := h.GroupID(ctx, a.Group)
		if !ok {
			if h.Check {
				h.Warn("failed to look up group %s. Create group up to this point in real play", a.Group)
			}
			return nil, Failf("chgrp failed: failed to look up group %s", a.Group)
		}
		if gid != s.gid {
			p.note("group", int64(s.gid), int64(gid))
			p.gid = gid
		}
	}
	if a.Mode != nil {
		mode, err := ParseMode(a.Mode, s.mode, s.isDir)
		if err != nil {
			return nil, err
		}
		if mode != s.mode && !s.isLink {
			p.note("mode", OctalMode(s.mode), OctalMode(mode))
			p.mode = int(mode)
		}
	}
	p.planFlags(path, s, a.Attributes)
	return p, nil
}

func (p *AttrPlan) note(what string, before, after value.Value) {
	p.Changed = true
	p.Before.SetString(what, before)
	p.After.SetString(what, after)
}

// planFlags: without an operator the flags are set as a whole; Ansible reads a removal as
// a change whenever it is asked for one, fettle only when there is something to remove.
func (p *AttrPlan) planFlags(path string, s fileState, attributes string) {
	if attributes == "" || s.isLink {
		return
	}
	op := byte('=')
	letters := attributes
	if strings.IndexByte("+-=", attributes[0]) >= 0 {
		op, letters = attributes[0], attributes[1:]
	}
	have := ""
	if s.exists {
		have = ReadFlags(path).set()
	}
	same := true
	for i := range len(letters) {
		if in := strings.IndexByte(have, letters[i]) >= 0; in == (op == '-') {
			same = false
		}
	}
	if op == '=' {
		for i := range len(have) {
			if strings.IndexByte(letters+"eEINV", have[i]) < 0 {
				same = false
			}
		}
	}
	if same {
		return
	}
	p.note("attributes", have, attributes)
	p.flagOp, p.flags = op, letters
}

const selinuxXattr = "security.selinux"

func selinuxEnabled() bool {
	_, err := os.Stat("/sys/fs/selinux/enforce")
	return err == nil
}

// planContext: the parts of the SELinux context that are given replace those of the file.
func (h *Host) planContext(ctx context.Context, path string, s fileState, a FileArgs, p *AttrPlan) error {
	parts := [4]string{a.SEUser, a.SERole, a.SEType, a.SELevel}
	if parts == [4]string{} || !selinuxEnabled() {
		return nil
	}
	old := ""
	if s.exists {
		old = lgetxattr(path, selinuxXattr)
	} else {
		old = h.defaultContext(ctx, path)
	}
	have := strings.SplitN(old, ":", 4)
	for len(have) < 4 {
		have = append(have, "")
	}
	var standard []string
	for i, want := range parts {
		if want == "_default" {
			if standard == nil {
				if standard = strings.SplitN(h.defaultContext(ctx, path), ":", 4); len(standard) < 3 {
					return Failf("cannot find the default SELinux context of %q: is matchpathcon installed?", path)
				}
			}
			want = ""
			if i < len(standard) {
				want = standard[i]
			}
		}
		if want != "" {
			have[i] = want
		}
	}
	if want := strings.TrimRight(strings.Join(have, ":"), ":"); want != old {
		p.note("secontext", strings.Split(old, ":"), strings.Split(want, ":"))
		p.context = want
	}
	return nil
}

func (h *Host) defaultContext(ctx context.Context, path string) string {
	r, err := h.Run(ctx, Command{Argv: []string{"matchpathcon", "-n", "--", path}, C: true})
	if err != nil || r.RC != 0 {
		return ""
	}
	return strings.TrimSpace(string(r.Stdout))
}

// ApplyAttrs does what p says to the file at path; in check mode only notes it.
func (h *Host) ApplyAttrs(path string, p *AttrPlan) error {
	if !p.Changed {
		return nil
	}
	return h.Act(func() error { return p.apply(path) })
}

func (p *AttrPlan) apply(path string) error {
	if p.uid >= 0 || p.gid >= 0 {
		if err := os.Lchown(path, p.uid, p.gid); err != nil {
			return p.ownerError(err)
		}
	}
	if p.mode >= 0 {
		if err := chmod(path, uint32(p.mode)); err != nil {
			return Failf("chmod failed: %v", err)
		}
	}
	return p.applyRest(path)
}

func (p *AttrPlan) ownerError(err error) error {
	if p.uid >= 0 {
		return Failf("chown failed: %v", err)
	}
	return Failf("chgrp failed: %v", err)
}

// applyRest sets what only a file in its place can have: context and flags.
func (p *AttrPlan) applyRest(path string) error {
	if p.context != "" {
		if err := lsetxattr(path, selinuxXattr, p.context); err != nil {
			return Failf("set selinux context failed: %s: %v", path, err)
		}
	}
	if p.flagOp != 0 {
		return writeFlags(path, p.flagOp, p.flags)
	}
	return nil
}
