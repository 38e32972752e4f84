package cli

import (
	"fmt"
	"os"

	"fettle/cmd/internal/config"

	"github.com/spf13/cobra"
)

func newConfig(s *Streams) *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Show the settings that ansible.cfg and the environment give", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return withCode(exitUsage, fmt.Errorf("an action is needed: dump or view"))
		}}
	var changed bool
	dump := &cobra.Command{Use: "dump", Short: "Print all settings with their origin", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := loadConfig(s)
			if err != nil {
				return err
			}
			fmt.Fprint(s.Out, cfg.Dump(changed))
			return nil
		}}
	dump.Flags().BoolVar(&changed, "only-changed", false, "only those that are not the default")
	view := &cobra.Command{Use: "view", Short: "Print the configuration file in use", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := loadConfig(s)
			if err != nil {
				return err
			}
			file := cfg.String("CONFIG_FILE")
			if file == "" {
				return fmt.Errorf("there is no configuration file")
			}
			b, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			_, err = s.Out.Write(b)
			return err
		}}
	c.AddCommand(dump, view)
	return c
}

func loadConfig(s *Streams) (*config.Config, error) {
	wd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	cfg, problems := config.Load(os.Environ(), wd)
	printDiagnostics(s.Err, problems.Sorted())
	return cfg, withCode(exitOptions, problems.Err())
}
