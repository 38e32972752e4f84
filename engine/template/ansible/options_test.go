package ansible

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fettle/engine/template"
	"fettle/engine/value"
)

// declared are the options that the documentation of the lookups names.
var declared = map[string]string{
	"config": "on_missing plugin_name plugin_type show_origin", "csvfile": "col default delimiter encoding file keycol",
	"file": "lstrip rstrip", "first_found": "files paths skip",
	"ini":      "allow_no_value case_sensitive default encoding file interpolation re section type",
	"password": "chars encrypt ident length seed", "sequence": "count end format start stride",
	"template": "comment_end_string comment_start_string convert_data jinja2_native template_vars trim_blocks variable_end_string variable_start_string",
	"url":      "ca_path ciphers follow_redirects force force_basic_auth headers http_agent password split_lines timeout unix_socket unredirected_headers use_gssapi use_netrc use_proxy username validate_certs",
	"vars":     "default", "dig": "qtype flat retry_servfail fail_on_error real_empty class", "dnstxt": "real_empty",
	"collection_version": "result_not_found result_no_version",
	"random_string":      "length upper lower numbers special min_numeric min_upper min_lower min_special override_special override_all base64",
	"passwordstore":      "directory create overwrite umask returnall subkey userpass length backup nosymbols missing lock locktimeout backend",
}

// withoutEffect are options that Ansible 2.19 accepts and ignores too.
var withoutEffect = map[string]bool{"jinja2_native": true}

// TestLookupOptions holds that every declared option is either read somewhere or refused.
func TestLookupOptions(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(raw)
	}
	for lookup, names := range declared {
		for _, name := range strings.Fields(names) {
			known := registered[lookup]
			if !slices.Contains(known, name) && !slices.Contains(known, "!"+name) {
				t.Errorf("lookup %s: the option %s is neither taken nor refused", lookup, name)
			}
		}
	}
	for lookup, names := range registered {
		for _, name := range names {
			if !strings.HasPrefix(name, "!") && !withoutEffect[name] && !strings.Contains(source.String(), `"`+name+`"`) {
				t.Errorf("lookup %s: nothing reads the option %s", lookup, name)
			}
		}
	}
}

func TestLookupRefusesByName(t *testing.T) {
	c := template.New(template.Options{}).NewContext(t.Context(), template.MapScope{Dict: value.NewDict(0)})
	for _, tc := range []struct{ lookup, option string }{{"url", "use_gssapi"}, {"passwordstore", "create"}} {
		_, err := c.Query(tc.lookup, []value.Value{"x"}, []value.Keyword{{Name: tc.option, Value: true}})
		if err == nil || !strings.Contains(err.Error(), tc.option) {
			t.Errorf("%s with %s: %v", tc.lookup, tc.option, err)
		}
	}
	for _, term := range []string{"class=CH", "flat=0", "nope=1"} {
		if _, err := c.Query("dig", []value.Value{"localhost", term}, nil); err == nil {
			t.Errorf("dig takes %s", term)
		}
	}
}

func TestCollectionVersion(t *testing.T) {
	root := t.TempDir()
	for name, files := range map[string]map[string]string{
		"one":   {"MANIFEST.json": `{"collection_info": {"version": "1.2.3"}}`},
		"two":   {"galaxy.yml": "name: two\nversion: \"0.1.0\"\n"},
		"three": {"README": ""},
	} {
		dir := filepath.Join(root, "ansible_collections", "ns", name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for f, text := range files {
			if err := os.WriteFile(filepath.Join(dir, f), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	scope := settings{template.MapScope{Dict: value.NewDict(0)}, value.NewList(root)}
	c := template.New(template.Options{}).NewContext(t.Context(), scope)
	got, err := c.Query("community.general.collection_version", []value.Value{"ns.one", "ns.two", "ns.three", "ns.four"}, nil)
	if want := "['1.2.3', '0.1.0', '*', None]"; err != nil || value.Repr(value.NewList(got...)) != want {
		t.Errorf("got %s, %v, want %s", value.Repr(value.NewList(got...)), err, want)
	}
}

// settings is a scope whose only setting is where collections are.
type settings struct {
	template.MapScope
	dirs value.Value
}

func (s settings) Setting(name, _, _ string) (value.Value, string, bool) {
	return s.dirs, "default", name == "COLLECTIONS_PATHS"
}
