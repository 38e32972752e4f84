package pyre

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// pyCase is one line of testdata/generate.py.
type pyCase struct {
	Pattern, Text, Repl, Escape string
	Flags, N                    int
	Error                       string
	Match, Search, Full         [][2]int
	Iter                        [][][2]int
	All                         [][]string
	Split                       []*string
	Sub                         json.RawMessage
}

// flagsFromPython translates the numbers of re.X.
func flagsFromPython(n int) Flags {
	var f Flags
	for bit, flag := range map[int]Flags{2: IgnoreCase, 4: Locale, 8: MultiLine, 16: DotAll, 32: Unicode, 64: Verbose, 256: ASCII} {
		if n&bit != 0 {
			f |= flag
		}
	}
	return f
}

func chars(m *Match) [][2]int {
	if m == nil {
		return nil
	}
	out := make([][2]int, len(m.spans)/2)
	for i := range out {
		start, end := m.Span(i)
		if start < 0 {
			out[i] = [2]int{-1, -1}
			continue
		}
		out[i] = [2]int{utf8.RuneCountInString(m.text[:start]), utf8.RuneCountInString(m.text[:end])}
	}
	return out
}

func (c pyCase) check() error {
	re, err := Compile(c.Pattern, flagsFromPython(c.Flags))
	if c.Error != "" || err != nil {
		if err == nil || err.Error() != c.Error {
			return fmt.Errorf("compile error %v, want %q", err, c.Error)
		}
		return nil
	}
	if got := Escape(c.Pattern); got != c.Escape {
		return fmt.Errorf("escape %q, want %q", got, c.Escape)
	}
	for _, one := range []struct {
		name string
		fn   func(string) (*Match, error)
		want [][2]int
	}{{"match", re.Match, c.Match}, {"search", re.Search, c.Search}, {"fullmatch", re.FullMatch, c.Full}} {
		m, err := one.fn(c.Text)
		if got := chars(m); err != nil || !reflect.DeepEqual(got, one.want) {
			return fmt.Errorf("%s %v %v, want %v", one.name, got, err, one.want)
		}
	}
	return c.checkAll(re)
}

func (c pyCase) checkAll(re *Regexp) error {
	all, err := re.FindAllMatches(c.Text)
	iter := [][][2]int{}
	for _, m := range all {
		iter = append(iter, chars(m))
	}
	if err != nil || !reflect.DeepEqual(iter, c.Iter) {
		return fmt.Errorf("finditer %v %v, want %v", iter, err, c.Iter)
	}
	rows, _ := re.FindAll(c.Text)
	if len(rows) != len(c.All) || len(rows) > 0 && !reflect.DeepEqual(rows, c.All) {
		return fmt.Errorf("findall %q, want %q", rows, c.All)
	}
	pieces, _ := re.Split(c.Text, c.N)
	split := make([]*string, len(pieces))
	for i, p := range pieces {
		if p.Set {
			split[i] = &pieces[i].Text
		}
	}
	if !reflect.DeepEqual(split, c.Split) {
		return fmt.Errorf("split %v, want %v", pieces, c.Split)
	}
	return c.checkSub(re)
}

func (c pyCase) checkSub(re *Regexp) error {
	text, n, err := re.Sub(c.Repl, c.Text, c.N)
	var want struct{ Error string }
	if json.Unmarshal(c.Sub, &want); want.Error != "" || err != nil {
		if err == nil || strings.Trim(want.Error, `"`) != strings.Trim(err.Error(), `"`) {
			return fmt.Errorf("sub error %v, want %q", err, want.Error)
		}
		return nil
	}
	var pair [2]any
	if err := json.Unmarshal(c.Sub, &pair); err != nil {
		return err
	}
	if text != pair[0] || float64(n) != pair[1] {
		return fmt.Errorf("sub %q %d, want %v", text, n, pair)
	}
	return nil
}

