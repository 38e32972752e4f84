//go:build integration

package templates

import (
	"cmp"
	"regexp"
	"strings"
)

// sharedYAML finds lists whose elements stand twice and then in YAML.
var sharedYAML = regexp.MustCompile(`\b(mm|ml|l3) \+ (mm|ml|l3)\b.*yaml|\b(mm|ml|l3) \* .*yaml`)

// listCount finds count methods of lists.
var listCount = regexp.MustCompile(`\b(chain|l1|l2|l3|ml|mm|list|sort|unique|dictsort|reverse|split\([^()]*\)|zip\([^()]*\)|range\(\d+\))\)*\.count\(`)

// yamlDate finds dates that a filter reads from YAML.
var yamlDate = regexp.MustCompile(`'2020-01-01'.*\|from_yaml`)

// powers are computed by the C library's pow, which is off by one in the last digit now and then.
var powers = regexp.MustCompile(`\*\*|pow\(|root\(`)

var longFloat = regexp.MustCompile(`\d\.\d{14,}`)

// sameDigits tells that two texts differ only in the last digit or two of floats.
func sameDigits(a, b string) bool {
	cut := func(s string) string {
		return longFloat.ReplaceAllStringFunc(s, func(f string) string { return f[:15] })
	}
	return cut(a) == cut(b)
}

// printedRange is the only range of the grammar.
var printedRange = regexp.MustCompile(`range\(0, 3\)`)

// sameNumber finds questions for the identity of numbers that are computed.
var sameNumber = regexp.MustCompile(`sameas|is same`)

// oneFails tells that one side alone fails, with these words.
func oneFails(a, b result, words string) bool {
	if (a.Error == nil) == (b.Error == nil) {
		return false
	}
	return strings.Contains(*cmp.Or(a.Error, b.Error), words)
}

// blank leaves out what None in a template file is shown as, and the line ends around it.
func blank(repr string) string {
	return strings.ReplaceAll(strings.ReplaceAll(repr, "None", ""), `\n`, "")
}

// explained says why a case is not compared, or "".
func explained(c map[string]any, compat string, theirs, ours result) string {
	text := caseText(c)
	for _, s := range []string{" at 0x", "generator object", "<built-in", "<function", "<bound"} {
		if strings.Contains(theirs.Repr, s) {
			return "shows addresses or internals of Python"
		}
	}
	switch {
	case theirs.Error != nil && (strings.Contains(*theirs.Error, "case is too large") || strings.HasSuffix(*theirs.Error, "MemoryError")):
		return "takes Ansible too long"
	case ours.Error != nil && strings.HasSuffix(*ours.Error, "text is too large"):
		return "fettle bounds how large a text gets"
	}
	if strings.Contains(text, "setdefault(") || strings.Contains(text, "relpath(") {
		return "changes variables, or depends on the working directory"
	}
	if compat != "2.19" {
		switch {
		case theirs.Type == "Markup" || strings.Contains(theirs.Repr, "Markup("):
			return "escape gives plain text instead of Markup"
		case theirs.Error != nil && strings.Contains(*theirs.Error, "Could not load"), strings.Contains(text, "count="):
			return "a plugin or argument newer than this Ansible"
		case strings.Contains(text, "omit"):
			return "omit is only known to tasks"
		case strings.HasPrefix(theirs.Repr, "'{{") || strings.HasPrefix(theirs.Repr, "\"{{"):
			return "Ansible gives up and returns the template"
		case compat == "2.16-native" && c["kind"] == "file" && blank(theirs.Repr) == blank(ours.Repr):
			return "None in template files of the native mode"
		case theirs.Type == "NativeJinjaText", strings.Contains(theirs.Repr, "NativeJinjaText"):
			return "text that keeps being text after a method"
		case theirs.Error != nil && (strings.Contains(*theirs.Error, "name 'nan'") || strings.Contains(*theirs.Error, "name 'inf'")), strings.Contains(text, "is_integer"):
			return "later versions of Python and Ansible do better"
		case theirs.Type == "Undefined" && ours.Repr == "''":
			return "an inline if without else shows as empty text"
		case strings.Contains(text, "|string") && strings.Contains(theirs.Repr, "AnsibleUndefined("):
			return "text of containers that hold something undefined"
		case strings.Contains(strings.ToLower(theirs.Repr), "ansibleundefined(hint=none"):
			return "text of containers that hold something undefined"
		case theirs.Error != nil && strings.Contains(*theirs.Error, "unhashable type: 'slice'"):
			return "later versions of Python and Ansible do better"
		case theirs.Error != nil && strings.Contains(text, "range(") && (strings.Contains(*theirs.Error, "Object of type range") || strings.Contains(*theirs.Error, "cannot represent an object")):
			return "a range in a template file"
		case compat == "2.16" && strings.Contains(text, "{% set x %}{{") && strings.Contains(text, "x|length"):
			return "a set block whose text looks like a container becomes one"
		}
	}
	if compat == "2.19" {
		switch {
		case listCount.MatchString(text) && theirs.Error == nil && ours.Error == nil:
			return "Ansible counts none of the elements of a list it renders lazily"
		case strings.Contains(text, "(omit)"):
			return "omit alone is an error"
		case oneFails(theirs, ours, "inline if-expression"):
			return "an inline if without else shows as empty text"
		case theirs.Error != nil && strings.HasSuffix(*theirs.Error, "unhashable type: 'list'"):
			return "a tuple that a call gives cannot be a key"
		case strings.Contains(ours.Repr, "&id0") != strings.Contains(theirs.Repr, "&id0"), sharedYAML.MatchString(text):
			return "anchors for elements of one variable that occur twice"
		case theirs.Error != nil && strings.Contains(*theirs.Error, "Type 'Undefined' is unsupported"):
			return "an inline if without else shows as empty text"
		case ours.Error != nil && strings.Contains(*ours.Error, "Type 'method' is unsupported"):
			return "what urlsplit gives of nothing fails at once"
		case strings.Contains(text, "range(") && oneFails(theirs, ours, "ype 'range' is unsupported"):
			return "a range in a template file"
		case theirs.Error == nil && ours.Error == nil && theirs.Repr != ours.Repr && theirs.Repr == printedRange.ReplaceAllString(ours.Repr, "[0, 1, 2]"):
			return "a range in a template file"
		case oneFails(theirs, ours, "cannot represent an object"):
			return "YAML of named tuples and the like"
		case strings.Contains(theirs.Repr, "Markup(") && !strings.Contains(ours.Repr, "Markup("):
			return "markup that is a key is text"
		case sameNumber.MatchString(text) && theirs.Error == nil && ours.Error == nil:
			return "whether two numbers are one object in Python"
		}
	}
	switch {
	case theirs.Error != nil && strings.Contains(*theirs.Error, "surrogates not allowed"), strings.Contains(theirs.Repr, `\ud`):
		return "texts that are no UTF-8"
	case strings.Contains(ours.Repr, "\ufffd"):
		return "texts that are no UTF-8"
	}
	if yamlDate.MatchString(text) || strings.Contains(theirs.Repr, "datetime.date") || theirs.Type == "date" || theirs.Type == "datetime" {
		return "dates are text"
	}
	if powers.MatchString(text) && sameDigits(theirs.Repr, ours.Repr) {
		return "the last digit of a power"
	}
	if ours.Error != nil && strings.Contains(*ours.Error, "complex results") {
		return "complex numbers are refused"
	}
	if strings.Contains(text, "|urlize") || strings.Contains(text, "lipsum") {
		return "approximated"
	}
	return ""
}
