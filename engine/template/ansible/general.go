package ansible

import (
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"

	"fettle/engine/pyre"
	"fettle/engine/template"
	"fettle/engine/value"
)

// general registers a filter of community.general, also under its old short name.
func general(name, params string, f body) {
	filterAs([]string{"community.general." + name, name}, name+params, f)
}

func init() {
	filterAs([]string{"community.general.dict"}, "dict(sequence)", func(_ *template.Call, a []value.Value) (value.Value, error) { return dictOf(a[0]) })
	general("dict_kv", "(value, key)", func(_ *template.Call, a []value.Value) (value.Value, error) {
		d := value.NewDict(1)
		return d, d.Set(a[1], a[0])
	})
	general("groupby_as_dict", "(sequence, attribute)", groupByAsDict)
	general("counter", "(sequence)", counter)
	general("version_sort", "(values, reverse=False)", versionSort)
	general("crc32", "(value)", func(_ *template.Call, a []value.Value) (value.Value, error) {
		if !isText(a[0]) {
			return nil, fmt.Errorf("Invalid value type (<class '%s'>) for crc32 (%s)", value.TypeName(a[0]), text(a[0]))
		}
		return strconv.FormatUint(uint64(crc32.ChecksumIEEE([]byte(text(a[0])))), 16), nil
	})
	general("reveal_ansible_type", "(data, alias=None)", revealType)
	test("community.general.ansible_type", "ansible_type(data, dtype, alias=None)", isAnsibleType)
	general("random_mac", "(value, seed=None)", randomMAC)
	general("unicode_normalize", "(data, form='NFC')", unicodeNormalize)
	general("from_csv", "(data, dialect='excel', fieldnames=None, delimiter=None, skipinitialspace=None, strict=None)", fromCSV)
	general("from_ini", "(obj)", fromINI)
	general("to_ini", "(obj)", toINI)
	filterAs([]string{"community.general.accumulate"}, "accumulate(sequence)", accumulate)
	for name, unit := range map[string]string{"milliseconds": "ms", "seconds": "s", "minutes": "m", "hours": "h", "days": "d", "weeks": "w", "months": "mo", "years": "y"} {
		general("to_"+name, "(value, year=365, month=30)", func(_ *template.Call, a []value.Value) (value.Value, error) {
			return timeUnit(a[0], unit, a[1], a[2])
		})
	}
	general("to_time_unit", "(value, unit='ms', year=365, month=30)", func(_ *template.Call, a []value.Value) (value.Value, error) {
		return timeUnit(a[0], text(a[1]), a[2], a[3])
	})
	test("community.general.fqdn_valid", "fqdn_valid(fqdn, min_labels=1, allow_underscores=False)", validFQDN)
}

// dictOf is Python's dict(pairs).
func dictOf(v value.Value) (value.Value, error) {
	if d, ok := v.(*value.Dict); ok {
		return d, nil
	}
	vs, err := value.Iterate(v)
	d := value.NewDict(len(vs))
	for _, p := range vs {
		kv, err := value.Iterate(p)
		if err != nil || len(kv) != 2 {
			return nil, fmt.Errorf("dict needs pairs, got %s", value.Repr(p))
		}
		if err := d.Set(kv[0], kv[1]); err != nil {
			return nil, err
		}
	}
	return d, err
}

