package action

import "testing"

func TestEncodeText(t *testing.T) {
	for _, c := range []struct{ encoding, text, want string }{
		{"windows-1252", "h\u00e4 \u20ac", "h\xe4 \x80"}, {"CP1252", "\u20ac", "\x80"}, {"latin-1", "\u00e4", "\xe4"},
		{"iso-8859-15", "\u20ac", "\xa4"}, {"ascii", "a", "a"}, {"ascii", "\u00e4", "!"}, {"latin_1", "\u20ac", "!"},
		{"cp1252", "\u4e2d", "!"}, {"nonex", "a", "!"},
	} {
		got, err := encodeText(c.text, c.encoding)
		if c.want == "!" {
			if err == nil {
				t.Errorf("%s: %q was taken", c.encoding, c.text)
			}
			continue
		}
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %q, %v", c.encoding, got, err)
		}
	}
}
