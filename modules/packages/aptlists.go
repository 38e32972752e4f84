package packages

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"fettle/modules"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// listTime is when the package lists were fetched last.
func listTime() time.Time {
	for _, path := range []string{"/var/lib/apt/periodic/update-success-stamp", "/var/lib/apt/lists"} {
		if fi, err := os.Stat(path); err == nil {
			return fi.ModTime()
		}
	}
	return time.Unix(0, 0)
}

func (t *aptTask) noteLists(updated bool) {
	when := listTime().Unix()
	t.r.Data.CacheUpdated, t.r.Data.CacheUpdateTime = &updated, &when
}

// refresh fetches the package lists unless they are fresh enough.
func (t *aptTask) refresh(ctx context.Context) (updated bool, err error) {
	before := listTime()
	if t.a.CacheValidTime > 0 && time.Since(before) <= time.Duration(t.a.CacheValidTime)*time.Second {
		t.noteLists(false)
		return false, nil
	}
	if !t.h.Check {
		if err := fetchLists(ctx, t.h, t.a.LockTimeout, t.a.UpdateRetries, t.a.UpdateDelay, t.a.AllowUnauth); err != nil {
			return false, err
		}
	}
	updated = t.h.Check || !listTime().Equal(before)
	t.noteLists(updated)
	return updated, nil
}

// fetchLists runs apt-get update, with growing waits between failed tries.
func fetchLists(ctx context.Context, h *modules.Host, lock, retries, maxDelay int64, insecure bool, more ...string) error {
	argv := []string{"apt-get", "update", "-q", "-o", "APT::Update::Error-Mode=any", "-o", "DPkg::Lock::Timeout=" + itoa(lock)}
	if insecure {
		argv = append(argv, "--allow-insecure-repositories")
	}
	argv = append(argv, more...)
	reason := "unknown reason"
	giveUp := time.Now().Add(time.Duration(lock) * time.Second)
	for try := int64(0); ; try++ {
		out, err := h.ToolWith(ctx, modules.Command{Argv: argv, Env: aptEnv})
		if err != nil {
			return err
		}
		if out.RC == 0 {
			return nil
		}
		if r := strings.TrimSpace(out.Stderr); r != "" {
			reason = r
		}
		wait := time.Second
		if strings.Contains(reason, "Could not get lock") {
			try-- // another apt is at work: that is waiting, not failing
			if time.Now().After(giveUp) {
				return modules.Failf("Failed to lock apt for exclusive operation: %s", reason)
			}
		} else {
			if try+1 >= retries {
				return modules.Failf("Failed to update apt cache: %s", reason)
			}
			wait = min(time.Second<<min(try, 10), time.Duration(maxDelay)*time.Second)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// setPolicy makes policy-rc.d answer with a code for a while; the returned func puts
// things back.
func setPolicy(h *modules.Host, code *int64) (restore func() error, err error) {
	if code == nil || h.Check {
		return func() error { return nil }, nil
	}
	const path = "/usr/sbin/policy-rc.d"
	aside := filepath.Join(filepath.Dir(path), ".policy-rc.d.fettle")
	hadOne := false
	if _, err := os.Lstat(path); err == nil {
		if err := os.Rename(path, aside); err != nil {
			return nil, err
		}
		hadOne = true
	}
	restore = func() error {
		if hadOne {
			return os.Rename(aside, path)
		}
		return os.Remove(path)
	}
	text := "#!/bin/sh\nexit " + itoa(*code) + "\n"
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil { //nolint:gosec // it is run
		_ = restore()
		return nil, err
	}
	return restore, os.Chmod(path, 0o755) //nolint:gosec // it is run
}
