package cli

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"fettle/cmd/internal/config"
	"fettle/engine/diag"
	"fettle/engine/event"
	"fettle/engine/mask"
	"fettle/engine/plan"
	"fettle/engine/run"
	"fettle/engine/runner"
	"fettle/engine/template"
	_ "fettle/engine/template/ansible" // filters, tests and lookups register themselves
	"fettle/engine/transport"
	"fettle/engine/transport/become"
	"fettle/engine/transport/container"
	"fettle/engine/transport/local"
	"fettle/engine/transport/openssh"
	"fettle/engine/transport/ssh"
	"fettle/engine/value"
	"fettle/engine/vars"
	"fettle/engine/vault"
	"fettle/inventory"
	_ "fettle/modules/all" // so do the modules
	"fettle/playbooks/compile"
)

// session is what a command works with: the configuration, secrets, inventory and engine,
// made from the flags. Close ends everything it started.
type session struct {
	s       *Streams
	o       *runOptions
	cfg     *config.Config
	mask    *mask.Masker
	secrets *vault.Secrets
	inv     *inventory.Inventory
	extra   *value.Vars
	engine  *template.Engine
	store   *vars.Store
	pool    *runner.Runners
	ssh     *ssh.Dialer
	diags   *diag.List
	sink    event.Sink      // takes warnings once a run has begun
	asked   *run.Connection // the passwords of an earlier run
	// closeLog ends the copy of the output that log_path asks for.
	closeLog func()
	// watch sees every event beside the reporter.
	watch    func(event.Event)
	rejected map[string]bool // modules that plugin_filters_cfg takes away
	log      *logFile        // what log_path names, when it is written separately (log_verbosity)
	what     string          // the playbooks, for who finds a host locked
}

// watched is a sink with somebody looking over its shoulder.
type watched struct {
	event.Sink
	watch func(event.Event)
}

func (w watched) Emit(e event.Event) {
	w.Sink.Emit(e)
	w.watch(e)
}

// open reads configuration, secrets, extra vars and inventory, in this order.
func open(ctx context.Context, s *Streams, o *runOptions) (*session, error) {
	noQuestions.Store(o.cron)
	ss := &session{s: s, o: o, mask: &mask.Masker{}, diags: &diag.List{}}
	environ, wd := o.environ, o.dir
	if environ == nil {
		environ = os.Environ()
	}
	if wd == "" {
		var err error
		if wd, err = os.Getwd(); err != nil {
			return nil, err
		}
	}
	var err error
	cfg, problems := config.Load(environ, wd)
	if err := problems.Err(); err != nil {
		return nil, withCode(exitOptions, err)
	}
	ss.cfg = cfg
	o.verbosity += cfg.Int("DEFAULT_VERBOSITY")
	ss.diags.Add(problems.Sorted()...)
	ss.openLog()
	if err := ss.refuse(); err != nil {
		return nil, withCode(exitOptions, err)
	}
	if err := ss.moduleFilters(); err != nil {
		return nil, err
	}
	if ss.secrets, err = ss.vaultSecrets(ctx); err != nil {
		return nil, err
	}
	if ss.extra, err = extraVars(o.extraVars, ss.cfg.String("DEFAULT_HASH_BEHAVIOUR") == "merge", ss.decryptFile); err != nil {
		return nil, err
	}
	if err := ss.makeEngine(); err != nil {
		return nil, err
	}
	if err := ss.loadInventory(ctx); err != nil {
		return nil, err
	}
	return ss, nil
}

// refuse names flags that are accepted by ansible-playbook but mean nothing here.
func (ss *session) refuse() error {
	o := ss.o
	for name, v := range map[string]string{"--sftp-extra-args": o.sftpArgs, "--scp-extra-args": o.scpArgs} {
		if v != "" {
			return fmt.Errorf("%s is not supported: files travel over the ssh connection itself; use --ssh-common-args", name)
		}
	}
	if o.askPass && o.passwordFile != "" {
		return fmt.Errorf("--ask-pass and --connection-password-file exclude each other")
	}
	if o.askBecomePass && o.becomePassFile != "" {
		return fmt.Errorf("--ask-become-pass and --become-password-file exclude each other")
	}
	return nil
}

