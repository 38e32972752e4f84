package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"fettle/cmd/internal/config"
	"fettle/cmd/internal/galaxy"
	"fettle/engine/template"
	"fettle/engine/value"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

type galaxyOptions struct {
	force, forceDeps, noDeps  bool
	ignoreErrors, ignoreCerts bool
	keepSCM, upgrade, pre     bool
	offline, noCache, clear   bool
	noGPG                     bool
	path                      []string
	file, output, format      string
	initPath, skeleton, kind  string
	extraVars                 []string
	timeout                   int
	implicit                  bool // `ansible-galaxy install` without role or collection
	collections               bool // the command is one for collections
}

// serverFlags make sense for a Galaxy server only.
var serverFlags = refused{
	"api-version": "fettle asks no Galaxy server", "server,s": "fettle asks no Galaxy server",
	"token": "fettle asks no Galaxy server", "api-key": "fettle asks no Galaxy server",
}

var signatureFlags = refused{
	"keyring": "signatures of collections are not checked", "signature": "signatures of collections are not checked",
	"required-valid-signature-count": "signatures of collections are not checked",
	"ignore-signature-status-code":   "signatures of collections are not checked",
	"ignore-signature-status-codes":  "signatures of collections are not checked",
}

func newGalaxy(s *Streams) *cobra.Command {
	c := &cobra.Command{Use: "galaxy", Short: "Make, build, install and list roles and collections", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return withCode(exitUsage, fmt.Errorf("the following arguments are required: TYPE (role or collection)"))
		}}
	need := func(*cobra.Command, []string) error {
		return withCode(exitUsage, fmt.Errorf("an action is needed: see --help"))
	}
	verboseParent(s, c)
	role := &cobra.Command{Use: "role", Short: "Roles", Args: cobra.NoArgs, RunE: need}
	collection := &cobra.Command{Use: "collection", Short: "Collections", Args: cobra.NoArgs, RunE: need}
	c.AddCommand(role, collection)
	galaxyRoles(s, role)
	galaxyCollections(s, collection)
	both := galaxyCommand(s, "install [NAME...]", "Install the roles, or the roles and collections of a requirements file", cobra.ArbitraryArgs, installRoles, roleInstallFlags)
	both.Hidden = true
	c.AddCommand(both)
	return c
}

// impliedRole is for `ansible-galaxy init NAME` and the like, which mean a role. Only install
// is more: it takes the collections of a requirements file too.
func impliedRole(args []string) []string {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") || args[0] == "role" || args[0] == "collection" || args[0] == "install" {
		return args
	}
	return append([]string{"role"}, args...)
}

type galaxyRun func(ctx context.Context, cl *galaxy.Client, g *galaxySession, args []string) error

// galaxySession is what a command of galaxy works with.
type galaxySession struct {
	*galaxyOptions
	s   *Streams
	cfg *config.Config
}

func galaxyCommand(s *Streams, use, short string, args cobra.PositionalArgs, run galaxyRun, flags ...func(o *galaxyOptions, f *pflag.FlagSet)) *cobra.Command {
	o := &galaxyOptions{}
	c := &cobra.Command{Use: use, Short: short, Args: usageArgs(args), RunE: func(c *cobra.Command, args []string) error {
		cfg, err := loadConfig(s)
		if err != nil {
			return err
		}
		o.implicit = c.Parent() != nil && c.Parent().Name() == "galaxy"
		g := &galaxySession{o, s, cfg}
		cl := g.client()
		err = run(c.Context(), cl, g, args)
		if cerr := cl.Close(); err == nil {
			err = cerr
		}
		return galaxyError(err)
	}}
	f := c.Flags()
	f.BoolVarP(&o.ignoreCerts, "ignore-certs", "c", false, "do not check the certificates of https servers")
	f.IntVar(&o.timeout, "timeout", 0, "seconds that a download may take (default 60)")
	for _, add := range flags {
		add(o, f)
	}
	refuseFlags(c, serverFlags)
	hide(f, "api-version", "server", "token", "api-key")
	return c
}

