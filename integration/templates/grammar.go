//go:build integration

package templates

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// grammar writes random expressions. A pattern has holes for further expressions: {S} text, {I}
// int, {F} number, {L} list, {D} dict, {B} bool, {A} anything, {N} a small int, {V} a variable,
// {M} a list of dicts, {W} a plain word, {P} a pattern, {IP} an address.
type grammar struct {
	r     *rand.Rand
	group string
}

type patterns map[string][]string

var common = patterns{
	"S": {"{S} ~ {A}", "{S}.upper()", "{S}.lower()", "{S}|upper", "{S}|lower", "{S}[{N}]", "{S}[{N}:{N}]", "{S} + {S}", "{S} * {N}",
		"{L}|join({S})", "{I}|string", "{A}|string", "{S}|default({S})", "{S} if {B} else {S}", "{S}|replace({S}, {S})", "{S}|trim",
		"{S}.strip()", "{S}.split()|first", "{S}|capitalize", "{S}|title"},
	"I": {"{I} + {I}", "{I} - {I}", "{I} * {I}", "{I} // {I}", "{I} % {I}", "{S}|length", "{L}|length", "{I}|abs", "{F}|int", "{S}|int", "-{I}",
		"{L}|sum", "{S}.find({S})", "{S}.count({S})", "{I} ** {N}", "{D}|length", "({I})", "{I}|default({I})"},
	"F": {"{I}", "{F} / {F}", "{F} + {F}", "{F} * {F}", "{F}|round({N})", "{S}|float", "{F} - {I}", "{F}|abs", "{F} // {I}", "{F} % {I}"},
	"L": {"{L} + {L}", "{L}[{N}:{N}]", "{L}|list", "{L}|reverse|list", "{L}|sort", "{L}|unique", "{S}.split({S})", "{S}|list", "{D}|list", "{D}.keys()|list",
		"{D}.values()|list", "{M}|map(attribute={W})|list", "[{A}, {A}]", "[{I}, {F}, {S}]", "{L}|map('string')|list", "{L}|select|list", "range({N})|list",
		"{D}.items()|list", "{L}|default([])", "{L} if {B} else {L}", "{L}|map('upper')|list", "{D}|dictsort", "{D}|dict2items"},
	"D": {"{D}|combine({D})", "{ {S}: {A} }", "{ {S}: {A}, {I}: {A} }", "dict({L}|zip({L}))", "dict(a={A}, b={A})", "{M}|items2dict(key_name='k', value_name='v')",
		"{D}|default({D})", "{D}.copy()", "{M}|first"},
	"M": {"mm", "[{ 'k': {S}, 'v': {A} }]", "{M}|selectattr('v')|list", "{M}|rejectattr('k', 'equalto', {S})|list", "{M} + {M}", "{M}|sort(attribute='k')"},
	"B": {"{F} < {F}", "{I} == {I}", "{S} == {S}", "{S} in {S}", "{A} in {L}", "{S} in {D}", "not {B}", "{B} and {B}", "{B} or {B}", "{A} is defined", "{A} is string",
		"{A} is number", "{A} is mapping", "{A} is sequence", "{A} is iterable", "{A} is none", "{I} is even", "{I} is divisibleby {I}", "{S}.startswith({S})",
		"{A} == {A}", "{L} == {L}", "{I} != {F}", "{A}|bool", "{F} <= {F} <= {F}", "{A} is sameas {A}", "{S} not in {L}", "{S} < {S}"},
}