func (ss *session) makeEngine() error {
	compat, err := template.ParseCompat(ss.o.compat)
	if err != nil {
		return withCode(exitOptions, err)
	}
	ss.engine = template.New(template.Options{Compat: compat, Native: ss.cfg.IsSet("DEFAULT_JINJA2_NATIVE") && ss.cfg.Bool("DEFAULT_JINJA2_NATIVE"), Decrypt: ss.decryptValue, Secret: ss.mask.Add, Files: templateFiles{ss}, Warn: ss.warn})
	return nil
}

// warn shows a warning: as an event while a run reports, at once otherwise.
func (ss *session) warn(d *diag.Diagnostic) {
	if ss.sink != nil {
		ss.sink.Emit(event.Warning{Text: d.Summary, Pos: d.At})
		return
	}
	printDiagnostics(ss.s.Err, []*diag.Diagnostic{d})
}

func (ss *session) loadInventory(ctx context.Context) error {
	sources := ss.o.inventory
	if len(sources) == 0 {
		sources = ss.cfg.List("DEFAULT_HOST_LIST")
	}
	opts := inventory.Options{Decrypt: ss.decryptFile, Render: ss.renderInventory, Context: ctx, Environ: ss.environ(), ExtraVars: ss.extra}
	ss.inventorySettings(&opts)
	cache := ss.openFactCache()
	opts.Facts = ss.cachedFacts(cache)
	inv, diags := inventory.Load(sources, opts)
	ss.diags.Add(diags.Sorted()...)
	ss.inv = inv
	ss.store = vars.NewStore(inv, ss.extra, ss.magic())
	ss.store.MergeHashes = ss.cfg.String("DEFAULT_HASH_BEHAVIOUR") == "merge"
	ss.store.Settings = ss.setting
	ss.store.Connection = ss.connectionVars()
	ss.keepFacts(cache)
	ss.store.NoInjectFacts = !ss.cfg.Bool("INJECT_FACTS_AS_VARS")
	return nil
}

// connectionVars are what tasks see of the connection when no variable is set.
func (ss *session) connectionVars() *value.Vars {
	m, at := &value.Vars{}, diag.Pos{}
	m.Set("ansible_connection", first(ss.o.connection, ss.cfg.String("DEFAULT_TRANSPORT"), "ssh"), at)
	m.Set("ansible_shell_executable", first(ss.cfg.String("DEFAULT_EXECUTABLE"), "/bin/sh"), at)
	m.Set("ansible_timeout", int64(ss.cfg.Int("DEFAULT_TIMEOUT")), at)
	m.Set("ansible_pipelining", ss.cfg.Bool("ANSIBLE_PIPELINING"), at)
	if user := first(ss.o.user, ss.cfg.String("DEFAULT_REMOTE_USER")); user != "" {
		m.Set("ansible_user", user, at)
		m.Set("ansible_ssh_user", user, at)
	}
	return m
}

// asyncDir is the setting async_dir where one is given.
func (ss *session) asyncDir() string {
	const name = "sh:async_dir"
	if !ss.cfg.IsSet(name) {
		return ""
	}
	return ss.cfg.String(name)
}

// setting answers lookup config.
func (ss *session) setting(name, pluginType, plugin string) (value.Value, string, bool) {
	if pluginType != "" || plugin != "" {
		name = plugin + ":" + name
	}
	for _, s := range ss.cfg.Settings() {
		if s.Name == name {
			return ss.cfg.Value(name), ss.cfg.Origin(name), true
		}
	}
	return nil, "", false
}

func (ss *session) environ() []string {
	if ss.o.environ != nil {
		return ss.o.environ
	}
	return os.Environ()
}

func (ss *session) inventorySettings(o *inventory.Options) {
	c := ss.cfg
	o.Enabled, o.IgnoreExts, o.IgnorePatterns = c.List("INVENTORY_ENABLED"), c.List("INVENTORY_IGNORE_EXTS"), c.List("INVENTORY_IGNORE_PATTERNS")
	o.VarsExts, o.TransformGroups = c.List("YAML_FILENAME_EXTENSIONS"), c.String("TRANSFORM_INVALID_GROUP_CHARS")
	o.MergeHashes = c.String("DEFAULT_HASH_BEHAVIOUR") == "merge"
	o.PatternMismatch = c.String("HOST_PATTERN_MISMATCH")
	o.UseExtraVars = c.Bool("constructed:use_extra_vars")
	if c.Bool("INVENTORY_ANY_UNPARSED_IS_FAILED") {
		o.AnyUnparsed = "error"
	}
	switch {
	case c.Bool("INVENTORY_UNPARSED_IS_FAILED"):
		o.Unparsed = "error"
	case !c.Bool("INVENTORY_UNPARSED_WARNING"):
		o.Unparsed = "ignore"
	}
}

