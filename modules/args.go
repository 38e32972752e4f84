package modules

import (
	"fmt"
	"math/big"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"fettle/engine/diag"
	"fettle/engine/value"
)

// Args are the arguments of one call, as they came from the playbook after templating.
type Args struct {
	Values *value.Dict
	// Invocation, after decoding, holds every option with its final value: what Ansible
	// returns as invocation.module_args, with no_log options replaced.
	Invocation *value.Dict
}

// NoLogText replaces the value of a no_log option wherever arguments are shown.
const NoLogText = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"

// ArgError is a problem with the arguments of a task.
type ArgError struct {
	Option string // "" when it is about several
	Msg    string
	Hint   string
}

func (e *ArgError) Error() string { return e.Msg }

var dictType = reflect.TypeFor[*value.Dict]()

// Check reports problems that can be found without running: unknown options, missing
// required ones, values that do not convert, rules. Options whose value is not known yet
// (templates) are listed in open and taken as given and valid.
func (m *Module) CheckArgs(args *value.Dict, open func(name string) bool) []*ArgError {
	var problems []*ArgError
	given := map[string]bool{}
	for _, e := range args.Entries() {
		name, _ := e.Key.(string)
		o := m.Option(name)
		if o == nil {
			if !m.ExtraArgs {
				problems = append(problems, m.unknown(name))
			}
			continue
		}
		if e.Value == nil {
			continue // as if it were not there
		}
		if s, isText := e.Value.(string); isText && s == "" && !o.Required {
			given[o.Name] = true
			continue
		}
		given[o.Name] = true
		if open(name) || e.Value == nil {
			continue
		}
		if v, err := convert(o, o.Type, e.Value, reflect.New(o.goType).Elem()); err != nil {
			problems = append(problems, &ArgError{Option: name, Msg: err.Error()})
		} else if err := checkChoice(o, v); err != nil {
			problems = append(problems, err)
		}
	}
	for _, o := range m.Options {
		if o.Required && !given[o.Name] {
			problems = append(problems, &ArgError{Option: o.Name, Msg: "missing required arguments: " + o.Name})
		}
	}
	for _, r := range m.Rules {
		if err := r.check(m, args, func(n string) bool { return given[m.canonical(n)] }, open); err != nil {
			problems = append(problems, err)
		}
	}
	return problems
}

func (m *Module) canonical(name string) string {
	if o := m.Option(name); o != nil {
		return o.Name
	}
	return name
}

func (m *Module) unknown(name string) *ArgError {
	return &ArgError{Option: name, Hint: diag.DidYouMean(name, m.OptionNames()),
		Msg: fmt.Sprintf("module %s has no option %q", m.Name, name)}
}

// Unsupported is the error for options that the module does not have, in Ansible's words.
func (m *Module) Unsupported(values *value.Dict) error { return m.UnsupportedAs(values, m.Name) }

