package modules

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"

	"fettle/engine/value"
)

// Call runs a module on h and returns its result as a JSON object with Ansible's keys:
// changed, failed, skipped, msg, diff, warnings, deprecations, ansible_facts, the
// module's own, and, when wanted, invocation.
// A module that panics fails that one call.
func Call(ctx context.Context, h *Host, name string, args *value.Dict, invocation bool) (result []byte) {
	m := Find(name)
	if m == nil {
		return failure(fmt.Sprintf("the runner has no module %q", name))
	}
	defer func() {
		if p := recover(); p != nil {
			result = failure(fmt.Sprintf("module %s crashed: %v", m.Name, p), "exception", string(debug.Stack()))
		}
	}()
	defer h.cleanup()
	if m.Becomes != nil {
		to, rest, err := m.Becomes(h, args)
		if err != nil {
			return failure(ErrorText(err))
		}
		m, args = Find(to), rest
	}
	a := &Args{Values: args}
	out, err := m.invoke(ctx, h, a)
	b, encErr := encode(h, out, err, a, invocation)
	if encErr != nil {
		return failure(fmt.Sprintf("module %s: cannot encode the result: %v", m.Name, encErr))
	}
	return h.censor(b)
}

func failure(msg string, more ...string) []byte {
	m := map[string]any{"failed": true, "changed": false, "msg": msg}
	for i := 0; i+1 < len(more); i += 2 {
		m[more[i]] = more[i+1]
	}
	b, _ := json.Marshal(m)
	return b
}

func encode(h *Host, out Outcome, err error, a *Args, invocation bool) ([]byte, error) {
	w := &objectWriter{}
	w.buf.WriteByte('{')
	if err != nil {
		w.field("failed", true)
		var f *Failure
		var ae *ArgError
		switch {
		case errors.As(err, &f), errors.As(err, &ae):
			out.Msg = err.Error()
		default:
			if out.Msg = ErrorText(err); out.Msg == "" {
				out.Msg = "the module failed without a message"
			}
		}
		// What changed before the failure is still a change.
		out.Changed = out.Changed || h.changed
	}
	w.field("changed", out.Changed)
	if out.Skipped {
		w.field("skipped", true)
	}
	if out.Msg != "" {
		w.field("msg", out.Msg)
	}
	switch {
	case (!out.AlwaysDiff || err != nil) && (!h.Diff || len(out.Diff) == 0):
	case out.OneDiff && len(out.Diff) == 0:
		w.field("diff", struct{}{})
	case out.OneDiff && len(out.Diff) == 1:
		w.field("diff", out.Diff[0])
	default:
		w.field("diff", append([]Diff{}, out.Diff...))
	}
	if len(out.Warnings) > 0 {
		w.field("warnings", out.Warnings)
	}
	if len(out.Deprecations) > 0 {
		w.field("deprecations", out.Deprecations)
	}
	if out.Facts != nil {
		w.field("ansible_facts", out.Facts)
	}
	if err != nil {
		out.Data = withoutUnset(out.Data)
	}
	w.object(out.Data)
	if invocation && a.Invocation != nil {
		w.field("invocation", value.DictOf("module_args", a.Invocation))
	}
	w.buf.WriteByte('}')
	return w.buf.Bytes(), w.err
}

type objectWriter struct {
	buf bytes.Buffer
	err error
}

func (w *objectWriter) field(name string, v any) {
	b, err := toJSON(v)
	if err != nil {
		w.err = errors.Join(w.err, fmt.Errorf("%s: %w", name, err))
		return
	}
	if w.buf.Len() > 1 {
		w.buf.WriteByte(',')
	}
	fmt.Fprintf(&w.buf, "%q:", name)
	w.buf.Write(b)
}

// object adds the fields of v, a struct or *value.Dict; later keys win over earlier ones
// on the reading side, so a module may return its own msg.
func (w *objectWriter) object(v any) {
	b, err := toJSON(v)
	if err != nil {
		w.err = errors.Join(w.err, err)
		return
	}
	if len(b) <= 2 || b[0] != '{' {
		return // nil, or an empty object
	}
	if w.buf.Len() > 1 {
		w.buf.WriteByte(',')
	}
	w.buf.Write(b[1 : len(b)-1])
}

// withoutUnset leaves out of a failure's data what only success returns, where nothing is set.
func withoutUnset(data any) any {
	v := reflect.Indirect(reflect.ValueOf(data))
	if v.Kind() != reflect.Struct {
		return data
	}
	b, err := toJSON(data)
	if err != nil {
		return data
	}
	all, err := value.FromJSON(b)
	d, ok := all.(*value.Dict)
	if err != nil || !ok {
		return data
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Tag.Get("returned") == "success" && v.Field(i).IsZero() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			d.Delete(name)
		}
	}
	return d
}

func toJSON(v any) ([]byte, error) {
	switch x := v.(type) {
	case *value.Dict:
		if x == nil {
			return []byte("{}"), nil
		}
		return value.ToJSON(x)
	case *value.List:
		return value.ToJSON(x)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

// censor masks the values of no_log options in all texts of the result; names of keys stay, unless
// the module asked for them too.
func (h *Host) censor(b []byte) []byte {
	var secrets []string
	for _, s := range h.noLog {
		if len(s) > 0 {
			secrets = append(secrets, s, "********")
		}
	}
	if len(secrets) == 0 {
		return b
	}
	v, err := value.FromJSON(b)
	if err != nil {
		return failure("the result could not be read to mask the secrets in it")
	}
	out, err := value.ToJSON(censored(v, strings.NewReplacer(secrets...), h.MaskKeys))
	if err != nil {
		return failure("the result could not be written after masking the secrets in it")
	}
	return out
}

// plainKeys are never masked: Ansible itself reads them.
var plainKeys = []string{"msg", "exception", "warnings", "deprecations", "failed", "skipped", "changed", "rc", "stdout", "stderr",
	"elapsed", "path", "location", "content_type"}

func censored(v value.Value, r *strings.Replacer, keys bool) value.Value {
	switch x := v.(type) {
	case string:
		return r.Replace(x)
	case *value.List:
		for i, e := range x.V {
			x.V[i] = censored(e, r, keys)
		}
	case *value.Dict:
		d := value.NewDict(x.Len())
		for _, e := range x.Entries() {
			name, isText := e.Key.(string)
			if keys && isText && !slices.Contains(plainKeys, name) {
				e.Key = r.Replace(name)
			}
			_ = d.Set(e.Key, censored(e.Value, r, keys))
		}
		return d
	}
	return v
}