// galaxyError gives an error its exit code.
func galaxyError(err error) error {
	var usage *galaxy.UsageError
	switch {
	case errors.Is(err, galaxy.ErrReported):
		return exit(exitError)
	case errors.As(err, &usage):
		return withCode(exitOptions, err)
	}
	return err
}

func (g *galaxySession) client() *galaxy.Client {
	timeout := first2(g.timeout, g.cfg.Int("GALAXY_SERVER_TIMEOUT"))
	t := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // what the standard library has there
	if g.ignoreCerts || g.cfg.Bool("GALAXY_IGNORE_CERTS") {
		t.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // what was asked for
	}
	t.ResponseHeaderTimeout = time.Duration(timeout) * time.Second
	cl := &galaxy.Client{Out: g.s.Out, Err: g.s.Err, HTTP: &http.Client{Transport: t}, Force: g.force || g.forceDeps, ForceDeps: g.forceDeps,
		NoDeps: g.noDeps, IgnoreErrors: g.ignoreErrors, Upgrade: g.upgrade, Pre: g.pre, KeepSCM: g.keepSCM, Configured: g.cfg.List("COLLECTIONS_PATHS")}
	var given []string
	for _, p := range pathLists(g.path) {
		if abs, err := filepath.Abs(expandHome(p)); err == nil {
			given = append(given, abs)
		}
	}
	cl.CollectionsPath = append(given, cl.Configured...)
	if !g.cfg.Bool("GALAXY_COLLECTIONS_PATH_WARNING") {
		cl.Configured = nil
	}
	cl.RolesPath = append(given[:len(given):len(given)], g.cfg.List("DEFAULT_ROLES_PATH")...)
	return cl
}

func first2(a, b int) int {
	if a != 0 {
		return a
	}
	return b
}

func rolesPathFlag(o *galaxyOptions, f *pflag.FlagSet) {
	f.StringArrayVarP(&o.path, "roles-path", "p", nil, "where roles are; may be repeated")
}

func collectionsPathFlag(o *galaxyOptions, f *pflag.FlagSet) {
	f.StringArrayVarP(&o.path, "collections-path", "p", nil, "where collections are; may be repeated")
}

func forceFlag(o *galaxyOptions, f *pflag.FlagSet) {
	f.BoolVarP(&o.force, "force", "f", false, "overwrite what is there")
}

func initFlags(o *galaxyOptions, f *pflag.FlagSet) {
	forceFlag(o, f)
	f.StringVar(&o.initPath, "init-path", "", "where the new folder goes (default: here)")
	f.StringArrayVarP(&o.extraVars, "extra-vars", "e", nil, "variables for the templates of a skeleton")
}

func installFlags(o *galaxyOptions, f *pflag.FlagSet) {
	forceFlag(o, f)
	f.BoolVar(&o.forceDeps, "force-with-deps", false, "overwrite what is there, and what it depends on")
	f.BoolVarP(&o.noDeps, "no-deps", "n", false, "do not install what it depends on")
	f.BoolVarP(&o.ignoreErrors, "ignore-errors", "i", false, "go on with the next one after an error")
}

func roleInstallFlags(o *galaxyOptions, f *pflag.FlagSet) {
	installFlags(o, f)
	rolesPathFlag(o, f)
	f.StringVarP(&o.file, "role-file", "r", "", "a requirements file")
	f.StringVar(&o.file, "requirements-file", "", "same as --role-file")
	f.BoolVarP(&o.keepSCM, "keep-scm-meta", "g", false, "install the whole checkout instead of an archive of it")
	hide(f, "requirements-file")
}