// groups are the fields to which a run of cases keeps, besides what is common.
var groups = map[string]patterns{
	"strings": {"S": {"{S}.capitalize()", "{S}.casefold()", "{S}.center({N})", "{S}.center({N}, '*')", "{S}.expandtabs({N})", "{S}.ljust({N}, '-')", "{S}.rjust({N})",
		"{S}.lstrip({S})", "{S}.rstrip({S})", "{S}.strip({S})", "{S}.partition({S})", "{S}.rpartition({S})", "{S}.removeprefix({S})", "{S}.removesuffix({S})",
		"{S}.replace({S}, {S})", "{S}.replace({S}, {S}, {N})", "{S}.swapcase()", "{S}.title()", "{S}.zfill({N})", "{S}.join({L})", "{S}.join({S})", "{S}.encode()",
		"{S}.encode('utf-8')", "{S}.translate({S}.maketrans('ab', 'xy'))", "{S}.format({A}, {A})", "{S}|e", "{S}|urlencode", "{S}|wordwrap({N})", "{S}|truncate({N}, true)",
		"{S}|truncate({N}, false, {S}, 0)", "{S}|indent({N})", "{S}|indent({N}, true)", "{S}|indent({S})", "{S}|center({N})", "{S}|striptags", "{S}|reverse", "{S}|first",
		"{S}|last", "{S}[::{N}]", "{S}|replace({S}, {S}, {N})", "{S}|trim({S})", "{S}|format({A})", "{S}|random_x"},
		"I": {"{S}.find({S}, {N})", "{S}.rfind({S})", "{S}.index({S})", "{S}.rindex({S})", "{S}.count({S})", "{S}|wordcount", "{S}.find({S}, {N}, {N})"},
		"L": {"{S}.split({S}, {N})", "{S}.rsplit({S}, {N})", "{S}.splitlines()", "{S}.splitlines(true)", "{S}.split(none, {N})", "{S}.rsplit(maxsplit={N})", "{S}|split",
			"{S}|split({S})", "{S}|batch({N})|list", "{S}|slice({N})|list"},
		"B": {"{S}.isalpha()", "{S}.isdigit()", "{S}.isnumeric()", "{S}.isdecimal()", "{S}.isalnum()", "{S}.isspace()", "{S}.isupper()", "{S}.islower()", "{S}.istitle()",
			"{S}.isidentifier()", "{S}.isprintable()", "{S}.isascii()", "{S}.endswith({S})", "{S} is upper", "{S} is lower", "{S}.startswith(({S}, {S}))", "{S}.startswith({S}, {N})"}},
	"formatting": {"S": {"'%s' % {A}", "'%r' % {A}", "'%5d|%-5d|%05d' % ({I}, {I}, {I})", "'%x %X %o' % ({I}, {I}, {I})", "'%.{N}f' % {F}", "'%e %g' % ({F}, {F})", "'%s-%s' % ({A}, {A})",
		"'%(a)s' % {D}", "'%10s|%-10s' % ({S}, {A})", "'{}-{}'.format({A}, {A})", "'{0!r:>10}'.format({S})", "'{:,}'.format({I})", "'{:>10}'.format({S})", "'{:^10}'.format({A})",
		"'{:08.3f}'.format({F})", "'{:+d}'.format({I})", "'{:#x}'.format({I})", "'{:b}'.format({I})", "'{:%}'.format({F})", "'{:e}'.format({F})", "'{:g}'.format({F})",
		"'{a}'.format(a={A})", "'{0[0]}'.format({L})", "'{:n}'.format({I})", "'{:_}'.format({I})", "'{!s:.3}'.format({A})", "'{{}}{}'.format({A})", "'%c' % {I}", "'%s'|format({A})",
		"'%d' % {F}", "'%i' % {A}", "'%*d' % ({N}, {I})", "'%+.2e' % {F}", "'%%'|format()", "'{:<{}}'.format({S}, {N})", "'%5.1f' % {A}", "'{:,.2f}'.format({F})", "'{:10}'.format({A})",
		"'{:05}'.format({I})", "'{:=+8}'.format({I})", "'{:c}'.format(65)", "'%#o' % {I}", "'% d' % {I}", "{F}|string", "{A}|pprint", "{I}|filesizeformat", "{F}|filesizeformat(true)", "{F}|human_readable",
		"{I}|human_readable(isbits=true)", "{F}|human_readable(unit='M')"},
		"I": {"{S}|human_to_bytes", "'{N}K'|human_to_bytes", "'1.5 MB'|human_to_bytes"}},
	"numbers": {"I": {"{I}|bool|int", "{I}|int(base={N})", "{S}|int({I}, 16)", "{F}|round|int", "{F}|round({N}, 'floor')", "{F}|round(method='ceil')", "{I}.bit_length()", "{L}|min", "{L}|max",
		"[{I}, {I}]|max", "({I}, {F})|min", "{I}|pow({N})", "{I} ** -{N}", "{I} if {I} else {I}", "+{I}", "{S}|hash|length"},
		"F": {"{F}|log", "{F}|log({I})", "{F}|root", "{F}|root({N})", "{F}|pow({F})", "{F} ** {F}", "{I} / {I}", "{F}|round({N}, 'ceil')", "{F} % {F}", "{F} // {F}", "-{F}", "{S}|float({F})", "1e{N} * {F}",
			"{F}.is_integer()", "{F} - {F}", "{I} / 3", "{F} * 0.1"},
		"B": {"{F} == {F}", "{F} > {I}", "{F} is integer", "{F} is float", "{I} is odd", "{F} is gt {F}", "{F} is le({I})", "{F} is nan", "{B} + {B}", "{B} == {I}", "{F} in {L}"}},
	"containers": {"S": {"{A}|to_json", "{A}|to_nice_json", "{A}|to_yaml", "{A}|to_nice_yaml", "{D}|string", "{L}|string", "{A}|type_debug", "{D}|urlencode", "{A}|to_json(sort_keys=false)",
		"{A}|to_nice_json(indent={N})", "{A}|to_json(ensure_ascii=false)", "{A}|to_nice_yaml(indent={N})", "{D}|xmlattr", "{A}|tojson", "{D}|to_yaml(default_flow_style=false)", "{A}|to_yaml(width={I})"},
		"L": {"{L}|flatten", "{L}|flatten(levels={N})", "{L}|union({L})", "{L}|intersect({L})", "{L}|difference({L})", "{L}|symmetric_difference({L})", "{L}|zip({L})|list",
			"{L}|zip_longest({L}, fillvalue={A})|list", "{L}|product({L})|list", "{L}|permutations|list", "{L}|combinations({N})|list", "{L}|batch({N}, {A})|list", "{L}|slice({N})|list",
			"{M}|groupby('k')", "{M}|groupby('k')|map('last')|list", "{L}|sort(reverse=true)", "{L}|sort(case_sensitive=true)", "{M}|map(attribute='k', default={A})|list", "{M}|map(attribute='v.x')|list",
			"{M}|selectattr('v', 'defined')|list", "{M}|selectattr('k', 'in', {S})|list", "{M}|rejectattr('v', 'none')|list", "{L}|select('string')|list", "{L}|reject('number')|list",
			"{L}|map('default', {A})|list", "{L}|map('int')|list", "{D}|dictsort(by='value')", "{D}|dictsort(reverse=true)", "{D}|items|list", "{M}|subelements('s')", "{D}|dict2items(key_name='x')",
			"{L}|map('regex_replace', {P}, {S})|list", "{L}|unique(case_sensitive=true)", "{M}|unique(attribute='k')", "{M}|sum(attribute='n')", "{L}|sum(start=[])", "{L}|difference({S})", "{L}|union({D})",
			"{S}|intersect({S})|list|sort", "{D}.pop({S}, {A})", "{L}.index({A})", "{L}.count({A})", "{L} * {N}", "{D}|zip({L})|list", "{L}|extract({L})", "{L}|map('extract', {L})|list"},
		"D": {"{D}|combine({D}, recursive=true)", "{D}|combine({D}, {D}, list_merge='append')", "{D}|combine({D}, recursive=true, list_merge='prepend_rp')", "{L}|combine", "[{D}, {D}]|combine",
			"{M}|items2dict(key_name='k', value_name='n')", "{A}|from_json", "{A}|to_json|from_json", "{A}|to_yaml|from_yaml", "{S}|from_yaml", "{D}|combine({A})", "{D}|rekey_on_member('k')",
			"{M}|rekey_on_member('k', duplicates='overwrite')", "{D}.get({S}, {A})", "{D}[{S}]", "{D}.a", "{D}|attr('a')", "{D}.get({S})", "{D}.setdefault({S}, {A})", "{D}|from_yaml"},
		"B": {"{D} == {D}", "{L} < {L}", "{L} is contains({A})", "{L} is subset({L})", "{L} is superset {L}", "{A} is in({L})", "{L} is any", "{L} is all", "{D}.keys() == {D}.keys()", "{A} in {A}"}},
	"misc": {"S": {"{S}|hash({S})", "{S}|hash('sha1')", "{S}|md5", "{S}|sha1", "{S}|checksum", "{S}|b64encode", "{S}|b64encode|b64decode", "{S}|b64decode", "{S}|basename", "{S}|dirname", "{S}|expanduser",
		"{S}|win_basename", "{S}|win_dirname", "{S}|commonpath", "{S}|normpath", "{S}|quote", "{S}|comment", "{S}|comment('c')", "{S}|comment(decoration={S})", "{S}|regex_replace({P}, {S})",
		"{S}|regex_replace({P}, '\\\\1')", "{S}|regex_search({P})", "{S}|regex_escape", "{S}|regex_escape('posix_basic')", "{S}|to_uuid", "{B}|ternary({A}, {A})", "{A}|ternary({A}, {A}, {A})",
		"{S}|urldecode", "{S}|urlsplit('hostname')", "'http://u:p@h.x:80/a?b=c#d'|urlsplit({S})", "{I}|strftime_x", "'%Y-%m-%d'|strftime({I})", "'%H:%M'|strftime({I}, utc=true)", "{A}|mandatory", "{A}|bool|string",
		"{L}|path_join", "{S}|path_join", "{A}|type_debug", "{S}|splitext|first", "{S}|win_splitdrive|last", "{S}|regex_replace({P}, {S}, ignorecase=true)", "{S}|regex_replace({P}, {S}, count={N})"},
		"L": {"{S}|regex_findall({P})", "{S}|regex_search({P}, '\\\\1')", "{S}|splitext", "{S}|win_splitdrive", "{S}|fileglob", "{S}|split({S})", "{S}|regex_findall({P}, multiline=true)", "{A}|from_yaml_all|list"},
		"D": {"{S}|urlsplit", "'http://u:p@h.x:80/a?b=c#d'|urlsplit", "{A}|from_json"},
		"B": {"{S} is match({P})", "{S} is search({P})", "{S} is regex({P})", "{S} is version({S}, {W2})", "'1.{N}.{N}' is version('1.{N}', '>=')", "'1.{N}rc1' is version('1.{N}', '<', version_type='loose')",
			"{A} is truthy", "{A} is falsy", "{A} is truthy(convert_bool=true)", "{D} is failed", "{D} is changed", "{D} is skipped", "{D} is success", "{S} is abs", "{S} is url", "{A}|bool",
			"'1.{N}.{N}-{N}' is version('1.{N}.{N}', 'lt', version_type='semver')", "'1.{N}' is version('1.{N}', 'eq', strict=true)", "{S} is file", "{S} is uri", "{A} is boolean", "{A} is callable", "{A} is escaped"}},
	"undefined": {"S": {"nope", "nope|default({A})", "nope.x|default({A})", "{D}.nope|default({A})", "{D}['nope']", "{L}[99]|default({A})", "{L}[99]", "nope is defined", "nope.a.b is undefined", "{D}.nope.x is defined",
		"{D}.nope|default", "nope|d({A}, true)", "{A}|default({A}, true)", "({S} if {B})", "({S} if {B})|default({S})", "[nope]", "{ 'a': nope }", "nope ~ {S}", "nope|string", "nope|length", "nope|bool", "nope and {B}",
		"{B} or nope", "{B} and nope", "nope == nope", "nope in {L}", "[nope]|map('default', {A})|list", "undef(hint={S})", "omit", "{L}|first|default({A})", "[]|first", "[]|last", "[]|max", "[]|first|default({A})",
		"{D}.nope is none", "nope|mandatory", "nope|mandatory(msg={S})", "({A}, nope)|first", "lookup('vars', 'nope', default={A})", "lookup('vars', 'nope')", "{M}|map(attribute='nope')|list",
		"{M}|map(attribute='nope')|select('defined')|list", "nope|type_debug", "nope|to_json", "{'a': nope}|dict2items", "nope if {B} else {A}", "(nope|default({D})).x", "nope()", "{S}.nope", "{S}.nope()", "{I}.x",
		"vars.nope", "vars['s1']", "hostvars", "lv", "lv2.a", "chain", "chain ~ 'x'", "lazy.a", "lazy.b", "lazy.l[1]", "lazy", "lazy.bad|default({A})", "lazy.bad is defined", "lazy.l", "cyc"},
		"B": {"nope is defined", "lazy.bad is defined", "lazy.a is defined", "chain is defined", "{A} is defined", "nope is undefined", "nope == {A}", "nope in {L}", "nope is none", "not nope", "nope is truthy"}},
}

