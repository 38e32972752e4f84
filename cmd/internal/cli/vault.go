package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"fettle/engine/vault"
	"fettle/modules"
)

// vaultSecrets collects the vault passwords: of --vault-id, --vault-password-file,
// --ask-vault-password, and of the configuration.
func (ss *session) vaultSecrets(ctx context.Context) (*vault.Secrets, error) {
	return vaultSecrets(ctx, ss.o.vault, ss.cfg, warnTo(ss.s))
}

// settings is what of the configuration matters here.
type settings interface {
	List(name string) []string
	String(name string) string
	Bool(name string) bool
}

func vaultSecrets(ctx context.Context, o vaultOptions, c settings, warn func(string)) (*vault.Secrets, error) {
	s := &vault.Secrets{MatchID: truthful(c.String("DEFAULT_VAULT_ID_MATCH")), Salt: []byte(c.String("VAULT_ENCRYPT_SALT"))}
	question := func(text string) (string, error) { return askSecret(ctx, text) }
	var sources []vault.Source
	for _, id := range append(c.List("DEFAULT_VAULT_IDENTITY_LIST"), o.ids...) {
		sources = append(sources, vault.ParseSource(id))
	}
	files := o.files
	if f := c.String("DEFAULT_VAULT_PASSWORD_FILE"); f != "" {
		files = append(slices.Clone(files), f)
	}
	for _, f := range files {
		sources = append(sources, vault.Source{From: f})
	}
	if o.ask || len(sources) == 0 && c.Bool("DEFAULT_ASK_VAULT_PASS") {
		sources = append(sources, vault.Source{From: "prompt_ask_vault_pass"})
	}
	var failed []string
	var last error
	for _, src := range sources {
		if !src.Asks() {
			src.From = expandHome(src.From)
		}
		if err := s.AddSource(ctx, src, question); err != nil {
			if src.Asks() {
				return nil, err
			}
			what := "Error in vault password file loading"
			if errors.Is(err, fs.ErrNotExist) {
				what = "Error getting vault password file"
			}
			failed = append(failed, fmt.Sprintf("%s (%s): %v", what, src.Name(), err))
			last = err
		}
	}
	if last != nil && len(s.IDs()) == 0 {
		return nil, last
	}
	for _, text := range failed { // one password that can be had is enough
		warn(text)
	}
	return s, nil
}

// warnTo prints warnings of what is not a run.
func warnTo(s *Streams) func(string) {
	return func(text string) { fmt.Fprintf(s.Err, "[WARNING]: %s\n", text) }
}

// truthful reads a setting that the table has as text and that means yes or no.
func truthful(text string) bool {
	on, err := modules.ToBool(text)
	return err == nil && on
}
