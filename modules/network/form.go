package network

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"mime"
	"mime/multipart"
	"net/textproto"
	"net/url"
	"path/filepath"
	"strings"

	"fettle/engine/value"
	"fettle/modules"
)

// formEncode writes a dict, or a list of pairs, as an HTML form does; a list as a value
// repeats its name.
func formEncode(body value.Value) ([]byte, error) {
	var pairs []string
	add := func(name, v value.Value) {
		values := []value.Value{v}
		switch x := v.(type) {
		case *value.List:
			values = x.V
		case value.Tuple:
			values = x
		}
		for _, one := range values {
			pairs = append(pairs, url.QueryEscape(value.Str(name))+"="+url.QueryEscape(value.Str(one)))
		}
	}
	switch x := body.(type) {
	case *value.Dict:
		for k, v := range x.All() {
			add(k, v)
		}
	case *value.List:
		for _, e := range x.V {
			pair, ok := e.(*value.List)
			switch {
			case !ok:
				return nil, modules.Failf("failed to parse body as form_urlencoded: too many values to unpack (expected 2): the elements of the list must be pairs")
			case len(pair.V) > 2:
				return nil, modules.Failf("failed to parse body as form_urlencoded: too many values to unpack (expected 2)")
			case len(pair.V) < 2:
				return nil, modules.Failf("failed to parse body as form_urlencoded: not enough values to unpack (expected 2, got %d)", len(pair.V))
			}
			add(pair.V[0], pair.V[1])
		}
	default:
		return nil, modules.Failf("failed to parse body as form_urlencoded: it must be a dict or a list of pairs")
	}
	return []byte(strings.Join(pairs, "&")), nil
}

// multipart writes body, a dict of fields: text, or a dict with content or filename.
func (a *uriArgs) multipart(ctx context.Context, h *modules.Host) (body []byte, kind string, err error) {
	fields, ok := a.Body.(*value.Dict)
	if !ok {
		return nil, "", modules.Failf("failed to parse body as form-multipart: body must be a dict")
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for k, v := range fields.All() {
		if err := a.part(ctx, h, w, value.Str(k), v); err != nil {
			return nil, "", err
		}
	}
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	return b.Bytes(), w.FormDataContentType(), nil
}

func (a *uriArgs) part(ctx context.Context, h *modules.Host, w *multipart.Writer, name string, v value.Value) error {
	d, isDict := v.(*value.Dict)
	if !isDict {
		if value.TypeName(v) != "str" {
			return modules.Failf("failed to parse body as form-multipart: value must be a string, or mapping, cannot be type %s", value.TypeName(v))
		}
		d = value.DictOf("content", value.Str(v))
	}
	get := func(key string) (string, bool) {
		v, ok := d.GetString(key)
		if !ok || v == nil {
			return "", false
		}
		return value.Str(v), true
	}
	content, hasContent := get("content")
	file, hasFile := get("filename")
	if !hasContent && !hasFile {
		return modules.Failf("failed to parse body as form-multipart: at least one of filename or content must be provided for %q", name)
	}
	kind, ok := get("mime_type")
	if !ok {
		kind = "text/plain"
		if hasFile {
			if kind = mime.TypeByExtension(filepath.Ext(file)); kind == "" {
				kind = "application/octet-stream"
			}
		}
	}
	header := textproto.MIMEHeader{"Content-Type": {kind}}
	disposition := fmt.Sprintf("form-data; name=%q", name)
	data := []byte(content)
	if hasFile {
		disposition += fmt.Sprintf("; filename=%q", filepath.Base(file))
		if !hasContent {
			raw, err := a.source(ctx, h, "body/"+name, file, false)
			if err != nil {
				return err
			}
			encoding, _ := get("multipart_encoding")
			data = raw
			if encoding != "7or8bit" {
				header.Set("Content-Transfer-Encoding", "base64")
				data = base64Lines(raw)
			}
		}
	}
	header.Set("Content-Disposition", disposition)
	out, err := w.CreatePart(header)
	if err != nil {
		return err
	}
	_, err = out.Write(data)
	return err
}

// base64Lines is base64 in lines of 76 characters, as mail has it.
func base64Lines(b []byte) []byte {
	text := base64.StdEncoding.EncodeToString(b)
	var out bytes.Buffer
	for len(text) > 76 {
		out.WriteString(text[:76] + "\n")
		text = text[76:]
	}
	out.WriteString(text + "\n")
	return out.Bytes()
}
