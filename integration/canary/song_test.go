package canary_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every secret begins with bird; the one that a task puts into the environment of its own
// command begins with tame, and may stand there.
const (
	bird = "Zq7Canary"
	tame = bird + "Env"
)

// songs are the texts that must not be found: the secret itself, and its shape in base64,
// reversed, in capitals, cut and escaped for addresses.
func songs() [][]byte {
	reversed := []byte(bird)
	for i, j := 0, len(reversed)-1; i < j; i, j = i+1, j-1 {
		reversed[i], reversed[j] = reversed[j], reversed[i]
	}
	return [][]byte{[]byte(bird), []byte(base64.StdEncoding.EncodeToString([]byte(bird))), reversed,
		[]byte(strings.ToUpper(bird)), []byte("Zq7Cx")}
}

func sings(b []byte) string {
	for _, s := range songs() {
		if i := bytes.Index(b, s); i >= 0 {
			return string(b[max(0, i-120):min(len(b), i+60)])
		}
	}
	return ""
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
