package ansible

import (
	"slices"
	"strings"
	"testing"
)

// Results are those of Python's csv module.
func TestCSV(t *testing.T) {
	cases := []struct {
		name, src string
		r         csvReader
		want      string
	}{
		{"plain", "a,b\nc,d\n", csvReader{comma: ','}, "a|b;c|d"},
		{"no line end", "a,b\nc,", csvReader{comma: ','}, "a|b;c|"},
		{"carriage returns", "a,b\r\nc\rd", csvReader{comma: ','}, "a|b;c;d"},
		{"empty lines", "a\n\nb", csvReader{comma: ','}, "a;;b"},
		{"quoted", `"a,b","c""d"` + "\n", csvReader{comma: ','}, `a,b|c"d`},
		{"line end in quotes", "\"a\nb\",c", csvReader{comma: ','}, "a\nb|c"},
		{"text behind a quote", `x,"a b"@c,d` + "\ny", csvReader{comma: ','}, "x|a b@c|d;y"},
		{"quote in a field", `a"b",c`, csvReader{comma: ','}, `a"b"|c`},
		{"blanks", "a, b", csvReader{comma: ','}, "a| b"},
		{"blanks left out", `a, b, "c, d"`, csvReader{comma: ',', skipBlank: true}, "a|b|c, d"},
		{"empty quotes", `"",a`, csvReader{comma: ','}, "|a"},
		{"open quote", `"a,b`, csvReader{comma: ','}, "a,b"},
		{"strict", `"a"b`, csvReader{comma: ',', strict: true}, "error"},
		{"strict end", `"a`, csvReader{comma: ',', strict: true}, "error"},
		{"tabs", "a b\tc", csvReader{comma: '\t'}, "a b|c"},
		{"nothing", "", csvReader{comma: ','}, ""},
	}
	for _, tc := range cases {
		rows, err := tc.r.rows(tc.src)
		var lines []string
		for row := range slices.Values(rows) {
			lines = append(lines, strings.Join(row, "|"))
		}
		got := strings.Join(lines, ";")
		if err != nil {
			got = "error"
		}
		if got != tc.want {
			t.Errorf("%s: got %q, %v, want %q", tc.name, got, err, tc.want)
		}
	}
}