// UnsupportedAs is Unsupported with the module's name as the task wrote it.
func (m *Module) UnsupportedAs(values *value.Dict, as string) error {
	var unknown []string
	for _, e := range values.Entries() {
		name, _ := e.Key.(string)
		if m.Option(name) == nil && !m.ExtraArgs {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	list := strings.Join(unknown, ", ")
	switch m.Name {
	case "ansible.builtin.fail", "ansible.builtin.wait_for_connection":
		return &ArgError{Option: unknown[0], Msg: fmt.Sprintf("Invalid options for %s: %s", as, list)}
	case "ansible.builtin.shell":
		return &ArgError{Option: unknown[0], Msg: fmt.Sprintf("Unsupported parameters for (%s) module: %s", as, list)}
	case "ansible.builtin.command", "ansible.builtin.uri":
		as = strings.Replace(m.Name, ".builtin.", ".legacy.", 1)
	}
	var supported, aliases []string
	for _, o := range m.Options {
		if !strings.HasPrefix(o.Name, "_") {
			supported, aliases = append(supported, o.Name), append(aliases, o.Aliases...)
		}
	}
	slices.Sort(supported)
	slices.Sort(aliases)
	if m.Name == "ansible.builtin.wait_for_connection" || m.Name == "ansible.builtin.reboot" {
		return &ArgError{Option: unknown[0], Msg: fmt.Sprintf("Invalid options for %s: %s", strings.TrimPrefix(m.Name, "ansible.builtin."), strings.Join(unknown, ","))}
	}
	others := ""
	if len(aliases) > 0 {
		others = " (" + strings.Join(aliases, ", ") + ")"
	}
	return &ArgError{Option: unknown[0], Msg: fmt.Sprintf("Unsupported parameters for (%s) module: %s. Supported parameters include: %s%s.",
		as, list, strings.Join(supported, ", "), others)}
}

// decode fills the args struct from a and a.Invocation.
func decode(m *Module, a *Args, into reflect.Value) error {
	if err := m.Unsupported(a.Values); err != nil {
		return err
	}
	a.Invocation = value.NewDict(len(m.Options))
	given, err := decodeOptions(m.Options, a.Values, into, a.Invocation, "")
	if err != nil {
		return err
	}
	for _, r := range m.Rules {
		if err := r.check(m, a.Values, func(n string) bool { return given[m.canonical(n)] }, func(string) bool { return false }); err != nil {
			return err
		}
	}
	return nil
}

func decodeOptions(options []*Option, values *value.Dict, into reflect.Value, invocation *value.Dict, where string) (map[string]bool, error) {
	given := map[string]bool{}
	var missing []string
	for _, o := range options {
		v, ok := lookupOption(o, values)
		if !ok || v == nil {
			if o.Required {
				missing = append(missing, o.Name)
				continue
			}
			if !o.HasDef {
				invocation.SetString(o.Name, nil)
				continue
			}
			v = o.Default
		} else {
			given[o.Name] = true
		}
		shown, err := convert(o, o.Type, v, into.FieldByIndex(o.index))
		if err != nil {
			return nil, &ArgError{Option: o.Name, Msg: fmt.Sprintf("argument '%s' is of type %s%s and we were unable to convert to %s: %v",
				o.Name, value.TypeName(v), where, o.Type, err)}
		}
		if err := checkChoice(o, shown); err != nil {
			return nil, err
		}
		if o.NoLog {
			shown = NoLogText
		}
		invocation.SetString(o.Name, shown)
	}
	if len(missing) > 0 {
		return nil, &ArgError{Option: missing[0], Msg: "missing required arguments: " + strings.Join(missing, ", ") + where}
	}
	return given, nil
}

func lookupOption(o *Option, values *value.Dict) (value.Value, bool) {
	v, ok := values.GetString(o.Name)
	for _, a := range o.Aliases {
		if w, has := values.GetString(a); has {
			v, ok = w, true
		}
	}
	return v, ok
}

func checkChoice(o *Option, v value.Value) *ArgError {
	if len(o.Choices) == 0 || v == nil {
		return nil
	}
	bad := func(s string) *ArgError {
		return &ArgError{Option: o.Name, Hint: diag.DidYouMean(s, o.Choices),
			Msg: fmt.Sprintf("value of %s must be one of: %s, got: %s", o.Name, strings.Join(o.Choices, ", "), s)}
	}
	if l, ok := v.(*value.List); ok {
		for _, e := range l.V {
			if s := value.Str(e); !slices.Contains(o.Choices, s) {
				return bad(s)
			}
		}
		return nil
	}
	s := value.Str(v)
	if b, ok := v.(bool); ok {
		s = strconv.FormatBool(b)
		if slices.Contains(o.Choices, map[bool]string{true: "yes", false: "no"}[b]) {
			return nil
		}
	}
	escaped := strings.NewReplacer("\r", `\r`, "\n", `\n`).Replace(s)
	if !slices.Contains(o.Choices, s) && !slices.Contains(o.Choices, escaped) {
		return bad(s)
	}
	return nil
}

// convert turns v into the declared type, stores it in into and returns the value as it
// is shown in the invocation.
func convert(o *Option, kind string, v value.Value, into reflect.Value) (value.Value, error) {
	if into.Kind() == reflect.Pointer && into.Type() != dictType {
		into.Set(reflect.New(into.Type().Elem()))
		into = into.Elem()
	}
	switch kind {
	case "bool":
		b, err := ToBool(v)
		if err == nil {
			into.SetBool(b)
		}
		return b, err
	case "int":
		n, err := toInt(v)
		if err == nil {
			into.SetInt(n)
		}
		return n, err
	case "float":
		f, err := toFloat(v)
		if err == nil {
			into.SetFloat(f)
		}
		return f, err
	case "list":
		return convertList(o, v, into)
	case "dict":
		return convertDict(o, v, into)
	case "raw":
		if into.Kind() == reflect.Interface {
			if v != nil {
				into.Set(reflect.ValueOf(v))
			}
			return v, nil
		}
		into.SetString(value.Str(v))
		return v, nil
	case "bytes", "bits":
		n, err := HumanToBytes(value.Str(v), kind == "bits")
		if err == nil {
			into.SetInt(n)
		}
		return n, err
	case "json", "jsonarg":
		s, err := toJSONText(v)
		if err == nil {
			into.SetString(s)
		}
		return s, err
	}
	s, err := toText(v)
	if err != nil {
		return nil, err
	}
	if kind == "path" {
		s = ExpandPath(s)
	}
	into.SetString(s)
	return s, nil
}

func convertList(o *Option, v value.Value, into reflect.Value) (value.Value, error) {
	var items []value.Value
	switch x := v.(type) {
	case *value.List:
		items = x.V
	case value.Tuple:
		items = x
	case string:
		for s := range strings.SplitSeq(x, ",") {
			items = append(items, strings.TrimSpace(s))
		}
		if x == "" {
			items = nil
		}
		if len(items) == 1 {
			items[0] = x
		}
	case int64, float64, bool, *big.Int:
		items = []value.Value{value.Str(v)}
	case *value.Dict:
		if len(o.Options) == 0 && o.Elements != "dict" {
			return nil, fmt.Errorf("a dict is no list")
		}
		items = []value.Value{x}
	default:
		return nil, fmt.Errorf("%s cannot be converted to a list", value.TypeName(v))
	}
	shown := &value.List{V: make([]value.Value, 0, len(items))}
	elements := o.Elements
	if elements == "" {
		elements = "raw"
	}
	if into.Kind() != reflect.Slice {
		return nil, fmt.Errorf("option %s: the Go type of a list must be a slice", o.Name)
	}
	out := reflect.MakeSlice(into.Type(), len(items), len(items))
	for i, e := range items {
		s, err := convert(o, elements, e, out.Index(i))
		if err != nil {
			return nil, fmt.Errorf("elements value for option %q: %w", o.Name, err)
		}
		shown.V = append(shown.V, s)
	}
	into.Set(out)
	return shown, nil
}

func convertDict(o *Option, v value.Value, into reflect.Value) (value.Value, error) {
	d, ok := v.(*value.Dict)
	if !ok {
		s, isText := v.(string)
		if !isText {
			return nil, fmt.Errorf("dictionary requested, could not parse JSON or key=value")
		}
		var err error
		if d, err = parseDictText(s); err != nil {
			return nil, err
		}
	}
	switch {
	case into.Type() == dictType:
		into.Set(reflect.ValueOf(d))
		return d, nil
	case into.Kind() == reflect.Interface:
		into.Set(reflect.ValueOf(value.Value(d)))
		return d, nil
	case into.Kind() == reflect.Struct:
		for _, e := range d.Entries() {
			if name, _ := e.Key.(string); findOption(o.Options, name) == nil {
				return nil, fmt.Errorf("unsupported suboption %q of %s", value.Str(e.Key), o.Name)
			}
		}
		shown := value.NewDict(len(o.Options))
		_, err := decodeOptions(o.Options, d, into, shown, " found in "+o.Name)
		return shown, err
	}
	return nil, fmt.Errorf("option %s: the Go type of a dict must be *value.Dict or a struct", o.Name)
}

func parseDictText(s string) (*value.Dict, error) {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, "{") {
		v, err := value.FromJSON([]byte(s))
		if d, ok := v.(*value.Dict); ok && err == nil {
			return d, nil
		}
		return nil, fmt.Errorf("unable to evaluate string as dictionary")
	}
	if !strings.Contains(s, "=") {
		return nil, fmt.Errorf("dictionary requested, could not parse JSON or key=value")
	}
	d := value.NewDict(2)
	for _, part := range splitKeyValues(s) {
		k, v, ok := strings.Cut(part, "=")
		if !ok {
			return nil, fmt.Errorf("dictionary requested, could not parse JSON or key=value")
		}
		d.SetString(strings.TrimSpace(k), strings.Trim(strings.TrimSpace(v), `"'`))
	}
	return d, nil
}

// splitKeyValues splits at commas and blanks outside quotes.
func splitKeyValues(s string) []string {
	var out []string
	var field strings.Builder
	quote := byte(0)
	flush := func() {
		if field.Len() > 0 {
			out = append(out, field.String())
			field.Reset()
		}
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote != 0 && c == quote:
			quote = 0
			field.WriteByte(c)
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
			field.WriteByte(c)
		case quote == 0 && (c == ',' || c == ' '):
			flush()
		default:
			field.WriteByte(c)
		}
	}
	flush()
	return out
}

