package network

import (
	"slices"
	"testing"
)

func TestSVN(t *testing.T) {
	text := "Path: .\nURL: file:///srv/r\nRepository Root: file:///srv/r\nRevision: 7\nNode Kind: directory\nLast Changed Rev: 6\n"
	if got := svnInfo(text); !slices.Equal(got, []string{"Revision: 7", "URL: file:///srv/r"}) {
		t.Errorf("info: %q", got)
	}
	for status, want := range map[string]bool{"": false, "?       new\n": false, "M       f\n": true, " M      .\n": false, "X       ext\n": false} {
		if got := svnEdited(status); got != want {
			t.Errorf("%q: got %v", status, got)
		}
	}
}
