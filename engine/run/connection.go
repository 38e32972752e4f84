package run

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"fettle/engine/event"
	"fettle/engine/plan"
	"fettle/engine/runner"
	"fettle/engine/template"
	"fettle/engine/transport"
	"fettle/engine/transport/become"
	"fettle/engine/value"
	"fettle/modules"
)

// settings finds connection settings: variables win over keywords, keywords over the
// command line and the configuration. (Ansible: precedence rules, "variables override keywords".)
type settings struct {
	t    *template.Context
	mask interface{ Reveal(value.Value) value.Value }
}

// variable returns the first of the variables that is set and not empty, rendered.
func (s *settings) variable(names ...string) (value.Value, error) {
	for _, n := range names {
		raw, ok := s.t.Scope().Lookup(n)
		if !ok {
			continue
		}
		v, err := s.t.Render(raw)
		if err != nil {
			return nil, fmt.Errorf("variable %s: %w", n, err)
		}
		if v == value.Value(value.Omit) || v == nil {
			continue
		}
		return s.mask.Reveal(v), nil
	}
	return nil, nil
}

func (s *settings) keyword(a plan.Attr) (value.Value, error) {
	if !a.Set {
		return nil, nil
	}
	v, err := s.t.Render(a.Value)
	if err != nil {
		return nil, err
	}
	if v == value.Value(value.Omit) {
		if a.Outer != nil {
			return s.keyword(*a.Outer)
		}
		return nil, nil
	}
	return s.mask.Reveal(v), nil
}

// inKeyword names the keyword whose value is wrong, by the variable that goes before it.
func inKeyword(name string, err error) error {
	name = strings.TrimPrefix(name, "ansible_")
	if name == "user" {
		name = "remote_user"
	}
	return &taskError{"Error processing keyword '" + name + "'", err}
}

func (s *settings) text(dflt string, kw plan.Attr, names ...string) (string, error) {
	v, err := s.variable(names...)
	if err == nil && v == nil {
		if v, err = s.keyword(kw); err != nil {
			err = inKeyword(names[0], err)
		}
	}
	if err != nil || v == nil {
		return dflt, err
	}
	return value.Str(v), nil
}

func (s *settings) number(dflt int, kw plan.Attr, names ...string) (int, error) {
	text, err := s.text("", kw, names...)
	if err != nil || text == "" {
		return dflt, err
	}
	var n int
	if _, err := fmt.Sscanf(text, "%d", &n); err != nil {
		return 0, fmt.Errorf("%s: %q is not a number", names[0], text)
	}
	return n, nil
}

func (s *settings) flag(dflt bool, kw plan.Attr, names ...string) (bool, error) {
	v, err := s.variable(names...)
	if err == nil && v == nil {
		if v, err = s.keyword(kw); err != nil {
			err = inKeyword(names[0], err)
		}
	}
	if err != nil || v == nil {
		return dflt, err
	}
	return modules.ToBool(v)
}

// account resolves where and as whom a task runs. name is the inventory name of the host
// whose variables t sees (the delegated host's for a delegated task).
func (r *run) account(t *template.Context, task *plan.Task, name string) (*runner.Account, error) {
	s := &settings{t, r.Masker}
	target, err := r.target(s, task, name)
	if err != nil {
		return nil, err
	}
	become, err := r.become(s, task)
	if err != nil {
		return nil, err
	}
	if become != nil && become.User == target.User && target.User != "" {
		become = nil // already that user (become_allow_same_user is off)
	}
	return &runner.Account{Target: target, Become: become}, nil
}

// traceBecome tells, with -vvvv, how a task becomes another user; once a host and user.
func (r *run) traceBecome(host string, a *runner.Account) {
	if a.Become == nil {
		return
	}
	b := a.Become
	p, err := become.Wrap(become.Options{Method: b.Method, User: b.User, Exe: b.Exe, Flags: b.Flags}, "fettle-runner", "")
	if err != nil {
		return // it fails when it is used
	}
	text := fmt.Sprintf("<%s> EXEC %s", host, p.Command)
	r.emitMu.Lock()
	known := r.warned[text]
	r.warned[text] = true
	r.emitMu.Unlock()
	if !known {
		r.emitLater(event.Note{Text: r.Masker.String(text), Level: 4})
	}
}

