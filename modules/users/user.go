package users

import (
	"context"
	"os"

	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.user",
		Summary: "Keep a user account present, with its properties, or absent.",
		Check:   modules.Full,
		Notes: []string{
			"password takes a hash, as made by the password_hash filter; it never stands in the arguments of a process.",
			"authorization, hidden, login_class, profile and role are for other systems; on Linux they give a warning.",
		},
		Examples: `
- name: The account of the application
  ansible.builtin.user:
    name: app
    comment: Application
    uid: 1040
    group: app
    groups: [adm, www-data]
    append: true

- name: Remove somebody with all files
  ansible.builtin.user:
    name: johnd
    state: absent
    remove: true
`,
	}, user)
}

type userArgs struct {
	Name           string   `arg:"name,required" alias:"user" doc:"The account."`
	State          string   `arg:"state" default:"present" choices:"absent,present" doc:"Should it exist?"`
	UID            *int64   `arg:"uid" doc:"Its number."`
	UIDMin         *int64   `arg:"uid_min" doc:"Lowest number to pick for a new account."`
	UIDMax         *int64   `arg:"uid_max" doc:"Highest number to pick for a new account."`
	NonUnique      bool     `arg:"non_unique" default:"false" doc:"The number may be in use already."`
	System         bool     `arg:"system" default:"false" doc:"Make a system account."`
	Comment        *string  `arg:"comment" doc:"Full name, or what the account is for."`
	Group          string   `arg:"group" doc:"Primary group, by name or number."`
	Groups         []string `arg:"groups" elements:"str" doc:"Other groups; an empty list takes the account out of all."`
	Append         bool     `arg:"append" default:"false" doc:"Only add to groups, never take out."`
	Home           string   `arg:"home" type:"path" doc:"Home directory."`
	CreateHome     bool     `arg:"create_home" alias:"createhome" default:"true" doc:"Make the home directory when it is missing."`
	MoveHome       bool     `arg:"move_home" default:"false" doc:"Move the old home directory when home changes."`
	Skeleton       string   `arg:"skeleton" doc:"Folder whose files a new home directory gets."`
	Umask          string   `arg:"umask" doc:"Mode bits that a new home directory does not get."`
	Shell          string   `arg:"shell" type:"path" doc:"Login shell."`
	Password       *string  `arg:"password" no_log:"true" doc:"The password, hashed."`
	PasswordLock   *bool    `arg:"password_lock" doc:"Lock or unlock the password."`
	UpdatePassword string   `arg:"update_password" default:"always" choices:"always,on_create" doc:"Change the password of an account that exists?"`
	ExpireMax      *int64   `arg:"password_expire_max" doc:"Days until the password must be changed."`
	ExpireMin      *int64   `arg:"password_expire_min" doc:"Days before it may be changed."`
	ExpireWarn     *int64   `arg:"password_expire_warn" doc:"Days of warning before it expires."`
	ExpireDisable  *int64   `arg:"password_expire_account_disable" doc:"Days after expiry until the account is disabled."`
	Expires        *float64 `arg:"expires" doc:"When the account expires, in seconds since 1970; negative is never."`
	Remove         bool     `arg:"remove" default:"false" doc:"Delete home directory and mail with the account."`
	Force          bool     `arg:"force" default:"false" doc:"Delete although it is in use; with generate_ssh_key, overwrite the key."`
	Local          bool     `arg:"local" default:"false" doc:"Look at the files of the machine only, not at a directory service."`
	GenerateKey    bool     `arg:"generate_ssh_key" default:"false" doc:"Make an SSH key for the account."`
	KeyType        string   `arg:"ssh_key_type" default:"rsa" doc:"Kind of the key."`
	KeyBits        *int64   `arg:"ssh_key_bits" doc:"Its length."`
	KeyFile        string   `arg:"ssh_key_file" type:"path" doc:"Where it goes, from the home directory."`
	KeyComment     *string  `arg:"ssh_key_comment" doc:"Its comment; ansible-generated on HOSTNAME when not given."`
	KeyPassphrase  *string  `arg:"ssh_key_passphrase" no_log:"true" doc:"Its passphrase."`
	SEUser         string   `arg:"seuser" doc:"SELinux user of a new account."`
	Authorization  string   `arg:"authorization" doc:"Solaris only."`
	Hidden         *bool    `arg:"hidden" doc:"macOS only."`
	LoginClass     string   `arg:"login_class" doc:"BSD only."`
	Profile        string   `arg:"profile" doc:"Solaris only."`
	Role           string   `arg:"role" doc:"Solaris only."`
}

