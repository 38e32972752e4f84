package runner

import (
	"bytes"
	"io"
	"slices"

	"fettle/engine/wire"
	"fettle/modules"
)

// needsExtra tells whether a call may need the runner's second program.
func needsExtra(c *wire.Call) bool {
	m := modules.Find(c.Module)
	switch {
	case m == nil || c.Binary != "":
		return false
	case m.Extra:
		return true
	}
	return m.Fetches && slices.ContainsFunc(c.Args, func(a Args) bool { return bytes.Contains(a, []byte("://")) })
}

// offer adds the second program to a copy of the call; the runner pulls it when it is not
// there yet.
func offer(c *wire.Call, h *wire.Handler, x *Binary) *wire.Call {
	with := *c
	with.Extra = x.SHA256
	with.Sources = append(slices.Clone(c.Sources), wire.Source{Name: x.SHA256, Size: x.Size})
	open := h.Open
	h.Open = func(item int, name string) (io.ReadCloser, error) {
		if name != x.SHA256 {
			return open(item, name)
		}
		p, err := x.packed()
		if err != nil {
			return nil, err
		}
		return io.NopCloser(bytes.NewReader(p)), nil
	}
	return &with
}
