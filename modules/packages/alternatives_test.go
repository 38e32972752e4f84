package packages

import (
	"fmt"
	"testing"
)

const queryText = `Name: editor
Link: /usr/bin/editor
Slaves:
 editor.1.gz /usr/share/man/man1/editor.1.gz
Status: auto
Best: /bin/nano
Value: /bin/nano

Alternative: /bin/ed
Priority: -100

Alternative: /bin/nano
Priority: 40
`

func TestAlternativeCommands(t *testing.T) {
	now := parseAlternative(queryText)
	for _, c := range []struct {
		name string
		a    alternativesArgs
		now  alternative
		want string
	}{
		{name: "chosen already", a: alternativesArgs{Path: "/bin/nano", State: "selected"}, now: now, want: "[]"},
		{name: "choose", a: alternativesArgs{Path: "/bin/ed", State: "selected"}, now: now, want: "[[update-alternatives --set editor /bin/ed]]"},
		{name: "present", a: alternativesArgs{Path: "/bin/ed", State: "present"}, now: now, want: "[]"},
		{name: "priority", a: alternativesArgs{Path: "/bin/ed", State: "present", Priority: new(int64(7))}, now: now, want: "[[update-alternatives --install /usr/bin/editor editor /bin/ed 7]]"},
		{name: "new", a: alternativesArgs{Path: "/bin/vi", State: "selected"}, now: now,
			want: "[[update-alternatives --install /usr/bin/editor editor /bin/vi 50] [update-alternatives --set editor /bin/vi]]"},
		{name: "unknown name", a: alternativesArgs{Path: "/bin/vi", State: "present"}, want: "error"},
		{name: "absent", a: alternativesArgs{Path: "/bin/ed", State: "absent"}, now: now, want: "[[update-alternatives --remove editor /bin/ed]]"},
		{name: "auto already", a: alternativesArgs{Path: "/bin/ed", State: "auto"}, now: now, want: "[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.a.Name = "editor"
			commands, err := alternativeCommands(c.a, c.now)
			got := fmt.Sprint(commands)
			if err != nil {
				got = "error"
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
