package action

import (
	"context"
	"fmt"

	"fettle/engine/value"
)

func init() {
	Register("ansible.builtin.uri", Action{Prepare: uri})
}

// uri offers the files of the controller that the request sends: src, and the files of a
// form-multipart body.
func uri(_ context.Context, c *Call) (*Prepared, error) {
	remote, err := boolArg(c.Args, "remote_src", false)
	if err != nil {
		return nil, err
	}
	ready := &Prepared{Args: c.Args}
	if src := textArg(c.Args, "src"); src != "" && !remote {
		path, err := c.Run.Find("files", src)
		if err != nil {
			return nil, err
		}
		s, err := fileSource(c, "src", path, true)
		if err != nil {
			return nil, err
		}
		ready.Sources = append(ready.Sources, s)
	}
	body, _ := c.Args.GetString("body")
	fields, ok := body.(*value.Dict)
	if textArg(c.Args, "body_format") != "form-multipart" || !ok {
		return ready, nil
	}
	for _, e := range fields.Entries() {
		field, isDict := e.Value.(*value.Dict)
		if !isDict {
			continue
		}
		file := textArg(field, "filename")
		if _, given := field.GetString("content"); given || file == "" {
			continue
		}
		path, err := c.Run.Find("files", file)
		if err != nil {
			return nil, fmt.Errorf("body field %s: %w", value.Str(e.Key), err)
		}
		s, err := fileSource(c, "body/"+value.Str(e.Key), path, true)
		if err != nil {
			return nil, err
		}
		ready.Sources = append(ready.Sources, s)
	}
	return ready, nil
}
