package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"

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
