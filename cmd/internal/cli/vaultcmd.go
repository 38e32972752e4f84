package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"path/filepath"
	"slices"
	"strings"

	"fettle/cmd/internal/config"
	"fettle/engine/vault"

	"github.com/spf13/cobra"
)

type vaultCommand struct {
	vaultOptions
	encryptID         string
	output, stdinName string
	names             []string
	prompt, showInput bool
	skipTTY           bool
	newID, newFile    string
	editor            string
}

func newVault(s *Streams) *cobra.Command {
	c := &cobra.Command{Use: "vault", Short: "Encrypt, decrypt and edit vault files", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return withCode(exitUsage, errors.New("an action is needed: create, edit, view, encrypt, decrypt, rekey or encrypt_string"))
		}}
	verboseParent(s, c)
	type action struct {
		use, short string
		run        func(context.Context, *Streams, *vaultCommand, *vault.Secrets, []string) error
		min        int
	}
	for _, a := range []action{
		{"create FILE", "Make a new vault file in an editor", vaultCreate, 1},
		{"edit FILE", "Edit a vault file; no plain text stays behind", vaultEdit, 1},
		{"view FILE...", "Print vault files decrypted", vaultView, 1},
		{"encrypt [FILE...]", "Encrypt files, or standard input", vaultEncrypt, 0},
		{"decrypt [FILE...]", "Decrypt files, or standard input", vaultDecrypt, 0},
		{"rekey FILE...", "Encrypt vault files with another password", vaultRekey, 1},
		{"encrypt_string [STRING...]", "Encrypt a value to paste into a variables file", vaultEncryptString, 0},
	} {
		o := &vaultCommand{}
		sub := &cobra.Command{Use: a.use, Short: a.short, Args: usageArgs(cobra.MinimumNArgs(a.min)),
			RunE: func(c *cobra.Command, args []string) error {
				cfg, err := loadConfig(s)
				if err != nil {
					return err
				}
				secrets, err := vaultSecrets(c.Context(), o.vaultOptions, cfg, warnTo(s))
				if err != nil {
					return err
				}
				if len(secrets.IDs()) == 0 {
					if err := secrets.AddSource(c.Context(), vault.Source{From: "prompt_ask_vault_pass"}, func(q string) (string, error) { return askSecret(c.Context(), q) }); err != nil {
						return err
					}
				}
				o.editor = first(cfg.String("EDITOR"), "vi")
				o.encryptID = first(o.encryptID, cfg.String("DEFAULT_VAULT_ENCRYPT_IDENTITY"))
				if o.newID != "" && o.newFile != "" {
					return withCode(exitUsage, errors.New("argument --new-vault-password-file: not allowed with argument --new-vault-id"))
				}
				if err := o.oneIdentity(c.Name(), cfg); err != nil {
					return err
				}
				return a.run(c.Context(), s, o, secrets, args)
			}}
		f := sub.Flags()
		o.vaultOptions.flags(f)
		f.StringVar(&o.encryptID, "encrypt-vault-id", "", "the vault id to encrypt with")
		f.StringVar(&o.output, "output", "", "write to this file; - is standard output")
		if strings.HasPrefix(a.use, "encrypt_string") {
			f.StringArrayVarP(&o.names, "name", "n", nil, "name of the variable; may be repeated")
			f.StringVar(&o.stdinName, "stdin-name", "", "name of the variable read from standard input")
			f.BoolVarP(&o.prompt, "prompt", "p", false, "ask for the value")
			f.BoolVar(&o.showInput, "show-input", false, "show the value while it is typed")
		}
		if strings.HasPrefix(a.use, "create") {
			f.BoolVar(&o.skipTTY, "skip-tty-check", false, "start the editor without a terminal too")
		}
		if strings.HasPrefix(a.use, "rekey") {
			f.StringVar(&o.newID, "new-vault-id", "", "the new vault identity")
			f.StringVar(&o.newFile, "new-vault-password-file", "", "file with the new password")
		}
		c.AddCommand(sub)
	}
	return c
}

// oneIdentity refuses to choose among several identities to encrypt with.
func (o *vaultCommand) oneIdentity(action string, cfg *config.Config) error {
	all, files := append(cfg.List("DEFAULT_VAULT_IDENTITY_LIST"), o.ids...), o.files
	if f := cfg.String("DEFAULT_VAULT_PASSWORD_FILE"); f != "" {
		files = append(slices.Clone(files), f)
	}
	if len(all)+len(files) < 2 || o.encryptID != "" || action != "encrypt" && action != "encrypt_string" && action != "create" {
		return nil
	}
	names := make([]string, len(all), len(all)+len(files))
	for i, id := range all {
		names[i] = vault.ParseSource(id).ID
		if names[i] == "" {
			names[i] = vault.DefaultID
		}
	}
	for range files {
		names = append(names, vault.DefaultID)
	}
	return withCode(exitOptions, fmt.Errorf("The vault-ids %s are available to encrypt. Specify the vault-id to encrypt with --encrypt-vault-id", strings.Join(names, ","))) //nolint:staticcheck // Ansible's words
}