func galaxyRoles(s *Streams, parent *cobra.Command) {
	any0 := cobra.ArbitraryArgs
	initCmd := galaxyCommand(s, "init NAME", "Make the folder of a new role", cobra.ExactArgs(1), initRole, initFlags, func(o *galaxyOptions, f *pflag.FlagSet) {
		f.StringVar(&o.skeleton, "role-skeleton", "", "a folder that the new role starts as")
		f.StringVar(&o.kind, "type", "default", "only default is supported")
		f.BoolVar(&o.offline, "offline", false, "ask no server, as always")
	})
	info := galaxyCommand(s, "info NAME...", "Show what is known of installed roles", cobra.MinimumNArgs(1),
		func(_ context.Context, cl *galaxy.Client, g *galaxySession, args []string) error {
			return cl.RoleInfo(args)
		}, rolesPathFlag, func(o *galaxyOptions, f *pflag.FlagSet) {
			f.BoolVar(&o.offline, "offline", false, "ask no server, as always")
		})
	list := galaxyCommand(s, "list [NAME]", "List installed roles", cobra.MaximumNArgs(1),
		func(_ context.Context, cl *galaxy.Client, _ *galaxySession, args []string) error {
			return cl.ListRoles(strings.Join(args, ""))
		}, rolesPathFlag)
	remove := galaxyCommand(s, "remove NAME...", "Remove installed roles", cobra.MinimumNArgs(1),
		func(_ context.Context, cl *galaxy.Client, _ *galaxySession, args []string) error {
			return cl.RemoveRoles(args)
		}, rolesPathFlag)
	parent.AddCommand(initCmd, info, list, remove,
		galaxyCommand(s, "install [NAME...]", "Install roles from files, URLs, repositories and requirements files", any0, installRoles, roleInstallFlags))
	for _, name := range []string{"delete", "import", "search", "setup"} {
		parent.AddCommand(serverOnly("role", name))
	}
}

// serverOnly refuses a command that only a Galaxy server could do.
func serverOnly(kind, name string) *cobra.Command {
	return &cobra.Command{Use: name, Short: "Not supported: needs a Galaxy server", Hidden: true, DisableFlagParsing: true,
		RunE: func(*cobra.Command, []string) error {
			return withCode(exitOptions, fmt.Errorf("galaxy %s %s is not supported: it is done by a Galaxy server, and fettle asks none", kind, name))
		}}
}

func galaxyCollections(s *Streams, parent *cobra.Command) {
	initCmd := galaxyCommand(s, "init NAMESPACE.NAME", "Make the folder of a new collection", cobra.ExactArgs(1), initCollection, initFlags, func(o *galaxyOptions, f *pflag.FlagSet) {
		f.StringVar(&o.skeleton, "collection-skeleton", "", "a folder that the new collection starts as")
	})
	build := galaxyCommand(s, "build [FOLDER...]", "Build the artifact of a collection", cobra.ArbitraryArgs, buildCollections, forceFlag, func(o *galaxyOptions, f *pflag.FlagSet) {
		f.StringVar(&o.output, "output-path", "./", "where the artifact goes")
	})
	install := galaxyCommand(s, "install [NAME...]", "Install collections from files, folders, URLs, repositories and requirements files", cobra.ArbitraryArgs,
		installCollections, installFlags, collectionsPathFlag, requirementsFlags, func(o *galaxyOptions, f *pflag.FlagSet) {
			o.collections = true
			f.BoolVarP(&o.upgrade, "upgrade", "U", false, "install newer versions of what is there")
			f.BoolVar(&o.offline, "offline", false, "ask no server, as always")
			f.BoolVar(&o.noGPG, "disable-gpg-verify", false, "check no signatures, as always")
		})
	refuseFlags(install, signatureFlags)
	download := galaxyCommand(s, "download [NAME...]", "Gather artifacts of collections for an installation elsewhere", cobra.ArbitraryArgs, downloadCollections, requirementsFlags,
		func(o *galaxyOptions, f *pflag.FlagSet) {
			f.StringVarP(&o.output, "download-path", "p", "./collections", "where they go")
			f.BoolVarP(&o.noDeps, "no-deps", "n", false, "leave out what they depend on")
		})
	list := galaxyCommand(s, "list [NAME]", "List installed collections", cobra.MaximumNArgs(1),
		func(_ context.Context, cl *galaxy.Client, g *galaxySession, args []string) error {
			if g.format != "human" && g.format != "yaml" && g.format != "json" {
				return &galaxy.UsageError{Text: fmt.Sprintf("--format %q is not one of human, yaml, json", g.format)}
			}
			return cl.ListCollections(strings.Join(args, ""), g.format)
		}, collectionsPathFlag, func(o *galaxyOptions, f *pflag.FlagSet) {
			f.StringVar(&o.format, "format", "human", "human, yaml or json")
		})
	verify := galaxyCommand(s, "verify [NAME...]", "Compare installed collections with the manifest that came with them", cobra.ArbitraryArgs, verifyCollections, collectionsPathFlag,
		func(o *galaxyOptions, f *pflag.FlagSet) {
			f.StringVarP(&o.file, "requirements-file", "r", "", "a requirements file")
			f.BoolVarP(&o.ignoreErrors, "ignore-errors", "i", false, "go on with the next one after an error")
			f.BoolVar(&o.offline, "offline", false, "compare with the installed manifest only; needed, as fettle asks no server")
		})
	refuseFlags(verify, signatureFlags)
	parent.AddCommand(initCmd, build, install, download, list, verify, serverOnly("collection", "publish"))
}