// renderInventory is for inventory plugins that compute groups and variables.
func (ss *session) renderInventory(src string, at diag.Pos, vs *value.Dict) (value.Value, error) {
	t := ss.engine.NewContext(context.Background(), template.MapScope{Dict: vs})
	return t.Render(template.NewTemplate(src, at))
}

// magic are the magic variables of the whole run.
func (ss *session) magic() *value.Vars {
	m := &value.Vars{}
	at := diag.Pos{}
	o := ss.o
	sources := value.NewList()
	for _, i := range ss.inv.Sources() {
		sources.V = append(sources.V, i)
	}
	m.Set("ansible_inventory_sources", sources, at)
	m.Set("ansible_check_mode", o.check, at)
	m.Set("ansible_diff_mode", o.diff, at)
	m.Set("ansible_verbosity", int64(o.verbosity), at)
	m.Set("ansible_forks", int64(ss.forks()), at)
	m.Set("ansible_version", value.DictOf("full", ansibleVersion, "major", int64(2), "minor", int64(19), "revision", int64(0), "string", ansibleVersion), at)
	m.Set("ansible_config_file", ss.cfg.String("CONFIG_FILE"), at)
	m.Set("ansible_playbook_python", "", at)
	m.Set("omit", value.Omit, at)
	m.Set("ansible_run_tags", value.NewList("all"), at)
	m.Set("ansible_skip_tags", value.NewList(), at)
	m.Set("environment", value.NewList(), at)
	if o.limit != "" {
		m.Set("ansible_limit", o.limit, at)
	}
	return m
}

// ansibleVersion is the release whose behaviour is followed; playbooks compare it.
const ansibleVersion = "2.19.0"

func (ss *session) forks() int {
	if ss.o.forks > 0 {
		return ss.o.forks
	}
	if n := ss.cfg.Int("DEFAULT_FORKS"); n > 0 && ss.cfg.IsSet("DEFAULT_FORKS") {
		return n
	}
	return 50
}

func (ss *session) decryptFile(file string, text []byte) ([]byte, error) {
	plain, _, err := ss.secrets.Decrypt(text)
	if err != nil {
		return nil, fmt.Errorf("cannot decrypt %s: %w", file, err)
	}
	return plain, nil
}

func (ss *session) decryptValue(e *value.Encrypted) (value.Value, error) {
	plain, _, err := ss.secrets.Decrypt([]byte(e.Text))
	if err != nil {
		return nil, fmt.Errorf("cannot decrypt the value at %s: %w", e.At, err)
	}
	ss.mask.Add(string(plain))
	return &value.Secret{V: string(plain)}, nil
}

// connect makes the pool of connections.
func (ss *session) connect() error {
	if ss.pool != nil {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot find the program itself: %w", err)
	}
	bins, err := runner.Embedded(self)
	if err != nil {
		return err
	}
	asks := func(ctx context.Context, text string, echo bool) (string, bool, error) {
		return ask(ctx, text, echo, 0)
	}
	if tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0); err != nil {
		asks = nil // nobody is there to be asked
	} else {
		_ = tty.Close()
	}
	program := &openssh.Dialer{Askpass: self, Ask: asks}
	ss.ssh = &ssh.Dialer{Ask: asks}
	if _, err := exec.LookPath("ssh"); err == nil {
		ss.ssh.Program = program
	}
	dialers := map[string]transport.Dialer{"ssh": ss.ssh, "openssh": program, "local": local.Dialer{}} // as in connectionKinds
	for _, k := range container.Kinds() {
		dialers[k] = container.Dialer{Kind: k}
	}
	ss.pool = runner.New(runner.Options{Binaries: bins, Dialers: dialers, Reconnect: time.Duration(ss.o.reconnect) * time.Second, Lock: ss.lock()})
	return nil
}

