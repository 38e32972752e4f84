// Package container reaches containers and other roots of this machine through the
// programs that lead there: docker, podman, kubectl, oc, chroot, nsenter. Variables are
// those of Ansible's connection plugins of these names.
package container

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"

	"fettle/engine/transport"
	"fettle/engine/transport/program"
)

// Dialer opens connections of one kind: one of Kinds.
type Dialer struct{ Kind string }

// Kinds are the connections this package knows.
func Kinds() []string {
	return []string{"docker", "podman", "kubectl", "oc", "chroot", "nspawn", "nsenter"}
}

// way is how to run something in a container: the words before the command line, which
// the shell at their end takes.
type way struct {
	words    []string
	terminal []string // in place of words on a terminal; nil means the same
	env      []string // further environment of the program
	secret   []byte   // what the program reads from its third file, at secretPath
}

// Dial looks for the program and the container's name; the container is not spoken to yet.
func (d Dialer) Dial(ctx context.Context, t *transport.Target) (transport.Conn, error) {
	name := t.Address
	if name == "" {
		name = t.Name
	}
	if h := t.Var("ansible_" + d.Kind + "_host"); h != "" && (d.Kind == "docker" || d.Kind == "podman") {
		name = h
	}
	if p := first(t.Var("ansible_"+d.Kind+"_pod"), os.Getenv("K8S_AUTH_POD")); p != "" && (d.Kind == "kubectl" || d.Kind == "oc") {
		name = p
	}
	w, err := d.way(ctx, name, t)
	if err == nil {
		_, err = exec.LookPath(w.words[0])
	}
	if err == nil && strings.HasPrefix(name, "-") {
		err = fmt.Errorf("%q is no name", name)
	}
	if err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			err = fmt.Errorf("the program %s is not there", w.words[0])
		}
		return nil, &transport.UnreachableError{Msg: d.Kind + " " + name + ": " + err.Error(), Err: err}
	}
	return program.New(d.Kind+" "+name, w.command), nil
}

func (w *way) command(line string, terminal bool) *exec.Cmd {
	words := w.words
	if terminal && w.terminal != nil {
		words = append([]string{w.words[0]}, w.terminal[1:]...)
	}
	cmd := exec.Command(words[0], append(slices.Clone(words[1:]), line)...)
	cmd.Env = append(os.Environ(), w.env...)
	if w.secret != nil {
		f, err := secretFile(w.secret)
		if err != nil {
			cmd.Err = err
			return cmd
		}
		cmd.ExtraFiles = []*os.File{f}
	}
	return cmd
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

var shell = []string{"/bin/sh", "-c"}

func (d Dialer) way(ctx context.Context, name string, t *transport.Target) (*way, error) {
	switch d.Kind {
	case "docker", "podman":
		return engine(d.Kind, name, t)
	case "kubectl", "oc":
		return cluster(d.Kind, name, t)
	case "chroot":
		return chroot(name, t)
	case "nspawn":
		return nspawn(ctx, name, t)
	case "nsenter":
		pid := first(t.Var("ansible_nsenter_pid"), os.Getenv("ANSIBLE_NSENTER_PID"), "1")
		return &way{words: slices.Concat([]string{"nsenter", "--ipc", "--mount", "--net", "--pid", "--uts", "--preserve-credentials", "--target=" + pid, "--"}, shell)}, nil
	}
	return &way{words: []string{d.Kind}}, fmt.Errorf("unknown kind of container")
}

// engine is the way of docker and podman. The values of further environment variables stand
// in the environment of the program, where only its user sees them, and not in its arguments.
func engine(kind, name string, t *transport.Target) (*way, error) {
	w := &way{words: []string{kind}}
	extra := t.Var("ansible_docker_extra_args")
	folder, userFlag, user := t.Var("ansible_docker_working_dir"), "-u", first(t.Var("ansible_docker_user"), t.User)
	if kind == "podman" {
		w.words[0] = first(t.Var("ansible_podman_executable"), os.Getenv("ANSIBLE_PODMAN_EXECUTABLE"), kind)
		extra = first(t.Var("ansible_podman_extra_args"), os.Getenv("ANSIBLE_PODMAN_EXTRA_ARGS"))
		folder, userFlag, user = t.Var("ansible_podman_working_directory"), "--user", t.User
	}
	privileged, err := truth("ansible_docker_privileged", t)
	if err != nil {
		return w, err
	}
	var more []string
	if privileged {
		more = append(more, "--privileged")
	}
	env := map[string]json.RawMessage{}
	if text := t.Var("ansible_" + kind + "_extra_env"); text != "" && json.Unmarshal([]byte(text), &env) != nil {
		return w, fmt.Errorf("ansible_%s_extra_env must be a dictionary", kind)
	}
	for _, k := range slices.Sorted(maps.Keys(env)) {
		text := string(env[k])
		_ = json.Unmarshal(env[k], &text) // what is no text stays as JSON writes it
		more, w.env = append(more, "-e", k), append(w.env, k+"="+text)
	}
	if folder != "" {
		more = append(more, "--workdir", folder)
	}
	if user != "" {
		more = append(more, userFlag, user)
	}
	start := slices.Concat(w.words, strings.Fields(extra), []string{"exec", "-i"})
	w.words = slices.Concat(start, more, []string{name}, shell)
	w.terminal = slices.Concat(start, []string{"-t"}, more, []string{name}, shell)
	return w, nil
}

// truth is a variable that is true or false.
func truth(name string, t *transport.Target) (bool, error) {
	switch v := strings.ToLower(t.Var(name)); v {
	case "yes", "true", "1", "on", "y", "t":
		return true, nil
	case "", "no", "false", "0", "off", "n", "f":
		return false, nil
	default:
		return false, fmt.Errorf("%s: %q is neither true nor false", name, v)
	}
}

func chroot(dir string, t *transport.Target) (*way, error) {
	w := &way{words: []string{first(t.Var("ansible_chroot_exe"), os.Getenv("ANSIBLE_CHROOT_EXE"), "chroot"), dir,
		first(t.Var("ansible_executable"), os.Getenv("ANSIBLE_EXECUTABLE"), "/bin/sh"), "-c"}}
	anybody, err := truth("ansible_chroot_disable_root_check", t)
	if err != nil {
		return w, err
	}
	info, err := os.Stat(dir)
	switch {
	case os.Geteuid() != 0 && !anybody:
		return w, errors.New("a chroot connection needs root")
	case err != nil:
		return w, err
	case !info.IsDir():
		return w, fmt.Errorf("%s is no directory", dir)
	}
	return w, nil
}