func requirementsFlags(o *galaxyOptions, f *pflag.FlagSet) {
	f.StringVarP(&o.file, "requirements-file", "r", "", "a requirements file")
	f.BoolVar(&o.pre, "pre", false, "take pre-releases too, as always")
	f.BoolVar(&o.noCache, "no-cache", false, "use no cache of answers, as always")
	f.BoolVar(&o.clear, "clear-response-cache", false, "clear the cache of answers; there is none")
}

func installRoles(ctx context.Context, cl *galaxy.Client, g *galaxySession, args []string) error {
	if g.file == "" && len(args) == 0 {
		return &galaxy.UsageError{Text: "- you must specify a user/role name or a roles file"}
	}
	var reqs galaxy.Requirements
	for _, a := range args {
		reqs.Roles = append(reqs.Roles, galaxy.ParseRole(a))
	}
	if g.file != "" {
		if !strings.HasSuffix(g.file, ".yml") && !strings.HasSuffix(g.file, ".yaml") {
			return fmt.Errorf("Invalid role requirements file, it must end with a .yml or .yaml extension") //nolint:staticcheck // Ansible's words
		}
		file, err := filepath.Abs(g.file)
		if err != nil {
			return err
		}
		r, err := galaxy.ReadRequirements(file)
		if err != nil {
			return err
		}
		reqs.Roles, reqs.Collections = append(r.Roles, reqs.Roles...), r.Collections
		if len(reqs.Collections) > 0 && (!g.implicit || len(g.path) > 0) {
			fmt.Fprintf(g.s.Err, "[WARNING]: The requirements file '%s' contains collections which will be ignored. To install these collections run 'ansible-galaxy collection install -r' "+
				"or to install both at the same time run 'ansible-galaxy install -r' without a custom install path.\n", file)
			reqs.Collections = nil
		}
	}
	if len(reqs.Roles) > 0 {
		if err := cl.InstallRoles(ctx, reqs.Roles); err != nil {
			return err
		}
	}
	if len(reqs.Collections) > 0 {
		return cl.InstallCollections(ctx, reqs.Collections)
	}
	if len(reqs.Roles) == 0 {
		fmt.Fprintf(g.s.Out, "Skipping install, no requirements found\n")
	}
	return nil
}

// wanted are the collections of the command line and of the requirements file.
func (g *galaxySession) wanted(args []string) ([]galaxy.Collection, error) {
	if g.file != "" && len(args) > 0 {
		return nil, errors.New("The positional collection_name arg and --requirements-file are mutually exclusive.") //nolint:staticcheck // Ansible's words
	}
	if g.file == "" && len(args) == 0 {
		return nil, errors.New("You must specify a collection name or a requirements file.") //nolint:staticcheck // Ansible's words
	}
	if g.file != "" {
		file, err := filepath.Abs(g.file)
		if err != nil {
			return nil, err
		}
		r, err := galaxy.ReadRequirements(file)
		if err != nil {
			return nil, err
		}
		if len(r.Roles) > 0 && g.collections {
			fmt.Fprintf(g.s.Err, "[WARNING]: The requirements file '%s' contains roles which will be ignored. To install these roles run 'ansible-galaxy role install -r' "+
				"or to install both at the same time run 'ansible-galaxy install -r' without a custom install path.\n", file)
		}
		return r.Collections, nil
	}
	var out []galaxy.Collection
	for _, a := range args {
		out = append(out, galaxy.ParseCollection(a))
	}
	return out, nil
}

