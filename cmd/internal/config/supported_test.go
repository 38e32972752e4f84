package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// commandSource is the code that reads settings.
func commandSource(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("../cli/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no source of the commands: ", err)
	}
	var all strings.Builder
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}

// TestEverySetting: a setting is read by the commands, is known to have no meaning here, or
// gives exactly one warning that names it, wherever it is given. None is silently ignored.
func TestEverySetting(t *testing.T) {
	source := commandSource(t)
	for _, s := range settings() {
		t.Run(s.Name, func(t *testing.T) {
			if slices.Contains(acts, s.Name) {
				kind, plugins := strings.CutSuffix(s.Name, "_PLUGIN_PATH")
				_, become, _ := strings.Cut(s.Name, ":become_") // read for one method after the other
				if !strings.Contains(source, `"`+s.Name+`"`) && (become == "" || !strings.Contains(source, `":become_`+become+`"`)) && !(plugins && strings.Contains(source, `"`+strings.ToLower(strings.TrimPrefix(kind, "DEFAULT_"))+`"`)) {
					t.Error("it is said to act, and no command reads it")
				}
			}
			if s.Collection || supported(s.Name) {
				return
			}
			value := "1"
			if len(s.Choices) > 0 {
				value = s.Choices[0]
			}
			for _, env := range s.Env {
				oneWarning(t, s, []string{env + "=" + value}, "")
			}
			for _, key := range s.INI {
				section, name, _ := strings.Cut(key, ".")
				oneWarning(t, s, nil, "["+section+"]\n"+name+"="+value+"\n")
			}
		})
	}
}

func oneWarning(t *testing.T, s *Setting, env []string, file string) {
	t.Helper()
	cwd := t.TempDir()
	if file != "" {
		write(t, cwd+"/ansible.cfg", file)
	}
	c, diags := load(append(env, "HOME=/nonexistent"), cwd, "")
	shared, acted := false, false // another setting takes the same key, and says so or acts on it
	for _, o := range c.settings {
		if o.Name != s.Name && c.IsSet(o.Name) {
			shared, acted = true, acted || supported(o.Name)
		}
	}
	all := diags.Sorted()
	if acted && len(all) == 0 || len(all) == 1 && (shared || strings.Contains(all[0].Summary, "the setting "+s.Name+" (")) {
		return
	}
	t.Errorf("%v%s: %d problems: %v", env, file, len(all), all)
}
