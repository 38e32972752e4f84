//go:build integration

package templates

import "strings"

// explained says why a case is not compared, or "".
func explained(c map[string]any, compat string, theirs, ours result) string {
	text := caseText(c)
	for _, s := range []string{" at 0x", "generator object", "<built-in", "<function", "<bound"} {
		if strings.Contains(theirs.Repr, s) {
			return "shows addresses or internals of Python"
		}
	}
	if compat != "2.19" {
		switch {
		case theirs.Type == "Markup" || strings.Contains(theirs.Repr, "Markup("):
			return "escape gives plain text instead of Markup"
		case theirs.Error != nil && strings.Contains(*theirs.Error, "Could not load"), strings.Contains(text, "count="):
			return "a plugin or argument newer than this Ansible"
		case strings.Contains(text, "omit"):
			return "omit is only known to tasks"
		case theirs.Type == "Undefined" && ours.Repr == "''":
			return "an inline if without else shows as empty text"
		case strings.Contains(text, "|string") && strings.Contains(theirs.Repr, "AnsibleUndefined("):
			return "text of containers that hold something undefined"
		}
	}
	if ours.Error != nil && strings.Contains(*ours.Error, "complex results") {
		return "complex numbers are refused"
	}
	if strings.Contains(text, "|urlize") || strings.Contains(text, "lipsum") {
		return "approximated"
	}
	return ""
}