func words(s string) []string { return strings.Fields(s) }

var (
	texts = []string{"''", "'a'", "'b c'", "'Hello World'", "'12'", "'-3'", "'1.5'", "'0x1f'", "'yes'", "'True'", "'None'", "'null'", "'[1, 2]'", "'{\"a\": 1}'", "'a: 1'", "'x,y,,z'", "'a.b.c'", "' pad '",
		"'é日本😀'", "'ß'", "'İ'", "'tab\tx'", "'l1\nl2\n'", "'/etc/a.b/f.tar.gz'", "'it\"s'", `"it's"`, "'<b>&amp;</b>'", "'aAbBcC'", "'%s'", "'{}'", "'1_000'", "'1e3'", "'inf'", "'nan'", "'٣'", "'½'", "'a'*3", "'~'", "'0o17'",
		"'2020-01-01'", "'1:30'", "'#x'", "'- a'", "'c:\\\\x'", "'-'", "'.'", "','", "'l'", "'o'", "' '"}
	vars   = map[string][]string{"S": words("s1 s2 s3 s4"), "I": words("i1 i2 i3"), "F": words("f1 f2 i1"), "L": words("l1 l2 l3 ml"), "D": words("d1 d2 d3"), "M": words("mm"), "B": words("t1 t2"), "A": words("s1 i1 f1 l1 d1 mm t1 n1 lv s2 l2 d2")}
	ints   = words("0 1 2 3 -1 -2 7 10 16 100 255 1024 65536 -17 123456789 9223372036854775807 9223372036854775808 123456789012345678901234567890")
	floats = words("0.0 1.0 0.5 -0.5 1.5 2.5 3.14159 -2.7 1e10 1e16 1e17 1e-5 0.0001 1e100 123456.789 0.1 1e22 2.675 -0.0")
	regexs = []string{"'a'", "'[a-z]+'", "'^.'", "'(.)(.)'", "'\\\\d+'", "'(?i)h'", "'x*'", "'(?P<n>\\\\w+)'", "'\\\\s'", "'$'", "'[^a]'", "'a|b'", "'('", "'\\\\bW'", "'(?<=l)o'", "'(a)?b'", "''"}
	names  = []string{"'k'", "'v'", "'n'", "'a'", "'v.x'", "'s'", "'nope'"}
	ops    = []string{"'<'", "'>='", "'eq'", "'ne'", "'gt'", "'xx'"}
)

