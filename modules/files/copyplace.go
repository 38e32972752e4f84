package files

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"fettle/engine/value"
	"fettle/modules"
)

// maxDiffSize is the largest file whose content a diff shows.
const maxDiffSize = 104448

// content is something to be written to a file.
type content struct {
	modules.Source
	header string // what diffs call it
	local  bool   // it is a file of the host
}

// place makes dest a file with content c and the attributes a.
func (t *copyTask) place(c content, dest string, a modules.FileArgs) error {
	if s, ok := a.Mode.(string); ok && s == "preserve" {
		a.Mode = nil
		if c.Mode != 0 {
			a.Mode = int64(c.Mode)
		}
	}
	info, err := os.Lstat(dest)
	exists := err == nil
	if exists && info.IsDir() {
		return modules.Failf("cannot replace the directory %s by a file", dest)
	}
	if exists && !t.a.Force {
		t.r.Data = copyReturn{Dest: dest, Src: t.a.Src}
		if c.local {
			t.r.Msg, t.r.Data.PathInfo = "file already exists", t.h.PathInfo(t.ctx, dest)
		}
		return nil
	}
	regular := exists && info.Mode().IsRegular()
	if regular && info.Size() == c.Size {
		if sum, err := checksum(t.ctx, dest, "sha1"); err == nil && sum == c.SHA1 {
			return t.same(c, dest, a)
		}
	}
	plan, err := t.h.PlanAttrs(t.ctx, dest, a)
	if exists && (!regular || c.local) {
		plan, err = t.h.PlanNewAttrs(t.ctx, dest, 0o666&^modules.Umask(), false, a)
	}
	if err != nil {
		if !t.h.Check || exists {
			return err
		}
		plan = nil // the owner may be one that an earlier task would have made
	}
	return t.write(c, dest, plan)
}

// same is for a file that has its content already: only attributes may differ.
func (t *copyTask) same(c content, dest string, a modules.FileArgs) error {
	plan, err := t.h.PlanAttrs(t.ctx, dest, a)
	if err != nil {
		return err
	}
	if err := t.h.ApplyAttrs(dest, plan); err != nil {
		return err
	}
	d := copyReturn{Dest: dest, Checksum: c.SHA1, PathInfo: t.h.PathInfo(t.ctx, dest)}
	if c.local {
		d.Src = t.a.Src
		if d.MD5Sum, err = checksum(t.ctx, dest, "md5"); err != nil {
			return err
		}
	} else {
		d.Path = dest
	}
	t.r.Data = d
	if t.h.Diff && !c.local {
		before, after := value.DictOf("path", dest), value.DictOf("path", dest)
		if plan.Changed {
			merge(before, plan.Before)
			merge(after, plan.After)
		}
		t.r.Diff, t.r.OneDiff = []modules.Diff{{Before: before, After: after}}, true
	}
	return nil
}

// write brings the content into place.
func (t *copyTask) write(c content, dest string, plan *modules.AttrPlan) error {
	if t.h.Diff && !c.local {
		d, err := contentDiff(t.ctx, dest, c)
		if err != nil {
			return err
		}
		t.r.Diff = append(t.r.Diff, d)
	}
	t.r.Data.Checksum = c.SHA1
	r := modules.Replacement{Plan: plan, Fresh: c.local, Validate: t.a.Validate, Backup: t.a.Backup, UnsafeWrites: t.a.UnsafeWrites}
	if t.h.Check {
		t.h.MarkChanged()
		t.r.Data = copyReturn{}
		if c.local {
			sum, err := checksum(t.ctx, c.Name, "md5")
			t.r.Data = copyReturn{Dest: dest, Src: t.a.Src, Checksum: c.SHA1, MD5Sum: sum, PathInfo: t.h.PathInfo(t.ctx, dest)}
			return err
		}
		return nil
	}
	draft, err := t.h.DraftFor(dest, r)
	if err != nil {
		return err
	}
	defer draft.Close()
	sum, err := fill(t.ctx, draft, c)
	if err != nil {
		return err
	}
	backup, err := t.h.CommitDraft(t.ctx, draft, r)
	var refused *modules.ValidationError
	if errors.As(err, &refused) {
		t.r.Data.ExitStatus, t.r.Data.Stdout, t.r.Data.Stderr = &refused.RC, &refused.Stdout, &refused.Stderr
		return modules.Failf("failed to validate")
	}
	if err != nil {
		return err
	}
	t.h.MarkChanged()
	t.r.Data = copyReturn{Dest: dest, Src: t.a.Src, Checksum: c.SHA1, MD5Sum: sum, BackupFile: backup,
		PathInfo: t.h.PathInfo(t.ctx, dest)}
	return nil
}

// fill writes the content to the draft, proves that it is what was announced, and returns
// its MD5.
func fill(ctx context.Context, draft *modules.Draft, c content) (md5sum string, err error) {
	from, err := c.Open(ctx)
	if err != nil {
		return "", err
	}
	defer from.Close()
	s1, m5 := sha1.New(), md5.New()
	if _, err := io.Copy(io.MultiWriter(draft, s1, m5), modules.WithContext(ctx, from)); err != nil {
		return "", err
	}
	if sum := hex.EncodeToString(s1.Sum(nil)); sum != c.SHA1 {
		return "", modules.Failf("the content that arrived is not what was announced: checksum %s, not %s", sum, c.SHA1)
	}
	return hex.EncodeToString(m5.Sum(nil)), nil
}

// contentDiff shows what is at dest and what will be, unless that is binary or too large.
func contentDiff(ctx context.Context, dest string, c content) (modules.Diff, error) {
	d := modules.Diff{Before: "", After: ""}
	if info, err := os.Stat(dest); err == nil && info.Mode().IsRegular() {
		if info.Size() > maxDiffSize {
			d.DstLarger = maxDiffSize
		} else if err := beforeText(&d, dest); err != nil {
			return d, err
		}
	}
	if c.Size > maxDiffSize {
		d.SrcLarger = maxDiffSize
		return d, nil
	}
	from, err := c.Open(ctx)
	if err != nil {
		return d, err
	}
	defer from.Close()
	text, err := io.ReadAll(io.LimitReader(from, maxDiffSize+1))
	if err != nil {
		return d, err
	}
	if isBinary(text) {
		d.SrcBinary = 1
		return d, nil
	}
	d.After, d.AfterHeader = string(text), first(c.header, dest)
	return d, nil
}

func beforeText(d *modules.Diff, dest string) error {
	text, err := os.ReadFile(dest)
	switch {
	case err != nil:
		return fmt.Errorf("cannot read %s for the diff: %w", dest, err)
	case isBinary(text[:min(len(text), 8192)]):
		d.DstBinary = 1
	default:
		d.Before, d.BeforeHeader = string(text), dest
	}
	return nil
}

func isBinary(text []byte) bool {
	for _, b := range text {
		if b == 0 {
			return true
		}
	}
	return false
}