// ToBool converts as Ansible's boolean() does: y yes on 1 true t and their opposites, in
// any case, the numbers 0 and 1, and booleans.
func ToBool(v value.Value) (bool, error) {
	switch x := v.(type) {
	case bool:
		return x, nil
	case int64:
		if x == 0 || x == 1 {
			return x == 1, nil
		}
	case float64:
		if x == 0 || x == 1 {
			return x == 1, nil
		}
	case string:
		switch strings.ToLower(strings.TrimSpace(x)) {
		case "y", "yes", "on", "1", "true", "t", "1.0":
			return true, nil
		case "n", "no", "off", "0", "false", "f", "0.0":
			return false, nil
		}
	}
	return false, fmt.Errorf("the value %s is not a valid boolean; valid booleans include: yes, no, on, off, true, false, 1, 0", quoteValue(v))
}

func quoteValue(v value.Value) string { return value.Repr(v) }

func toInt(v value.Value) (int64, error) {
	switch x := v.(type) {
	case int64:
		return x, nil
	case bool:
		if x {
			return 1, nil
		}
		return 0, nil
	case float64:
		if x == float64(int64(x)) {
			return int64(x), nil
		}
	case string:
		if n, err := strconv.ParseInt(strings.TrimSpace(x), 10, 64); err == nil {
			return n, nil
		}
	}
	return 0, fmt.Errorf("\"%s\" cannot be converted to an int", quoteValue(v))
}