func installCollections(ctx context.Context, cl *galaxy.Client, g *galaxySession, args []string) error {
	reqs, err := g.wanted(args)
	if err != nil {
		return err
	}
	return cl.InstallCollections(ctx, reqs)
}

func downloadCollections(ctx context.Context, cl *galaxy.Client, g *galaxySession, args []string) error {
	reqs, err := g.wanted(args)
	if err != nil {
		return err
	}
	return cl.DownloadCollections(ctx, reqs, g.output)
}

func verifyCollections(_ context.Context, cl *galaxy.Client, g *galaxySession, args []string) error {
	reqs, err := g.wanted(args)
	if err != nil {
		return err
	}
	if !g.offline {
		return &galaxy.UsageError{Text: "collection verify compares with a Galaxy server, and fettle asks none: use --offline to compare with the installed manifest"}
	}
	var names []string
	for _, r := range reqs {
		names = append(names, strings.TrimSuffix(r.Name+":"+r.Version, ":"))
	}
	return cl.VerifyCollections(names)
}

func buildCollections(_ context.Context, cl *galaxy.Client, g *galaxySession, args []string) error {
	if len(args) == 0 {
		args = []string{"."}
	}
	for _, a := range args {
		if err := cl.BuildCollection(a, g.output); err != nil {
			return err
		}
	}
	return nil
}

func initRole(_ context.Context, cl *galaxy.Client, g *galaxySession, args []string) error {
	if g.kind != "default" {
		return &galaxy.UsageError{Text: fmt.Sprintf("--type %s is not supported: use --role-skeleton", g.kind)}
	}
	o, err := g.init(first(g.skeleton, g.cfg.String("GALAXY_ROLE_SKELETON")), g.cfg.List("GALAXY_ROLE_SKELETON_IGNORE"))
	if err != nil {
		return err
	}
	return cl.InitRole(args[0], o)
}

func initCollection(_ context.Context, cl *galaxy.Client, g *galaxySession, args []string) error {
	o, err := g.init(first(g.skeleton, g.cfg.String("GALAXY_COLLECTION_SKELETON")), g.cfg.List("GALAXY_COLLECTION_SKELETON_IGNORE"))
	if err != nil {
		return err
	}
	return cl.InitCollection(args[0], o)
}

// init are the options of making something new.
func (g *galaxySession) init(skeleton string, ignore []string) (galaxy.Init, error) {
	o := galaxy.Init{Path: g.initPath, Skeleton: skeleton, Ignore: ignore, Vars: map[string]any{}}
	extra, err := extraVars(g.extraVars, false, func(_ string, text []byte) ([]byte, error) { return text, nil })
	if err != nil {
		return o, err
	}
	for name, v := range extra.All() {
		o.Vars[name] = v.Value
	}
	engine := template.New(template.Options{})
	o.Render = func(text string, vars map[string]any) (string, error) {
		d := value.NewDict(len(vars))
		for k, v := range vars {
			d.SetString(k, fromGo(v))
		}
		out, _, err := engine.NewContext(context.Background(), template.MapScope{Dict: d}).RenderFile("skeleton", text, template.FileOptions{})
		return out, err
	}
	return o, nil
}

// fromGo makes a value of what galaxy knows of a new role.
func fromGo(v any) value.Value {
	switch x := v.(type) {
	case []any:
		l := value.NewList()
		for _, e := range x {
			l.V = append(l.V, fromGo(e))
		}
		return l
	case map[string]any:
		d := value.NewDict(len(x))
		for k, e := range x {
			d.SetString(k, fromGo(e))
		}
		return d
	}
	return v
}