func (r *run) target(s *settings, task *plan.Task, name string) (*transport.Target, error) {
	d := r.Defaults
	kw := &plan.Keywords{}
	if task != nil {
		kw = &task.Keywords
	}
	t := &transport.Target{Name: name, HostKeyChecking: d.HostKeyChecking, Timeout: d.Timeout, Retries: d.Retries}
	var err error
	get := func(dst *string, dflt string, a plan.Attr, names ...string) {
		if err == nil {
			*dst, err = s.text(dflt, a, names...)
		}
	}
	none := plan.Attr{}
	var key, args, common, extra, checking string
	get(&t.Connection, d.Connection, kw.Connection, "ansible_connection")
	get(&t.Address, name, none, "ansible_ssh_host", "ansible_host")
	get(&t.User, d.User, kw.RemoteUser, "ansible_ssh_user", "ansible_user")
	get(&t.Password, d.Password, none, "ansible_ssh_password", "ansible_ssh_pass", "ansible_password")
	get(&key, d.KeyFile, none, "ansible_ssh_private_key_file", "ansible_private_key_file")
	get(&t.PrivateKey, "", none, "ansible_private_key", "ansible_ssh_private_key")
	get(&t.KeyPassphrase, "", none, "ansible_private_key_passphrase", "ansible_ssh_private_key_passphrase")
	get(&args, d.SSHArgs, none, "ansible_ssh_args")
	get(&common, d.CommonArgs, none, "ansible_ssh_common_args")
	get(&extra, d.ExtraArgs, none, "ansible_ssh_extra_args")
	get(&checking, "", none, "ansible_ssh_host_key_checking", "ansible_host_key_checking")
	if err == nil {
		t.Port, err = s.number(d.Port, kw.Port, "ansible_ssh_port", "ansible_port")
	}
	if err == nil {
		t.Timeout, err = s.number(d.Timeout, none, "ansible_ssh_timeout", "ansible_timeout")
	}
	if err != nil {
		return nil, err
	}
	if key != "" {
		t.KeyFiles = []string{expandHome(key)}
	}
	if checking != "" {
		if t.HostKeyChecking, err = modules.ToBool(checking); err != nil {
			return nil, fmt.Errorf("ansible_host_key_checking: %w", err)
		}
	}
	t.Connection = transport.Name(t.Connection)
	if dir, ok := s.t.Scope().Lookup("playbook_dir"); ok && t.Connection == "local" {
		t.Dir = value.Str(dir)
	}
	t.SSHArgs, t.CommonArgs = splitArgs(args), append(splitArgs(common), splitArgs(extra)...)
	t.Extra, err = s.extra(t.Connection, d.Vars)
	r.hide(t)
	return t, err
}

// hide masks what lets somebody in. A password that is the user's name is no secret.
func (r *run) hide(t *transport.Target) {
	if t.Password != t.User {
		r.Masker.Add(t.Password)
	}
	r.Masker.Add(t.KeyPassphrase)
	r.Masker.Add(t.PrivateKey)
	for n, v := range t.Extra {
		if strings.HasSuffix(n, "_token") || strings.HasSuffix(n, "_api_key") || strings.HasSuffix(n, "_password") {
			r.Masker.Add(v)
		}
	}
}

// extra are the variables that only some connections know; defaults are what settings say.
func (s *settings) extra(connection string, defaults map[string]string) (map[string]string, error) {
	out := map[string]string{}
	for _, n := range transport.Variables(connection) {
		if v, ok := defaults[n]; ok {
			out[n] = v
		}
		v, err := s.variable(n)
		if err != nil {
			return nil, err
		}
		switch m := v.(type) {
		case nil:
		case *value.Dict: // environments
			if out[n], err = (value.JSON{}).Encode(m); err != nil {
				return nil, fmt.Errorf("variable %s: %w", n, err)
			}
		default:
			out[n] = value.Str(v)
		}
	}
	return out, nil
}

func (r *run) become(s *settings, task *plan.Task) (*runner.Become, error) {
	d := r.Defaults
	kw := &plan.Keywords{}
	if task != nil {
		kw = &task.Keywords
	}
	on, err := s.flag(d.Become, kw.Become, "ansible_become")
	if err != nil || !on {
		return nil, err
	}
	b := &runner.Become{}
	if b.Method, err = s.text(or(d.BecomeMethod, "sudo"), kw.BecomeMethod, "ansible_become_method"); err != nil {
		return nil, err
	}
	b.Method = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(b.Method, "ansible.builtin."), "community.general."), "ansible.legacy.")
	by := d.BecomeBy[b.Method]
	d.BecomeExe, d.BecomeFlags, d.BecomeUser = or(by.Exe, d.BecomeExe), or(by.Flags, d.BecomeFlags), or(by.User, d.BecomeUser)
	d.BecomePassword = or(d.BecomePassword, by.Password) // -K wins
	m := "ansible_" + b.Method + "_"
	if b.Method == "sudosu" {
		m = "ansible_sudo_"
	}
	if b.User, err = s.text(or(d.BecomeUser, "root"), kw.BecomeUser, "ansible_become_user", m+"user"); err == nil {
		b.Password, err = s.text(d.BecomePassword, plan.Attr{}, "ansible_become_password", "ansible_become_pass", m+"pass", m+"password")
	}
	if err == nil {
		b.Exe, err = s.text(d.BecomeExe, kw.BecomeExe, "ansible_become_exe", m+"exe")
	}
	if err == nil {
		b.Flags, err = s.text(d.BecomeFlags, kw.BecomeFlags, "ansible_become_flags", m+"flags")
	}
	if b.Password != "" {
		r.Masker.Add(b.Password)
	}
	return b, err
}

func or(s, dflt string) string {
	if s != "" {
		return s
	}
	return dflt
}

// expandHome expands a leading ~ on the controller.
func expandHome(p string) string {
	if name, rest, _ := strings.Cut(p, "/"); len(name) > 1 && name[0] == '~' {
		if u, err := user.Lookup(name[1:]); err == nil {
			return filepath.Join(u.HomeDir, rest)
		}
	}
	if p != "~" && !strings.HasPrefix(p, "~/") {
		return p
	}
	home, err := os.UserHomeDir()
	if err != nil {
		if u, uerr := user.Current(); uerr == nil {
			home = u.HomeDir
		}
	}
	return home + p[1:]
}

// splitArgs splits a command line as a shell would, without expanding anything.
func splitArgs(s string) []string {
	var out []string
	var word strings.Builder
	inWord, quote := false, byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case c == '\\' && quote != '\'' && i+1 < len(s):
			i++
			word.WriteByte(s[i])
			inWord = true
		case quote != 0:
			word.WriteByte(c)
		case c == '\'' || c == '"':
			quote, inWord = c, true
		case c == ' ' || c == '\t' || c == '\n':
			if inWord {
				out = append(out, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if inWord {
		out = append(out, word.String())
	}
	return out
}
