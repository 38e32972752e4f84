package runner

import (
	"fmt"
	"strings"

	"fettle/modules/serve"
)

// startScript is what a host runs to become a runner. It is one line without single
// quotes, backslashes and exclamation marks, so that any login shell hands it to /bin/sh
// untouched. Its answers are lines that begin with a word of ours and the nonce:
//
//	fettle-runner NONCE              frames follow: the runner is there and runs
//	fettle-place NONCE gzip|plain U  it is not there; on a platform U, waits for
//	                                 "SIZE PLAINSIZE SHA256", and SIZE bytes
//	fettle-unsupported NONCE U       there is no runner for platform U
//	fettle-failed NONCE TEXT         it could not be placed anywhere
//
// A runner is only run from a directory that belongs to the account, that nobody else may
// write to and that is no link, and when the file itself is likewise: nobody else can have
// put it there. The shell is inside that directory while it looks, so that it cannot be
// exchanged under its feet. New ones are checked by their hash before they get their name.
type startScript struct {
	Nonce    string
	Binaries *Binaries
	// Probe runs a runner that is there once for show, and replaces it when it does not work.
	Probe bool
	// LoginDir and LoginUID: the runner of the login user, which a become user may run
	// too (who could run anything as that user anyway).
	LoginDir string
	LoginUID int
	// Self is a program on this machine that acts as a runner.
	Self string
	// Keep is for how many seconds the runner waits for a controller that lost it.
	Keep int
}

const scriptDirs = `"${HOME:-/nonexistent}/.fettle" "/var/tmp/.fettle-$u" "/tmp/.fettle-$u" "/dev/shm/.fettle-$u"`

func (s startScript) String() string {
	parts := []string{
		fmt.Sprintf(`n=%s; p=%d; q=%d; w=$PWD`, s.Nonce, map[bool]int{true: 1}[s.Probe], s.Keep),
		s.quick(),
		fmt.Sprintf(`u=$(id -u); k=$(uname -sm); v=$u; %s`, s.platforms()),
		// own d|f PATH: a directory or program of uid v that only v may write to.
		`own() { [ -h "$2" ] && return 1; o=$1; set -- $(LC_ALL=C ls -ldn "$2" 2>/dev/null); [ "$3" = "$v" ] || return 1; ` +
			`case "$o$1" in dd????-??-*|f-??x?-??-*) return 0;; esac; return 1; }`,
		`run() { [ -h "$1" ] && return 1; cd -P "$1" 2>/dev/null || return 1; own d . || return 1; own f "./$f" || return 1; ` +
			`[ $p = 0 ] || [ "$("./$f" ` + serve.Word + ` ` + serve.Probe + ` </dev/null 2>/dev/null)" = "` + serve.ProbeAnswer + `" ] || return 1; ` +
			`exec "./$f" ` + serve.Word + ` $n "$w" $q; }`,
		`for d in ` + scriptDirs + `; do run "$d"; done`,
	}
	if s.LoginDir != "" && scriptSafe(s.LoginDir) {
		parts = append(parts, fmt.Sprintf(`v=%d; run "%s"; v=$u`, s.LoginUID, s.LoginDir))
	}
	if s.Self != "" && scriptSafe(s.Self) {
		parts = append(parts, fmt.Sprintf(`[ -x "%s" ] && exec "%s" %s $n "$w" $q`, s.Self, s.Self, serve.Word))
	}
	return strings.Join(append(parts, placeScript), "; ")
}

// quick is the usual case, a runner in the home directory, with one process instead of
// five: what it checks is the same. A shell without -O, or a home that hosts of several
// platforms share, is left to the rest of the script.
func (s startScript) quick() string {
	var files []string
	for _, x := range s.Binaries.list {
		files = append(files, x.file())
	}
	if s.Probe || len(files) == 0 {
		return ":"
	}
	return `h=${HOME:-/nonexistent}/.fettle; [ -h "$h" ] || { cd -P "$h" 2>/dev/null && [ -O . ] 2>/dev/null && for f in ` + strings.Join(files, " ") + `; do ` +
		`[ -x $f ] && [ -O $f ] && { [ -h $f ] || { set -- $(LC_ALL=C ls -ldn . $f 2>/dev/null); ` +
		`case "$1 ${10}" in d????-??-*" "-??x?-??-*) exec ./$f ` + serve.Word + ` $n "$w" $q;; esac; }; }; done; }`
}

func scriptSafe(path string) bool { return !strings.ContainsAny(path, "'\"\\!$`\n") }

func (s startScript) platforms() string {
	var b strings.Builder
	b.WriteString(`case "$k" in `)
	for _, x := range s.Binaries.list {
		for i, u := range x.unames() {
			if i > 0 {
				b.WriteByte('|')
			}
			fmt.Fprintf(&b, "%q", u)
		}
		fmt.Fprintf(&b, ") f=%s;; ", x.file())
	}
	b.WriteString(`*) echo "fettle-unsupported $n $k"; exit 1;; esac`)
	return b.String()
}

// placeScript takes a new runner into the first directory that will have it.
const placeScript = `e=; for d in ` + scriptDirs + `; do ` +
	`[ -h "$d" ] && { e="$e; $d is a link"; continue; }; ` +
	`[ -d "$d" ] || m=$(mkdir -m 700 "$d" 2>&1) || { e="$e; $m"; continue; }; ` +
	`cd -P "$d" 2>/dev/null && own d . || { e="$e; $d has another owner or can be written by others"; continue; }; ` +
	`x=.probe-$$; m=$( { echo "exit 0" | cat > $x && chmod 700 $x; } 2>&1 ); r=$?; ` +
	`[ $r = 0 ] && { ./$x 2>/dev/null || { [ -e /proc/self ] && r=1 && m="no program can be run there"; }; }; rm -f $x; [ $r = 0 ] || { e="$e; $d: $m"; continue; }; ` +
	`z=plain; command -v gzip >/dev/null 2>&1 && z=gzip; echo "fettle-place $n $z $k"; read -r c s h || exit 1; t=.new-$$; : > $t; chmod 700 $t; ` +
	`m=$( { head -c $c | { if [ $z = gzip ]; then gzip -dc > $t; else cat > $t; fi || { cat > /dev/null; exit 9; }; }; } 2>&1 ); r=$?; ` +
	`if [ $r = 0 ]; then g=$( { sha256sum || shasum -a 256 || sha256 -r || openssl dgst -sha256 -r; } < $t 2>/dev/null ); ` +
	`[ "$g" ] || { [ $(wc -c < $t) -eq $s ] && g=$h; }; case "$g" in $h*) ;; *) r=1; m="it arrived damaged";; esac; fi; ` +
	`if [ $r = 0 ] && chmod 700 $t && mv -f $t "$f"; then find . -name "fettle-runner-*" -mtime +30 -exec rm -f {} + 2>/dev/null; ` +
	`p=1; run .; m="the runner does not run there"; fi; rm -f $t; e="$e; $d: $m"; done; ` +
	`set -f; echo "fettle-failed $n" $e; exit 1`
