package cli

import (
	"github.com/spf13/pflag"
)

// runOptions are the flags that the commands which reach hosts share, with the names and
// meanings they have for ansible-playbook and ansible.
type runOptions struct {
	inventory      []string
	limit          string
	extraVars      []string
	forks          int
	check, diff    bool
	verbosity      int
	flushCache     bool
	modulePath     []string
	user           string
	connection     string
	privateKey     string
	timeout        int
	reconnect      int
	hostTimeout    int
	lock, cron     bool
	lockWait       int
	commonArgs     string
	extraArgs      string
	sftpArgs       string
	scpArgs        string
	askPass        bool
	passwordFile   string
	become         bool
	becomeMethod   string
	becomeUser     string
	askBecomePass  bool
	becomePassFile string
	vault          vaultOptions
	format         string
	listHosts      bool
	compat         string
	// environ and dir stand in for the process's own; the demo is not to depend on them.
	environ []string
	dir     string
}

type vaultOptions struct {
	ask   bool
	ids   []string
	files []string
}

func (o *vaultOptions) flags(f *pflag.FlagSet) {
	f.BoolVarP(&o.ask, "ask-vault-password", "J", false, "ask for the vault password")
	f.BoolVar(&o.ask, "ask-vault-pass", false, "same as --ask-vault-password")
	f.StringArrayVar(&o.ids, "vault-id", nil, "vault identity to use: [label@]source; may be repeated")
	f.StringArrayVar(&o.files, "vault-password-file", nil, "vault password file; may be repeated")
	f.StringArrayVar(&o.files, "vault-pass-file", nil, "same as --vault-password-file")
	hide(f, "ask-vault-pass", "vault-pass-file")
}

func hide(f *pflag.FlagSet, names ...string) {
	for _, n := range names {
		_ = f.MarkHidden(n)
	}
}

func (o *runOptions) inventoryFlags(f *pflag.FlagSet) {
	f.StringArrayVarP(&o.inventory, "inventory", "i", nil, "inventory file, directory or comma separated host list; may be repeated")
	f.StringArrayVar(&o.inventory, "inventory-file", nil, "same as --inventory")
	f.StringVarP(&o.limit, "limit", "l", "", "further limit the hosts to a pattern, or to @FILE")
	f.StringArrayVarP(&o.extraVars, "extra-vars", "e", nil, "variables as key=value, YAML or JSON, or @FILE; may be repeated")
	f.CountVarP(&o.verbosity, "verbose", "v", "say more; -vvv more still")
	o.vault.flags(f)
	hide(f, "inventory-file")
}

func (o *runOptions) connectionFlags(f *pflag.FlagSet) {
	f.StringVarP(&o.user, "user", "u", "", "connect as this user")
	f.StringVarP(&o.connection, "connection", "c", "", "connection type (ssh, local, ...)")
	f.StringVar(&o.privateKey, "private-key", "", "private key file to authenticate with")
	f.StringVar(&o.privateKey, "key-file", "", "same as --private-key")
	f.IntVarP(&o.timeout, "timeout", "T", 0, "seconds to wait for a connection")
	f.IntVar(&o.reconnect, "reconnect", 20, "seconds to try a host again that is lost in the middle of a task; 0: never")
	f.IntVar(&o.hostTimeout, "host-timeout", 0, "seconds the tasks of a host may take together before it is given up as unreachable; 0: any time")
	f.BoolVar(&o.lock, "lock", false, "keep other runs with --lock from the hosts' accounts while this one works there")
	f.IntVar(&o.lockWait, "lock-wait", 0, "seconds to wait for another run that has the lock; a host that stays locked is unreachable")
	f.BoolVar(&o.cron, "cron", false, "nobody is there: ask no questions, and --lock")
	f.StringVar(&o.commonArgs, "ssh-common-args", "", "ssh options for every connection")
	f.StringVar(&o.extraArgs, "ssh-extra-args", "", "ssh options")
	f.StringVar(&o.sftpArgs, "sftp-extra-args", "", "not supported: files travel over the ssh connection itself")
	f.StringVar(&o.scpArgs, "scp-extra-args", "", "not supported: files travel over the ssh connection itself")
	f.BoolVarP(&o.askPass, "ask-pass", "k", false, "ask for the connection password")
	f.StringVar(&o.passwordFile, "connection-password-file", "", "file with the connection password")
	f.StringVar(&o.passwordFile, "conn-pass-file", "", "same as --connection-password-file")
	hide(f, "key-file", "conn-pass-file")
}

func (o *runOptions) becomeFlags(f *pflag.FlagSet) {
	f.BoolVarP(&o.become, "become", "b", false, "become another user")
	f.StringVar(&o.becomeMethod, "become-method", "", "how to become (default sudo)")
	f.StringVar(&o.becomeUser, "become-user", "", "whom to become (default root)")
	f.BoolVarP(&o.askBecomePass, "ask-become-pass", "K", false, "ask for the password to become")
	f.StringVar(&o.becomePassFile, "become-password-file", "", "file with the password to become")
	f.StringVar(&o.becomePassFile, "become-pass-file", "", "same as --become-password-file")
	hide(f, "become-pass-file")
}

func (o *runOptions) runFlags(f *pflag.FlagSet) {
	o.inventoryFlags(f)
	o.connectionFlags(f)
	o.becomeFlags(f)
	f.IntVarP(&o.forks, "forks", "f", 0, "hosts at work at once (default 50)")
	f.BoolVarP(&o.check, "check", "C", false, "predict what would change, change nothing")
	f.BoolVarP(&o.diff, "diff", "D", false, "show differences of what changes")
	f.StringArrayVarP(&o.modulePath, "module-path", "M", nil, "where to look for custom modules, separated by colons")
	f.BoolVar(&o.listHosts, "list-hosts", false, "list the hosts, do nothing else")
	f.StringVar(&o.format, "format", "", "output: human, ansible, json or jsonl")
	f.StringVar(&o.compat, "compat", "", "whose templates: 2.19 (strict) or 2.16; the default is 2.19 that accepts old content")
}