func (ss *session) close() {
	if ss.pool != nil {
		_ = ss.pool.Close()
		_ = ss.ssh.Close()
	}
	if ss.closeLog != nil {
		ss.closeLog()
	}
}

// connection are the defaults for reaching hosts: flags win over ansible.cfg.
func (ss *session) connection(ctx context.Context) (run.Connection, error) {
	o, c := ss.o, ss.cfg
	d := run.Connection{
		Connection: first(o.connection, c.String("DEFAULT_TRANSPORT")), User: first(o.user, c.String("DEFAULT_REMOTE_USER")),
		KeyFile: first(o.privateKey, c.String("DEFAULT_PRIVATE_KEY_FILE")), Port: c.Int("DEFAULT_REMOTE_PORT"),
		Become: o.become || c.Bool("DEFAULT_BECOME"), BecomeMethod: first(o.becomeMethod, c.String("DEFAULT_BECOME_METHOD")),
		BecomeUser: first(o.becomeUser, c.String("DEFAULT_BECOME_USER")), BecomeExe: c.String("DEFAULT_BECOME_EXE"),
		BecomeFlags: c.String("DEFAULT_BECOME_FLAGS"), CommonArgs: first(o.commonArgs, c.String("ssh:ssh_common_args")),
		ExtraArgs: first(o.extraArgs, c.String("ssh:ssh_extra_args")), HostKeyChecking: c.Bool("HOST_KEY_CHECKING"),
		Timeout: c.Int("DEFAULT_TIMEOUT"), Retries: c.Int("ssh:reconnection_retries"),
	}
	ss.pluginSettings(&d)
	if o.timeout > 0 {
		d.Timeout = o.timeout
	}
	if c.IsSet("ssh:ssh_args") {
		d.SSHArgs = c.String("ssh:ssh_args")
	}
	if ss.asked != nil {
		d.Password, d.BecomePassword = ss.asked.Password, ss.asked.BecomePassword
		return d, nil
	}
	var err error
	passwordFile := first(o.passwordFile, c.String("CONNECTION_PASSWORD_FILE"))
	switch {
	case o.askPass || passwordFile == "" && c.Bool("DEFAULT_ASK_PASS"):
		d.Password, err = askSecret(ctx, "SSH password: ")
	case passwordFile != "":
		d.Password, err = passwordFrom(passwordFile)
	}
	if err != nil {
		return d, err
	}
	becomeFile := first(o.becomePassFile, c.String("BECOME_PASSWORD_FILE"))
	switch {
	case o.askBecomePass || becomeFile == "" && c.Bool("DEFAULT_BECOME_ASK_PASS"):
		d.BecomePassword, err = askSecret(ctx, "BECOME password[defaults to SSH password]: ")
		if d.BecomePassword == "" {
			d.BecomePassword = d.Password
		}
	case becomeFile != "":
		d.BecomePassword, err = passwordFrom(becomeFile)
	}
	ss.mask.Add(d.Password)
	ss.mask.Add(d.BecomePassword)
	if d.Password != "" {
		for _, name := range []string{"ansible_password", "ansible_ssh_pass", "ansible_ssh_password"} {
			ss.store.Connection.Set(name, &value.Secret{V: d.Password}, diag.Pos{})
		}
	}
	if err == nil {
		ss.asked = &d
	}
	return d, err
}

// pluginSettings are those of the plugins for ssh and becoming, which win over the general ones.
func (ss *session) pluginSettings(d *run.Connection) {
	c := ss.cfg
	if c.IsSet("ssh:timeout") {
		d.Timeout = c.Int("ssh:timeout")
	}
	if c.IsSet("ssh:host_key_checking") {
		d.HostKeyChecking = c.Bool("ssh:host_key_checking")
	}
	d.Vars = map[string]string{}
	for name, setting := range connectionSettings {
		if c.IsSet(setting) {
			d.Vars[name] = c.String(setting)
		}
	}
	d.BecomeBy = map[string]run.BecomeDefaults{}
	for _, m := range become.Methods() {
		if m == "runuser" {
			continue // it has none
		}
		plugin, b := m, run.BecomeDefaults{}
		if m == "sudosu" {
			plugin = "sudo"
		} else if c.IsSet(plugin + ":become_exe") {
			b.Exe = c.String(plugin + ":become_exe")
		}
		if c.IsSet(plugin + ":become_flags") {
			b.Flags = c.String(plugin + ":become_flags")
		}
		if c.IsSet(plugin+":become_user") && ss.o.becomeUser == "" {
			b.User = c.String(plugin + ":become_user")
		}
		if c.IsSet(plugin + ":become_pass") {
			b.Password = c.String(plugin + ":become_pass")
		}
		d.BecomeBy[m] = b
	}
}

