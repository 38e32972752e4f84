package cli

import (
	"fmt"
	"sort"

	"github.com/spf13/cobra"
)

// refused are flags that Ansible's command has and ours cannot honour: name and reason.
type refused map[string]string

// refuseFlags declares flags that end the command with their reason when they are given.
// Those that take no value are named with a "!" in front.
func refuseFlags(c *cobra.Command, flags refused) {
	names := make([]string, 0, len(flags))
	for n := range flags {
		names = append(names, n)
	}
	sort.Strings(names)
	reasons := map[string]string{}
	for _, n := range names {
		reason := flags[n]
		name, short, isBool := flagName(n)
		if isBool {
			c.Flags().BoolP(name, short, false, "not supported: "+reason)
		} else {
			c.Flags().StringArrayP(name, short, nil, "not supported: "+reason)
		}
		reasons[name] = reason
	}
	run := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		for _, n := range names {
			name, _, _ := flagName(n)
			if c.Flags().Changed(name) {
				return withCode(exitOptions, fmt.Errorf("--%s is not supported: %s", name, reasons[name]))
			}
		}
		return run(c, args)
	}
}

// flagName takes "!name,n" apart.
func flagName(s string) (name, short string, isBool bool) {
	if s[0] == '!' {
		s, isBool = s[1:], true
	}
	if len(s) > 2 && s[len(s)-2] == ',' {
		return s[:len(s)-2], s[len(s)-1:], isBool
	}
	return s, "", isBool
}