func toFloat(v value.Value) (float64, error) {
	switch x := v.(type) {
	case float64:
		return x, nil
	case int64:
		return float64(x), nil
	case bool:
		if x {
			return 1, nil
		}
		return 0, nil
	case string:
		if f, err := strconv.ParseFloat(strings.TrimSpace(x), 64); err == nil {
			return f, nil
		}
	}
	return 0, fmt.Errorf("%s cannot be converted to a float", quoteValue(v))
}

// toText is Python's str() of any value: Ansible converts numbers, booleans and
// containers given for a str option, with a warning at most.
func toText(v value.Value) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	return value.Str(v), nil
}

func toJSONText(v value.Value) (string, error) {
	switch x := v.(type) {
	case string:
		return strings.TrimSpace(x), nil
	case *value.Dict, *value.List, value.Tuple:
		b, err := value.ToJSON(v)
		return string(b), err
	}
	return "", fmt.Errorf("%s cannot be converted to a json string", value.TypeName(v))
}

var sizeUnits = map[byte]int64{'Y': 0, 'Z': 0, 'E': 1 << 60, 'P': 1 << 50, 'T': 1 << 40, 'G': 1 << 30, 'M': 1 << 20, 'K': 1 << 10, 'B': 1}

// HumanToBytes reads "10M", "1.5 GB", "512": units are powers of 1024; with bits the unit
// letter is b instead of B.
func HumanToBytes(s string, bits bool) (int64, error) {
	s = strings.TrimSpace(s)
	i := 0
	for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.' || i == 0 && s[i] == '-') {
		i++
	}
	n, err := strconv.ParseFloat(s[:i], 64)
	if err != nil {
		return 0, fmt.Errorf("cannot interpret %q as a size", s)
	}
	unit := strings.TrimSpace(s[i:])
	if unit == "" {
		return int64(n), nil
	}
	suffix := "B"
	if bits {
		suffix = "b"
	}
	factor, ok := sizeUnits[strings.ToUpper(unit[:1])[0]]
	rest := unit[1:]
	if ok && factor == 1 {
		rest = unit[:1]
		ok = strings.EqualFold(rest, suffix)
		rest = ""
	}
	if !ok || factor == 0 || rest != "" && rest != suffix {
		return 0, fmt.Errorf("cannot interpret %q as a size: unknown unit %q", s, unit)
	}
	return int64(n * float64(factor)), nil
}

// ExpandPath expands a leading ~ or ~user and $VAR on the host, as Ansible does for path options.
func ExpandPath(s string) string {
	if strings.Contains(s, "$") {
		s = os.Expand(s, func(name string) string {
			if v, ok := os.LookupEnv(name); ok {
				return v
			}
			return "$" + name
		})
	}
	if strings.HasPrefix(s, "~") {
		name, rest, _ := strings.Cut(s[1:], "/")
		if home := homeOf(name); home != "" {
			if rest == "" && !strings.Contains(s, "/") {
				return home
			}
			return strings.TrimRight(home, "/") + "/" + rest
		}
	}
	return s
}

// homeOf looks the home directory up without the C library, so that the runner stays small.
func homeOf(user string) string {
	if user == "" {
		if h := os.Getenv("HOME"); h != "" {
			return h
		}
	}
	text, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return ""
	}
	uid := strconv.Itoa(os.Getuid())
	for line := range strings.SplitSeq(string(text), "\n") {
		f := strings.Split(line, ":")
		if len(f) >= 6 && (user != "" && f[0] == user || user == "" && f[2] == uid) {
			return f[5]
		}
	}
	return ""
}