// connectionSettings are those that stand for variables of connections.
var connectionSettings = map[string]string{
	"ansible_sshpass_prompt": "ssh:sshpass_prompt", "ansible_ssh_executable": "ssh:ssh_executable", "ansible_ssh_pkcs11_provider": "ssh:pkcs11_provider",
	"ansible_docker_extra_args": "docker:docker_extra_args", "ansible_docker_privileged": "docker:privileged", "ansible_docker_working_dir": "docker:working_dir",
	"ansible_podman_executable": "podman:podman_executable", "ansible_podman_extra_args": "podman:podman_extra_args",
	"ansible_chroot_exe": "chroot:chroot_exe", "ansible_chroot_disable_root_check": "chroot:disable_root_check", "ansible_nsenter_pid": "nsenter:nsenter_pid",
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// passwordFrom reads a password file; an executable one is run and its output taken.
func passwordFrom(file string) (string, error) {
	file = expandHome(file)
	info, err := os.Stat(file)
	if err != nil {
		return "", fmt.Errorf("the password file %s was not found", file)
	}
	var out []byte
	if info.Mode()&0o111 != 0 {
		out, err = exec.Command(file).Output()
	} else {
		out, err = os.ReadFile(file)
	}
	if err != nil {
		return "", fmt.Errorf("cannot read the password file %s: %w", file, err)
	}
	return strings.TrimSpace(string(out)), nil
}

func (ss *session) colored() bool {
	if ss.cfg.Bool("ANSIBLE_FORCE_COLOR") {
		return true
	}
	return ss.s.Terminal && !ss.cfg.Bool("ANSIBLE_NOCOLOR") && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// compileOptions are those of loading playbooks.
func (ss *session) compileOptions(playbooks []string) compile.Options {
	c := ss.cfg
	return compile.Options{Playbooks: playbooks, ExtraVars: ss.extra, RolesPath: c.List("DEFAULT_ROLES_PATH"), CollectionsPath: c.List("COLLECTIONS_PATHS"),
		PluginPaths: pluginPaths(c), Rejected: ss.rejected,
		LibraryPath: append(pathLists(ss.o.modulePath), c.List("DEFAULT_MODULE_PATH")...), Decrypt: func(text []byte, file string) ([]byte, error) { return ss.decryptFile(file, text) }, Templates: ss.engine, Magic: ss.store.Magic, Variables: ss.knownVariables(),
		Duplicates:   ss.cfg.String("DUPLICATE_YAML_DICT_KEY"),
		PrivateRoles: ss.cfg.Bool("DEFAULT_PRIVATE_ROLE_VARS")}
}

// knownVariables are the names that the inventory and the variables beside it define for
// any host.
func (ss *session) knownVariables() []string {
	seen := map[string]bool{}
	for _, h := range append(ss.inv.Hosts(), ss.inv.Host("localhost")) {
		for _, l := range h.Layers("") {
			for n := range l.Vars.All() {
				seen[n] = true
			}
		}
	}
	out := make([]string, 0, len(seen))
	for n := range seen {
		out = append(out, n)
	}
	return sorted(out)
}

// pluginPaths are the folders that the settings name for kinds of plugins which a playbook names.
func pluginPaths(c *config.Config) map[string][]string {
	out := map[string][]string{}
	for _, kind := range []string{"action", "filter", "test", "lookup"} {
		out[kind] = c.List("DEFAULT_" + strings.ToUpper(kind) + "_PLUGIN_PATH")
	}
	return out
}

func pathLists(in []string) []string {
	var out []string
	for _, p := range in {
		out = append(out, filepath.SplitList(p)...)
	}
	return out
}

// execute runs a plan and returns its exit code.
func (ss *session) execute(ctx context.Context, p *plan.Plan, x plan.Expander, change func(*run.Options)) error {
	if err := ss.connect(); err != nil {
		return err
	}
	defaults, err := ss.connection(ctx)
	if err != nil {
		return err
	}
	rep, err := ss.reporter()
	if err != nil {
		return err
	}
	ss.sink = ss.logging(rep)
	if !ss.cfg.Bool("DEPRECATION_WARNINGS") {
		ss.sink = quiet{ss.sink}
	}
	if ss.watch != nil {
		ss.sink = watched{ss.sink, ss.watch}
	}
	o := run.Options{Plan: p, Expander: x, Inventory: ss.inv, Store: ss.store, Templates: ss.engine, Pool: ss.pool, Sink: ss.sink, Masker: ss.mask,
		Limit: ss.o.limit, Check: ss.o.check, Diff: ss.o.diff || ss.cfg.Bool("DIFF_ALWAYS"), Forks: ss.forks(), Verbosity: ss.detail(), Ask: ask, Defaults: defaults,
		Strategy: ss.cfg.String("DEFAULT_STRATEGY"), AnyErrorsFatal: ss.cfg.Bool("ANY_ERRORS_FATAL"), ForceHandlers: ss.cfg.Bool("DEFAULT_FORCE_HANDLERS"),
		EnableDebugger: ss.cfg.Bool("ENABLE_TASK_DEBUGGER"), DebugIgnoresIgnored: ss.cfg.Bool("TASK_DEBUGGER_IGNORE_ERRORS"),
		PublicIncludes:  ss.cfg.IsSet("DEFAULT_PRIVATE_ROLE_VARS") && !ss.cfg.Bool("DEFAULT_PRIVATE_ROLE_VARS"),
		LenientHandlers: !ss.cfg.Bool("ERROR_ON_MISSING_HANDLER"), NoLog: ss.cfg.Bool("DEFAULT_NO_LOG"), DisplayArgs: ss.cfg.Bool("DISPLAY_ARGS_TO_STDOUT"),
		PollInterval: ss.cfg.Int("DEFAULT_POLL_INTERVAL"),
		TaskTimeout:  ss.cfg.Int("TASK_TIMEOUT"), AsyncDir: ss.asyncDir(), HostTimeout: time.Duration(ss.o.hostTimeout) * time.Second, Gathering: ss.cfg.String("DEFAULT_GATHERING"), Rand: rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))}
	if ss.cfg.IsSet("DEFAULT_MANAGED_STR") {
		o.Managed = ss.cfg.String("DEFAULT_MANAGED_STR")
	}
	if ss.s.Terminal {
		o.Progress = 100 * time.Millisecond
		o.Live = true
	}
	if change != nil {
		change(&o)
	}
	in := watchInterrupts(ctx)
	code, err := run.Run(in.hard, in.stop, o)
	in.release()
	if cerr := rep.Close(); err == nil && cerr != nil {
		err = cerr
	}
	ss.sink = nil
	if err != nil {
		return withCode(max(code, exitError), err)
	}
	return exit(in.exitCode(code))
}

// templateFiles finds templates for include, import and extends.
type templateFiles struct{ ss *session }

// ReadTemplate implements template.Files.
func (f templateFiles) ReadTemplate(name string, search []string) (text, path string, err error) {
	for _, p := range templatePaths(name, search) {
		b, err := os.ReadFile(p)
		if err != nil {
			if os.IsNotExist(err) {
				continue
			}
			return "", "", err
		}
		if strings.HasPrefix(string(b), "$ANSIBLE_VAULT") {
			if b, err = f.ss.decryptFile(p, b); err != nil {
				return "", "", err
			}
		}
		return string(b), p, nil
	}
	return "", "", fmt.Errorf("%s: %w", name, os.ErrNotExist)
}

func templatePaths(name string, search []string) []string {
	if filepath.IsAbs(name) {
		return []string{name}
	}
	var out []string
	for _, dir := range search {
		out = append(out, filepath.Join(dir, "templates", name), filepath.Join(dir, name))
	}
	return out
}
