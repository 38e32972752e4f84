package action

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"fettle/engine/transport"
	"fettle/engine/value"
)

func init() {
	Register("ansible.builtin.reboot", Action{Run: reboot, Remote: true})
}

// reboot restarts the machine, and waits until it answers with another boot id and the test
// command works.
func reboot(ctx context.Context, c *Call) (*value.Dict, error) {
	if c.Run.ConnectionKind() == "local" {
		return value.DictOf("changed", false, "elapsed", int64(0), "rebooted", false, "failed", true,
			"msg", "Running "+c.Task.Action+" with local connection would reboot the control node."), nil
	}
	if c.Check {
		return value.DictOf("changed", true, "elapsed", int64(0), "rebooted", true), nil
	}
	start := time.Now()
	b := &booter{c: c}
	before, err := b.run(ctx, b.text("boot_time_command", "cat /proc/sys/kernel/random/boot_id"))
	if err != nil {
		return nil, err
	}
	command, err := b.command(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := b.run(ctx, command); err != nil && !transport.IsUnreachable(err) {
		return nil, fmt.Errorf("reboot command failed: %w", err)
	}
	wait(ctx, b.seconds("post_reboot_delay", 0))
	limit, cancel := context.WithTimeout(ctx, max(b.seconds("reboot_timeout", 600), time.Second))
	defer cancel()
	err = b.awaitBoot(limit, before)
	elapsed := int64(time.Since(start).Seconds())
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return value.DictOf("changed", true, "failed", true, "rebooted", true, "elapsed", elapsed,
			"msg", fmt.Sprintf("timed out waiting for the machine to come back: %v", err)), nil
	}
	return value.DictOf("changed", true, "rebooted", true, "elapsed", elapsed), nil
}

type booter struct{ c *Call }

func (b *booter) text(name, dflt string) string {
	if s := textArg(b.c.Args, name); s != "" {
		return s
	}
	return dflt
}

func (b *booter) seconds(name string, dflt float64) time.Duration {
	v, ok := b.c.Args.GetString(name)
	if !ok || v == nil {
		v, ok = b.c.Args.GetString(name + "_sec")
	}
	if !ok || v == nil {
		return time.Duration(dflt * float64(time.Second))
	}
	return time.Duration(value.Float(numberOf(v)) * float64(time.Second))
}

// run runs a command line on the host as the task's user and gives its output.
func (b *booter) run(ctx context.Context, line string) (string, error) {
	res, err := b.c.Run.Module(ctx, "ansible.builtin.command", value.DictOf("_raw_params", line))
	if err != nil {
		return "", err
	}
	out := textArg(res, "stdout")
	if isTrueKey(res, "failed") {
		return out, errors.New(first(textArg(res, "stderr"), textArg(res, "msg")))
	}
	return strings.TrimSpace(out), nil
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// command is what restarts the machine: reboot_command, or shutdown where it is found.
func (b *booter) command(ctx context.Context) (string, error) {
	if cmd := textArg(b.c.Args, "reboot_command"); cmd != "" {
		return cmd, nil
	}
	paths := []value.Value{"/sbin", "/bin", "/usr/sbin", "/usr/bin", "/usr/local/sbin"}
	if v, ok := b.c.Args.GetString("search_paths"); ok && v != nil {
		paths = listOf(v).V
	}
	minutes := int64(b.seconds("pre_reboot_delay", 0).Minutes())
	for _, p := range paths {
		exe := path.Join(value.Str(p), "shutdown")
		res, err := b.c.Run.Module(ctx, "ansible.builtin.stat", value.DictOf("path", exe, "get_checksum", false))
		if err != nil {
			return "", err
		}
		if st, _ := res.GetString("stat"); st != nil {
			if d, ok := st.(*value.Dict); ok && isTrueKey(d, "exists") {
				return fmt.Sprintf("%s -r %d %s", exe, minutes, shellQuote(b.text("msg", "Reboot initiated by Ansible"))), nil
			}
		}
	}
	return "", fmt.Errorf("unable to find command shutdown in search paths")
}

// awaitBoot tries until the boot id is another one and the test command works.
func (b *booter) awaitBoot(ctx context.Context, before string) error {
	attempt := max(b.seconds("connect_timeout", 10), time.Second)
	last := errors.New("it did not go down")
	for pause := time.Second; ctx.Err() == nil; pause = min(2*pause, 12*time.Second) {
		once, cancel := context.WithTimeout(ctx, attempt)
		_ = b.c.Run.Reset(once)
		id, err := b.run(once, b.text("boot_time_command", "cat /proc/sys/kernel/random/boot_id"))
		if err == nil && id != before {
			if _, err = b.run(once, b.text("test_command", "whoami")); err == nil {
				cancel()
				return nil
			}
		}
		cancel()
		if err != nil {
			last = err
		}
		wait(ctx, pause)
	}
	return last
}