func checkCases(t *testing.T, r io.Reader) {
	t.Helper()
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<24)
	total, bad, complex := 0, 0, 0
	for lines.Scan() {
		var c pyCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		total++
		err := c.check()
		if err != nil && strings.Contains(err.Error(), ErrTooComplex.Error()) && complex < total/5000+1 {
			complex++ // Python has all the time in the world
			continue
		}
		if err != nil {
			if bad++; bad < 30 {
				t.Errorf("%q flags %d on %q (repl %q n %d): %v", c.Pattern, c.Flags, c.Text, c.Repl, c.N, err)
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d cases, %d differ, %d too complex", total, bad, complex)
	if total == 0 || bad > 0 {
		t.Errorf("%d of %d cases differ from Python", bad, total)
	}
}

func TestRecorded(t *testing.T) {
	f, err := os.Open("testdata/cases.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	checkCases(t, z)
}

// TestAgainstPython compares fresh cases; PYRE_SEED and PYRE_COUNT choose others.
func TestAgainstPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 to compare with")
	}
	if out, err := exec.Command(python, "-c", "import sys; print(sys.version_info[:2] == (3, 11))").Output(); err != nil || string(out) != "True\n" {
		t.Skip("python3 is not 3.11")
	}
	seed, count := "7", "1000"
	if s := os.Getenv("PYRE_SEED"); s != "" {
		seed = s
	}
	if s := os.Getenv("PYRE_COUNT"); s != "" {
		count = s
	}
	cmd := exec.CommandContext(t.Context(), python, "testdata/generate.py", seed, count)
	cmd.Env = append(os.Environ(), "PYTHONIOENCODING=utf-8")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	checkCases(t, strings.NewReader(string(out)))
}

// TestCaseFolding compares, for every character that has case, what (?i) takes for equal.
func TestCaseFolding(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 to compare with")
	}
	script := `
import re, sys
cased = [chr(c) for c in range(0x110000) if not 0xd800 <= c < 0xe000 and (chr(c).lower() != chr(c) or chr(c).upper() != chr(c))]
text = "".join(cased)
for c in cased:
    print(c + "".join(re.findall("(?i)" + re.escape(c), text)))
`
	cmd := exec.CommandContext(t.Context(), python, "-c", script)
	cmd.Env = append(os.Environ(), "PYTHONIOENCODING=utf-8")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	var text strings.Builder
	for _, line := range lines {
		_, w := utf8.DecodeRuneInString(line)
		text.WriteString(line[:w])
	}
	for _, line := range lines {
		_, w := utf8.DecodeRuneInString(line)
		rows, _ := MustCompile(Escape(line[:w]), IgnoreCase).FindAll(text.String())
		var got strings.Builder
		for _, row := range rows {
			got.WriteString(row[0])
		}
		if got.String() != line[w:] {
			t.Errorf("%q (%U): %q, want %q", line[:w], []rune(line)[0], got.String(), line[w:])
		}
	}
}

func TestCatastrophicPatternsEnd(t *testing.T) {
	text := strings.Repeat("a", 5000) + "!"
	for _, pattern := range []string{`(a+)+$`, `(?:a|a)*$`, `(a*)*b`, `(?:a?){4000}a{4000}b`, `(.*)(.*)(.*)(.*)(.*)x`} {
		start := time.Now()
		_, err := MustCompile(pattern, 0).Search(text)
		if err != nil && !errors.Is(err, ErrTooComplex) {
			t.Errorf("%s: %v", pattern, err)
		}
		if d := time.Since(start); d > 20*time.Second {
			t.Errorf("%s took %v", pattern, d)
		}
	}
}

func TestBytesThatAreNoText(t *testing.T) {
	m, err := MustCompile(`(.)b(?<=.b)`, 0).Search("\xff\xfeb")
	if err != nil || m == nil || m.Text(1) != "\xfe" {
		t.Errorf("got %v %v", m, err)
	}
}

func TestCachedIsBounded(t *testing.T) {
	for i := range 3 * cacheSize {
		if _, err := Cached(fmt.Sprint("x", i), 0); err != nil {
			t.Fatal(err)
		}
	}
	if len(cache.m) > cacheSize {
		t.Errorf("cache holds %d", len(cache.m))
	}
}

func FuzzCompileAndMatch(f *testing.F) {
	for _, s := range []string{`(a|b)*?c`, `(?<=a)b(?!c)`, `(?P<n>x)(?P=n)`, `(?(1)a|b)`, `[^\W\d_]+`, `(?i)ß`, `((((a)*)*)*)*`} {
		f.Add(s, "abcabc", `\1\g<0>`)
	}
	f.Fuzz(func(t *testing.T, pattern, text, repl string) {
		if len(pattern) > 200 || len(text) > 200 {
			return
		}
		re, err := Compile(pattern, 0)
		if err != nil {
			_ = err.Error()
			return
		}
		_, _ = re.Search(text)
		_, _ = re.FullMatch(text)
		_, _, _ = re.Sub(repl, text, 3)
	})
}

func BenchmarkSearch(b *testing.B) {
	re := MustCompile(`^\s*#?\s*PermitRootLogin\s+(\w+)`, 0)
	for b.Loop() {
		_, _ = re.Search("#PermitRootLogin prohibit-password")
	}
}
