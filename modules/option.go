package modules

import (
	"fmt"
	"reflect"
	"strings"
)

// Option is one declared option. It is read from a field of the args struct:
//
//	Path  string   `arg:"path,required" alias:"dest,name" type:"path" doc:"File to edit."`
//	State string   `arg:"state" default:"present" choices:"present,absent"`
//	Names []string `arg:"name" elements:"str"`
//	Force *bool    `arg:"force"`          // nil when not given
//	Pass  string   `arg:"password" no_log:"true"`
//	Sub   []subArgs `arg:"rules"`         // a struct declares suboptions
//
// type defaults to what the Go type says: string str, bool bool, int64 int, float64
// float, []T list, map/*value.Dict dict, value.Value raw. Pointers mean "no default".
// Embedded structs share options between the modules of a family.
type Option struct {
	Name     string
	Aliases  []string
	Type     string // str path bool int float list dict raw json bytes bits jsonarg
	Elements string // element type of a list; "" means raw
	Required bool
	Default  string // as text; HasDefault tells it from none
	HasDef   bool
	Choices  []string
	NoLog    bool
	Doc      string
	Options  []*Option // suboptions of a dict, or of a list of dicts

	index  []int // field path in the args struct
	goType reflect.Type
}

func optionsOf(t reflect.Type) ([]*Option, error) {
	if t == nil || t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("the args type must be a struct")
	}
	var out []*Option
	if err := collectOptions(t, nil, &out); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, o := range out {
		for _, n := range append([]string{o.Name}, o.Aliases...) {
			if seen[n] {
				return nil, fmt.Errorf("option %q is declared twice", n)
			}
			seen[n] = true
		}
	}
	return out, nil
}

func collectOptions(t reflect.Type, index []int, out *[]*Option) error {
	for i := range t.NumField() {
		f := t.Field(i)
		at := append(append([]int(nil), index...), i)
		tag, ok := f.Tag.Lookup("arg")
		if !ok {
			if f.Anonymous {
				if err := collectOptions(f.Type, at, out); err != nil {
					return err
				}
				continue
			}
			return fmt.Errorf("field %s has no arg tag", f.Name)
		}
		o, err := optionOf(f, tag)
		if err != nil {
			return fmt.Errorf("field %s: %w", f.Name, err)
		}
		o.index = at
		*out = append(*out, o)
	}
	return nil
}

var knownTypes = map[string]bool{"str": true, "path": true, "bool": true, "int": true, "float": true, "list": true,
	"dict": true, "raw": true, "json": true, "bytes": true, "bits": true, "jsonarg": true}

func optionOf(f reflect.StructField, tag string) (*Option, error) {
	if !f.IsExported() {
		return nil, fmt.Errorf("must be exported")
	}
	name, rest, _ := strings.Cut(tag, ",")
	o := &Option{Name: name, goType: f.Type, Doc: f.Tag.Get("doc"), Required: rest == "required",
		NoLog: f.Tag.Get("no_log") == "true", Elements: f.Tag.Get("elements"), Type: f.Tag.Get("type")}
	if a := f.Tag.Get("alias"); a != "" {
		o.Aliases = strings.Split(a, ",")
	}
	if c := f.Tag.Get("choices"); c != "" {
		o.Choices = strings.Split(c, ",")
	}
	o.Default, o.HasDef = f.Tag.Lookup("default")
	goType := f.Type
	if goType.Kind() == reflect.Pointer && goType != dictType {
		goType = goType.Elem()
	}
	kind, element := typeName(goType)
	if o.Type == "" {
		o.Type = kind
	}
	if o.Elements == "" && o.Type == "list" {
		o.Elements = element
	}
	if !knownTypes[o.Type] {
		return nil, fmt.Errorf("unknown type %q", o.Type)
	}
	sub := goType
	if sub.Kind() == reflect.Slice {
		sub = sub.Elem()
	}
	if sub.Kind() == reflect.Struct && goType != dictType && o.Type != "raw" {
		var err error
		if o.Options, err = optionsOf(sub); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func typeName(t reflect.Type) (kind, element string) {
	switch {
	case t == dictType:
		return "dict", ""
	case t.Kind() == reflect.Interface:
		return "raw", ""
	}
	switch t.Kind() {
	case reflect.Bool:
		return "bool", ""
	case reflect.Int64, reflect.Int:
		return "int", ""
	case reflect.Float64:
		return "float", ""
	case reflect.Slice:
		e, _ := typeName(t.Elem())
		return "list", e
	case reflect.Struct, reflect.Map:
		return "dict", ""
	}
	return "str", ""
}
