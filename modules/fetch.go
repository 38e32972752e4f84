package modules

import (
	"cmp"
	"context"
	"encoding/json"
	"path/filepath"
	"strings"

	"fettle/engine/value"
)

// Fetch has get_url download an address to a private file, which is removed when the call
// ends, and returns its path. get_url may be in another program: see Elsewhere.
func (h *Host) Fetch(ctx context.Context, address string, validateCerts bool) (string, error) {
	if path, ok := strings.CutPrefix(address, "file://"); ok {
		return path, nil
	}
	dir, err := h.TempDir()
	if err != nil {
		return "", err
	}
	dest := filepath.Join(dir, fileName(address))
	out, err := h.callOther(ctx, "ansible.builtin.get_url", value.DictOf("url", address, "dest", dest, "validate_certs", validateCerts))
	if err != nil {
		return "", err
	}
	var answer struct {
		Failed        bool
		Msg, Response string
	}
	if err := json.Unmarshal(out, &answer); err != nil || answer.Failed {
		return "", Failf("Failure downloading %s, %s", address, cmp.Or(answer.Response, answer.Msg))
	}
	return dest, nil
}

// fileName is what an address calls its file: programs go by the ending.
func fileName(address string) string {
	address, _, _ = strings.Cut(address, "#")
	address, _, _ = strings.Cut(address, "?")
	_, path, _ := strings.Cut(address, "://")
	_, path, _ = strings.Cut(path, "/")
	name := path[strings.LastIndexByte(path, '/')+1:]
	if name == "" || name[0] == '.' || strings.ContainsFunc(name, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+~-", r)
	}) {
		return "content"
	}
	return name
}

// callOther runs another module for this one, really and not in check mode.
func (h *Host) callOther(ctx context.Context, module string, args *value.Dict) ([]byte, error) {
	if Find(module) != nil || h.Elsewhere == nil {
		return Call(ctx, &Host{Env: h.Env}, module, args, false), nil
	}
	return h.Elsewhere(ctx, module, args)
}
