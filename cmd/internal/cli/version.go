package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"fettle/cmd/internal/config"

	"github.com/spf13/cobra"
)

// Version is set when a release is built.
var Version = "dev"

func newVersion(s *Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version and what it was built from",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintln(s.Out, versionText())
			return nil
		},
	}
}

// ansibleVersionText answers --version, in the form that tools around Ansible read.
func ansibleVersionText() string {
	if !asAnsible {
		return versionText()
	}
	file, paths := "None", ""
	if wd, err := os.Getwd(); err == nil {
		cfg, _ := config.Load(os.Environ(), wd)
		file, paths = first(cfg.File, "None"), strings.Join(cfg.List("COLLECTIONS_PATHS"), ":")
	}
	return fmt.Sprintf("%s [core %s]\n  config file = %s\n  ansible collection location = %s\n  executable location = %s\n  %s",
		filepath.Base(os.Args[0]), ansibleVersion, file, paths, os.Args[0], strings.ReplaceAll(versionText(), "\n", "\n  "))
}

// verboseParent gives a command and those below it -v, which tells the configuration file.
func verboseParent(s *Streams, c *cobra.Command) {
	n := c.PersistentFlags().CountP("verbose", "v", "say more")
	c.PersistentPreRunE = func(*cobra.Command, []string) error {
		if *n == 0 {
			return nil
		}
		cfg, err := loadConfig(s)
		if err != nil {
			return err
		}
		if cfg.File == "" {
			fmt.Fprintln(s.Out, "No config file found; using defaults")
		} else {
			fmt.Fprintf(s.Out, "Using %s as config file\n", cfg.File)
		}
		return nil
	}
}

func versionText() string {
	text := fmt.Sprintf("fettle %s\n  go %s %s/%s", Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, kv := range info.Settings {
			if kv.Key == "vcs.revision" || kv.Key == "vcs.time" {
				text += fmt.Sprintf("\n  %s %s", kv.Key, kv.Value)
			}
		}
	}
	return text
}

func newShims(s *Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "shims DIR",
		Short: "Make links named as Ansible's commands, so that fettle answers to them",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return makeShims(s, args[0])
		},
	}
}

// makeShims links every Ansible command we answer to; it replaces links of ours and refuses
// to touch anything else.
func makeShims(s *Streams, dir string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot find the program itself: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	target := self
	if abs, err := filepath.Abs(dir); err == nil && filepath.Dir(self) == abs {
		target = filepath.Base(self) // beside the program: the folder can be moved
	}
	names := make([]string, 0, len(shims))
	for n := range shims {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		link := filepath.Join(dir, n)
		if info, err := os.Lstat(link); err == nil {
			if info.Mode()&os.ModeSymlink == 0 {
				return fmt.Errorf("%s exists and is no link: it is left alone", link)
			}
			if err := os.Remove(link); err != nil {
				return err
			}
		}
		if err := os.Symlink(target, link); err != nil {
			return err
		}
		fmt.Fprintln(s.Out, link)
	}
	return nil
}