func pick[T any](g *grammar, xs []T) T { return xs[g.r.IntN(len(xs))] }

// expr writes an expression of a kind, nested at most so deep.
func (g *grammar) expr(kind string, depth int) string {
	if g.r.IntN(25) == 0 && strings.Contains("SIFLDBAM", kind) {
		kind = pick(g, words("S I F L D B A A"))
	}
	switch kind {
	case "N":
		return fmt.Sprint(g.r.IntN(9) - 2)
	case "W":
		return pick(g, names)
	case "W2":
		return pick(g, ops)
	case "P":
		return pick(g, regexs)
	case "A":
		if g.r.IntN(10) == 0 {
			return pick(g, words("none true false n1 () {} []"))
		}
		kind = pick(g, words("S S I F L D B M"))
	}
	if depth <= 0 || g.r.IntN(4) == 0 {
		return g.leaf(kind)
	}
	ps := common[kind]
	if own := groups[g.group][kind]; len(own) > 0 && g.r.IntN(3) > 0 {
		ps = own
	}
	return "(" + g.fill(pick(g, ps), depth-1) + ")"
}

func (g *grammar) leaf(kind string) string {
	if g.r.IntN(2) == 0 {
		return pick(g, vars[kind])
	}
	switch kind {
	case "S":
		return pick(g, texts)
	case "I":
		return pick(g, ints)
	case "F":
		return pick(g, floats)
	case "B":
		return pick(g, words("true false True t1"))
	case "L":
		return pick(g, []string{"[]", "[1, 2]", "['a', 'B', 'b']", "[3, 1, 2]", "(1, 'x')", "[[1, [2]], 3]", "[none, 0, '']", "range(3)", "[1.0, true, 'a']", "('a',)"})
	case "M":
		return "mm"
	}
	return pick(g, []string{"{}", "{'a': 1}", "{'b': {'c': [1]}, 'a': none}", "{1: 2, 'x': 'y'}", "{'a': 'é', 'l': [1, 'x']}"})
}

// fill puts expressions into the holes of a pattern.
func (g *grammar) fill(p string, depth int) string {
	var b strings.Builder
	for p != "" {
		i := strings.IndexByte(p, '{')
		if i < 0 {
			b.WriteString(p)
			break
		}
		b.WriteString(p[:i])
		p = p[i:]
		end := strings.IndexByte(p, '}')
		hole := ""
		if end > 0 {
			hole = p[1:end]
		}
		switch hole {
		case "S", "I", "F", "L", "D", "B", "A", "N", "M", "W", "W2", "P":
			b.WriteString(g.expr(hole, depth))
			p = p[end+1:]
		default:
			b.WriteByte('{')
			p = p[1:]
		}
	}
	return b.String()
}