func groupByAsDict(_ *template.Call, a []value.Value) (value.Value, error) {
	vs, err := value.Iterate(a[0])
	if err != nil {
		return nil, errors.New("input is not a sequence")
	}
	out := value.NewDict(len(vs))
	for i, v := range vs {
		d, ok := v.(*value.Dict)
		if !ok {
			return nil, fmt.Errorf("sequence element #%d is not a mapping", i)
		}
		key, ok := d.Get(a[1])
		if !ok {
			return nil, fmt.Errorf("attribute not contained in element #%d of sequence", i)
		}
		if out.Has(key) {
			return nil, fmt.Errorf("multiple sequence entries have attribute value %s", value.Repr(key))
		}
		if err := out.Set(key, v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func counter(_ *template.Call, a []value.Value) (value.Value, error) {
	if !isSequence(a[0]) && !isText(a[0]) {
		return nil, fmt.Errorf("argument for counter must be a sequence (string or list), got %s", describe(a[0]))
	}
	vs, err := value.Iterate(a[0])
	if err != nil {
		return nil, err
	}
	out := value.NewDict(0)
	for _, v := range vs {
		n, _ := out.Get(v)
		c, _ := n.(int64)
		if err := out.Set(v, c+1); err != nil {
			return nil, fmt.Errorf("counter needs a sequence with hashable elements: %w", err)
		}
	}
	return out, nil
}

func versionSort(_ *template.Call, a []value.Value) (value.Value, error) {
	vs, err := value.Iterate(a[0])
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(vs, func(v value.Value) bool { return !isText(v) }); i >= 0 {
		return nil, fmt.Errorf("version_sort needs texts, got %s", describe(vs[i]))
	}
	out := slices.Clone(vs)
	var fail error
	slices.SortStableFunc(out, func(x, y value.Value) int {
		c, err := compareLoose(text(x), text(y))
		if err != nil {
			fail = err
		}
		if isTrue(a[1]) {
			c = -c
		}
		return c
	})
	return list(out), fail
}

func randomMAC(_ *template.Call, a []value.Value) (value.Value, error) {
	fail := func(why string) error {
		return fmt.Errorf("Invalid value (%s) for random_mac: %s", text(a[0]), why)
	}
	if !isText(a[0]) {
		return nil, fmt.Errorf("Invalid value type (%s) for random_mac (%s)", value.TypeName(a[0]), text(a[0]))
	}
	var parts []string
	all := strings.Split(strings.ToLower(text(a[0])), ":")
	if len(all) > 5 {
		return nil, fail("5 colon(:) separated items max")
	}
	for _, p := range all {
		if p != "" {
			parts = append(parts, p)
		}
	}
	for _, p := range parts {
		if _, err := strconv.ParseUint(p, 16, 8); err != nil || len(p) != 2 {
			return nil, fail(p + " not hexa byte")
		}
	}
	if len(parts) == 0 {
		return nil, fail("")
	}
	r, err := newRandom(a[1])
	if err != nil {
		return nil, err
	}
	digits := strconv.FormatInt(0x1000000000+below(r, 0x10000000000-0x1000000000), 16)
	for i := 0; len(parts) < 6; i += 2 {
		parts = append(parts, digits[i:i+2])
	}
	return strings.Join(parts, ":"), nil
}

func unicodeNormalize(_ *template.Call, a []value.Value) (value.Value, error) {
	forms := map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD, "NFKC": norm.NFKC, "NFKD": norm.NFKD}
	f, ok := forms[text(a[1])]
	if !ok {
		return nil, fmt.Errorf("%q is not a valid form", text(a[1]))
	}
	if !isText(a[0]) {
		return nil, fmt.Errorf("<class '%s'> is not a valid input type", value.TypeName(a[0]))
	}
	return f.String(text(a[0])), nil
}

func fromCSV(_ *template.Call, a []value.Value) (value.Value, error) {
	r := csvReader{comma: ',', skipBlank: isTrue(a[4]), strict: isTrue(a[5])}
	switch text(a[1]) {
	case "excel", "unix":
	case "excel-tab":
		r.comma = '\t'
	default:
		return nil, fmt.Errorf("Dialect '%s' is not supported by your version of python", text(a[1]))
	}
	if a[3] != nil {
		if c := []rune(text(a[3])); len(c) == 1 {
			r.comma = c[0]
		} else {
			return nil, errors.New("the delimiter must be a single character")
		}
	}
	rows, err := r.rows(text(a[0]))
	if err != nil {
		return nil, fmt.Errorf("Unable to process file: %w", err)
	}
	names, err := (options{all: map[string]value.Value{"n": a[2]}}).strings("n")
	if err != nil {
		return nil, err
	}
	if names == nil && len(rows) > 0 {
		names, rows = rows[0], rows[1:]
	}
	out := []value.Value{}
	for _, row := range rows {
		if len(row) > 0 {
			out = append(out, csvRow(names, row))
		}
	}
	return list(out), nil
}

// csvRow is Python's DictReader: what is missing is None, what is too much a list under None.
func csvRow(names, row []string) *value.Dict {
	d := value.NewDict(len(names))
	for i, n := range names {
		if i < len(row) {
			d.SetString(n, row[i])
		} else {
			d.SetString(n, nil)
		}
	}
	if len(row) > len(names) {
		_ = d.Set(nil, texts(row[len(names):]))
	}
	return d
}

func fromINI(_ *template.Call, a []value.Value) (value.Value, error) {
	if !isText(a[0]) {
		return nil, fmt.Errorf("from_ini requires a str, got <class '%s'>", value.TypeName(a[0]))
	}
	f, err := parseINI(text(a[0]), true, false)
	if err != nil {
		return nil, fmt.Errorf("from_ini failed to parse given string: %w", err)
	}
	out := value.NewDict(len(f.order))
	for _, name := range f.order {
		out.SetString(name, f.sections[name])
	}
	return out, nil
}

func toINI(_ *template.Call, a []value.Value) (value.Value, error) {
	d, ok := a[0].(*value.Dict)
	if !ok || d.Len() == 0 {
		return nil, fmt.Errorf("to_ini requires a dict that is not empty, got %s", value.TypeName(a[0]))
	}
	var b strings.Builder
	for _, s := range d.Items() {
		section, ok := s.Value.(*value.Dict)
		if !ok {
			return nil, fmt.Errorf("to_ini failed to parse given dict: section %q is no dict", text(s.Key))
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "[%s]\n", text(s.Key))
		for _, e := range section.Items() {
			if e.Value == nil {
				return nil, errors.New("to_ini failed to parse given dict:option values must be strings")
			}
			fmt.Fprintf(&b, "%s = %s\n", text(e.Key), strings.ReplaceAll(text(e.Value), "\n", "\n\t"))
		}
	}
	return b.String(), nil
}

func accumulate(_ *template.Call, a []value.Value) (value.Value, error) {
	if _, ok := a[0].(*value.Dict); ok {
		return nil, fmt.Errorf("Invalid value type (<class 'dict'>) for accumulate (%s)", value.Repr(a[0]))
	}
	vs, err := value.Iterate(a[0])
	out := []value.Value{}
	for i, v := range vs {
		if i > 0 {
			if v, err = value.Add(out[i-1], v); err != nil {
				return nil, err
			}
		}
		out = append(out, v)
	}
	return list(out), err
}

// timeWord is a number and its unit.
var timeWord = pyre.MustCompile(`(-?\d+)(\w+)`, 0)

// unitSizes are milliseconds per unit, of those that do not depend on arguments.
var unitSizes = map[string]float64{"ms": 1, "msec": 1, "msecs": 1, "millisecond": 1, "milliseconds": 1}

func init() {
	for size, words := range map[float64]string{1000: "s sec secs second seconds", 60000: "m min mins minute minutes", 3600000: "h hour hours", 86400000: "d day days", 604800000: "w week weeks"} {
		for _, w := range strings.Fields(words) {
			unitSizes[w] = size
		}
	}
}

func unitMillis(unit string, year, month float64) (float64, bool) {
	const day = 86400000
	switch unit {
	case "mo", "month", "months":
		return month * day, true
	case "y", "year", "years":
		return year * day, true
	}
	ms, ok := unitSizes[unit]
	return ms, ok
}

func timeUnit(v value.Value, unit string, year, month value.Value) (value.Value, error) {
	y, m := value.Float(year), value.Float(month)
	target, ok := unitMillis(unit, y, m)
	if !ok {
		return nil, fmt.Errorf("to_time_unit() can not convert to the following unit: %s", unit)
	}
	if !isText(v) {
		return nil, fmt.Errorf("'%s' object has no attribute 'split'", value.TypeName(v))
	}
	total := 0.0
	for word := range strings.FieldsSeq(text(v)) {
		w, err := timeWord.Match(word)
		if err != nil {
			return nil, err
		}
		ms, ok := 0.0, false
		if w != nil {
			ms, ok = unitMillis(w.Text(2), y, m)
		}
		if !ok {
			return nil, fmt.Errorf("to_time_unit() can not interpret following string: %s", text(v))
		}
		n, _ := value.ParseFloat(w.Text(1))
		total += n * ms
	}
	return round12(total / target), nil
}

// round12 is round(f, 12).
func round12(f float64) float64 {
	r, _ := new(big.Rat).SetString(strconv.FormatFloat(f, 'f', 12, 64))
	if r == nil || math.IsInf(f, 0) {
		return f
	}
	out, _ := r.Float64()
	return out
}

func validFQDN(_ *template.Call, a []value.Value) (bool, error) {
	s := strings.TrimSuffix(text(a[0]), ".")
	least, err := integer(a[1])
	if err != nil {
		return false, err
	}
	labels := strings.Split(s, ".")
	if len(s) > 253 || int64(len(labels)) < least {
		return false, nil
	}
	extra := "-"
	if isTrue(a[2]) {
		extra = "-_"
	}
	for _, l := range labels {
		bad := strings.IndexFunc(l, func(r rune) bool { return r > 127 || !isAlnum(byte(r)) && !strings.ContainsRune(extra, r) })
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' || bad >= 0 {
			return false, nil
		}
	}
	return true, nil
}