// writePrivate replaces a file atomically; it is readable by its owner only.
func writePrivate(path string, data []byte) error {
	mode := os.FileMode(0o600)
	f, err := os.CreateTemp(filepath.Dir(path), ".fettle-vault-")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// each applies change to files in place, or to standard input.
func (o *vaultCommand) each(s *Streams, args []string, change func(name string, text []byte) ([]byte, error)) error {
	if len(args) == 0 || len(args) == 1 && args[0] == "-" {
		text, err := io.ReadAll(s.In)
		if err != nil {
			return err
		}
		out, err := change("standard input", text)
		if err != nil {
			return err
		}
		return o.put(s, "-", out)
	}
	if o.output != "" && len(args) > 1 {
		return withCode(exitOptions, fmt.Errorf("--output goes with one input file only"))
	}
	for _, name := range args {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		out, err := change(name, text)
		if err != nil {
			return err
		}
		if err := o.put(s, name, out); err != nil {
			return err
		}
	}
	return nil
}

func (o *vaultCommand) put(s *Streams, name string, out []byte) error {
	if o.output != "" {
		name = o.output
	}
	if name == "-" {
		_, err := s.Out.Write(out)
		return err
	}
	return writePrivate(name, out)
}

func vaultEncrypt(_ context.Context, s *Streams, o *vaultCommand, secrets *vault.Secrets, args []string) error {
	err := o.each(s, args, func(name string, text []byte) ([]byte, error) {
		if vault.IsEncrypted(text) {
			return nil, fmt.Errorf("%s: input is already encrypted", name)
		}
		return secrets.Encrypt(text, o.encryptID)
	})
	if err == nil && s.Terminal {
		fmt.Fprintln(s.Err, "Encryption successful")
	}
	return err
}

func vaultDecrypt(_ context.Context, s *Streams, o *vaultCommand, secrets *vault.Secrets, args []string) error {
	err := o.each(s, args, secrets.DecryptFile)
	if err == nil && s.Terminal {
		fmt.Fprintln(s.Err, "Decryption successful")
	}
	return err
}

func vaultView(_ context.Context, s *Streams, _ *vaultCommand, secrets *vault.Secrets, args []string) error {
	for _, name := range args {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		plain, err := secrets.DecryptFile(name, text)
		if err != nil {
			return err
		}
		if _, err := s.Out.Write(plain); err != nil {
			return err
		}
	}
	return nil
}

func vaultRekey(ctx context.Context, s *Streams, o *vaultCommand, secrets *vault.Secrets, args []string) error {
	next := &vault.Secrets{}
	src := vault.Source{From: "prompt_ask_vault_pass"}
	switch {
	case o.newID != "":
		src = vault.ParseSource(o.newID)
	case o.newFile != "":
		src = vault.Source{From: o.newFile}
	}
	if err := next.AddSource(ctx, src, func(q string) (string, error) { return askSecret(ctx, "New "+q) }); err != nil {
		return err
	}
	for _, name := range args {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		plain, err := secrets.DecryptFile(name, text)
		if err != nil {
			return err
		}
		out, err := next.Encrypt(plain, "")
		if err != nil {
			return err
		}
		if err := writePrivate(name, out); err != nil {
			return err
		}
	}
	if s.Terminal {
		fmt.Fprintln(s.Err, "Rekey successful")
	}
	return nil
}

// vaultCreate and vaultEdit show the plain text to an editor in a private directory in
// memory where there is one, and overwrite it afterwards.
func vaultCreate(ctx context.Context, s *Streams, o *vaultCommand, secrets *vault.Secrets, args []string) error {
	if !s.Terminal && !o.skipTTY {
		return withCode(exitOptions, errors.New("not a tty, editor cannot be opened"))
	}
	if _, err := os.Lstat(args[0]); err == nil {
		return fmt.Errorf("%s exists, please use 'edit' instead", args[0])
	}
	encrypt := func(b []byte) ([]byte, error) { return secrets.Encrypt(b, o.encryptID) }
	return editInto(ctx, s, o, encrypt, args[0], nil)
}

func vaultEdit(ctx context.Context, s *Streams, o *vaultCommand, secrets *vault.Secrets, args []string) error {
	for _, name := range args {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		plain, err := secrets.DecryptFile(name, text)
		if err != nil {
			return err
		}
		encrypt := func(b []byte) ([]byte, error) { return secrets.Replace(text, b) }
		if o.encryptID != "" {
			encrypt = func(b []byte) ([]byte, error) { return secrets.Encrypt(b, o.encryptID) }
		}
		if err := editInto(ctx, s, o, encrypt, name, plain); err != nil {
			return err
		}
	}
	return nil
}

func vaultEncryptString(ctx context.Context, s *Streams, o *vaultCommand, secrets *vault.Secrets, args []string) error {
	type item struct{ name, text string }
	var items []item
	for i, a := range args {
		name := ""
		if i < len(o.names) {
			name = o.names[i]
		}
		items = append(items, item{name, a})
	}
	switch {
	case o.prompt:
		text, ok, err := ask(ctx, "String to encrypt: ", o.showInput, 0)
		if err == nil && !ok {
			err = errors.New("cannot ask for the string to encrypt: there is no terminal")
		}
		if err != nil {
			return err
		}
		name := ""
		if len(o.names) > 0 {
			name = o.names[0]
		}
		items = append(items, item{name, text})
	case len(items) == 0 || o.stdinName != "":
		text, err := io.ReadAll(s.In)
		if err != nil {
			return err
		}
		name := o.stdinName
		if name == "" && len(o.names) > 0 {
			name = o.names[0]
		}
		items = append(items, item{name, string(text)})
	}
	var out strings.Builder
	for _, it := range items {
		if it.text == "" {
			return fmt.Errorf("the value to encrypt is empty")
		}
		b, err := secrets.Encrypt([]byte(it.text), o.encryptID)
		if err != nil {
			return err
		}
		if it.name != "" {
			out.WriteString(it.name + ": ")
		}
		out.WriteString("!vault |\n")
		for line := range strings.SplitSeq(strings.TrimSpace(string(b)), "\n") {
			out.WriteString("          " + line + "\n")
		}
	}
	return o.put(s, "-", []byte(out.String()))
}
