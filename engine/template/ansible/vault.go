package ansible

import (
	"errors"
	"fmt"
	"os"

	"fettle/engine/template"
	"fettle/engine/value"
	"fettle/engine/vault"
)

func init() {
	filter("vault(data, secret, salt=None, vault_id='filter_default', wrap_object=False, vaultid=None)", vaultFilter)
	filter("unvault(vault, secret, vault_id='filter_default', vaultid=None)", unvaultFilter, template.Lazy)
	test("vault_encrypted", "vault_encrypted(value)", isEncrypted, template.Lazy)
	test("vaulted_file", "vaulted_file(path)", func(_ *template.Call, a []value.Value) (bool, error) {
		raw, err := os.ReadFile(text(a[0]))
		return err == nil && vault.IsEncrypted(raw), err
	})
}

// secretsOf holds the one password a filter was given.
func secretsOf(id, password value.Value) (*vault.Secrets, string, error) {
	if s, ok := password.(*value.Secret); ok {
		password = s.V
	}
	if !isText(password) {
		return nil, "", fmt.Errorf("secret passed is required to be a string, instead we got: %s", value.TypeName(password))
	}
	name := text(id)
	if name == "filter_default" {
		name = vault.DefaultID
	}
	s := &vault.Secrets{}
	return s, name, s.Add(name, []byte(text(password)))
}

func vaultFilter(_ *template.Call, a []value.Value) (value.Value, error) {
	if !isText(a[0]) {
		return nil, fmt.Errorf("can only vault strings, instead we got: %s", value.TypeName(a[0]))
	}
	id := a[3]
	if a[5] != nil {
		id = a[5]
	}
	secrets, name, err := secretsOf(id, a[1])
	if err != nil {
		return nil, err
	}
	var out []byte
	if a[2] != nil {
		out, err = secrets.EncryptWithSalt([]byte(text(a[0])), name, []byte(text(a[2])))
	} else {
		out, err = secrets.Encrypt([]byte(text(a[0])), name)
	}
	if err != nil {
		return nil, fmt.Errorf("unable to encrypt: %w", err)
	}
	if isTrue(a[4]) {
		return &value.Encrypted{Text: string(out)}, nil
	}
	return string(out), nil
}

func unvaultFilter(_ *template.Call, a []value.Value) (value.Value, error) {
	in := a[0]
	if e, ok := in.(*value.Encrypted); ok {
		in = e.Text
	}
	if s, ok := in.(*value.Secret); ok {
		return s, nil // it has been opened already
	}
	if !isText(in) {
		return nil, fmt.Errorf("vault should be in the form of a string, instead we got: %s", value.TypeName(in))
	}
	if !vault.IsEncrypted([]byte(text(in))) {
		return in, nil
	}
	secrets, _, err := secretsOf(a[2], a[1])
	if err != nil {
		return nil, err
	}
	plain, _, err := secrets.Decrypt([]byte(text(in)))
	if err != nil {
		return nil, errors.Join(errors.New("unable to decrypt"), err)
	}
	return value.Mark(string(plain), true), nil
}

// isEncrypted tells a !vault value, opened or not, or the text of a vault.
func isEncrypted(_ *template.Call, a []value.Value) (bool, error) {
	switch x := a[0].(type) {
	case *value.Encrypted:
		return true, nil
	case *value.Secret:
		return isEncryptedText(x.V), nil
	}
	return isEncryptedText(a[0]), nil
}

func isEncryptedText(v value.Value) bool { return isText(v) && vault.IsEncrypted([]byte(text(v))) }