// userReturn holds the keys that depend on what was done; those that were not are absent.
type userReturn struct {
	Name           string  `json:"name,omitempty" doc:"The account." returned:"always"`
	State          string  `json:"state,omitempty" doc:"The state that was asked for." returned:"always"`
	UID            *int64  `json:"uid,omitempty" doc:"Its number." returned:"state is present"`
	GID            *int64  `json:"group,omitempty" doc:"Number of its primary group." returned:"state is present"`
	Groups         *string `json:"groups,omitempty" doc:"The other groups that were asked for." returned:"groups given"`
	Append         *bool   `json:"append,omitempty" doc:"Were groups added only?" returned:"the account existed"`
	Comment        *string `json:"comment,omitempty" doc:"The comment." returned:"state is present"`
	Home           *string `json:"home,omitempty" doc:"Home directory." returned:"state is present"`
	Shell          *string `json:"shell,omitempty" doc:"Login shell." returned:"state is present"`
	CreateHome     *bool   `json:"create_home,omitempty" doc:"Was a home directory asked for?" returned:"the account is new"`
	MoveHome       *bool   `json:"move_home,omitempty" doc:"Was the home directory to be moved?" returned:"the account existed"`
	System         *bool   `json:"system,omitempty" doc:"Was a system account asked for?" returned:"the account is new"`
	Password       string  `json:"password,omitempty" doc:"Never the password." returned:"password given"`
	Force          *bool   `json:"force,omitempty" doc:"Was it deleted by force?" returned:"it was deleted"`
	Remove         *bool   `json:"remove,omitempty" doc:"Were its files deleted?" returned:"it was deleted"`
	KeyFile        string  `json:"ssh_key_file,omitempty" doc:"Where the SSH key is." returned:"generate_ssh_key"`
	KeyFingerprint string  `json:"ssh_fingerprint,omitempty" doc:"Its fingerprint." returned:"generate_ssh_key"`
	PublicKey      string  `json:"ssh_public_key,omitempty" doc:"Its public half." returned:"generate_ssh_key"`
	Rc             *int    `json:"rc,omitempty" doc:"Exit code of the tool." returned:"failure"`
	Stdout         string  `json:"stdout,omitempty" doc:"Output of the tools." returned:"when there is some"`
	Stderr         string  `json:"stderr,omitempty" doc:"Error output of the tools." returned:"when there is some"`
}

// userTask is the state of one call.
type userTask struct {
	h   *modules.Host
	a   userArgs
	now *account // nil: does not exist
	out userReturn
}

func user(ctx context.Context, h *modules.Host, a userArgs) (r modules.Result[userReturn], err error) {
	if err := checkName("user", a.Name); err != nil {
		return r, err
	}
	if a.Password != nil && !looksHashed(*a.Password) {
		h.Warn("The input password appears not to have been hashed. The 'password' argument must be encrypted for this module to work properly.")
	}
	a.warnForeign(h)
	if err := rangesWithLocal(a.Local, "uid", a.UIDMin, a.UIDMax); err != nil {
		return r, err
	}
	if a.Local && a.Umask != "" {
		return r, modules.Failf("'umask' can not be used with 'local'")
	}
	t := &userTask{h: h, a: a}
	if t.now, err = findAccount(ctx, h, a.Name, a.Local); err != nil {
		return r, err
	}
	switch {
	case a.State == "absent":
		err = t.absent(ctx)
	case h.Check && t.now == nil:
		if _, err = t.groups(ctx); err == nil {
			h.MarkChanged()
		}
		return r, err
	default:
		err = t.present(ctx)
	}
	r.Data = t.out
	return r, err
}

func (a *userArgs) warnForeign(h *modules.Host) {
	for name, given := range map[string]bool{"authorization": a.Authorization != "", "hidden": a.Hidden != nil,
		"login_class": a.LoginClass != "", "profile": a.Profile != "", "role": a.Role != ""} {
		if given {
			h.Warn("user: option %s has no effect on Linux", name)
		}
	}
	if a.Append && a.Groups == nil {
		h.Warn("'append' is set, but no 'groups' are specified. Use 'groups' for appending new groups.")
	}
}

func (t *userTask) absent(ctx context.Context) error {
	if t.now != nil {
		argv := []string{"userdel"}
		if t.a.Force {
			argv = append(argv, "-f")
		}
		if t.a.Remove {
			argv = append(argv, "-r")
		}
		if t.h.Check {
			t.h.MarkChanged()
			return nil
		}
		if err := t.run(ctx, append(argv, t.a.Name)); err != nil {
			return err
		}
		t.out.Force, t.out.Remove = &t.a.Force, &t.a.Remove
	}
	t.out.Name, t.out.State = t.a.Name, t.a.State
	return nil
}

func (t *userTask) present(ctx context.Context) error {
	isNew := t.now == nil
	groups, err := t.groups(ctx)
	if err != nil {
		return err
	}
	if isNew {
		err = t.create(ctx, groups)
	} else {
		err = t.modify(ctx, groups)
	}
	if err != nil {
		return err
	}
	now, err := findAccount(ctx, t.h, t.a.Name, t.a.Local)
	if err != nil {
		return err
	}
	if now == nil {
		return modules.Failf("the account %s was not found after it was made", t.a.Name)
	}
	t.now = now
	home := now.Home
	if t.a.Home != "" {
		home = t.a.Home
	}
	if _, err := os.Stat(home); os.IsNotExist(err) && t.a.CreateHome {
		if err := t.h.Act(func() error { return makeHome(home, t.a.Skeleton, t.a.Umask, now) }); err != nil {
			return err
		}
	}
	if t.a.GenerateKey {
		if err := t.sshKey(ctx); err != nil {
			return err
		}
	}
	t.describe(isNew)
	return nil
}

// describe fills the result of a present account.
func (t *userTask) describe(isNew bool) {
	o, a := &t.out, &t.a
	o.Name, o.State = a.Name, a.State
	o.UID, o.GID, o.Comment, o.Home, o.Shell = &t.now.UID, &t.now.GID, &t.now.Gecos, &t.now.Home, &t.now.Shell
	if a.Groups != nil {
		o.Groups = new(joinGroups(a.Groups))
	}
	if a.Password != nil {
		o.Password = "NOT_LOGGING_PASSWORD"
	}
	if isNew {
		o.CreateHome, o.System = &a.CreateHome, &a.System
	} else {
		o.Append, o.MoveHome = &a.Append, &a.MoveHome
	}
}
