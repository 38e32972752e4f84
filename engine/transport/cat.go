package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"
	"time"
)

// Starter starts commands.
type Starter interface {
	Start(ctx context.Context, command string, opts StartOptions) (Process, error)
}

// PutCat writes a file beside its place and renames it, with the cat of the other side.
func PutCat(ctx context.Context, c Starter, name string, mode uint32, size int64, content io.Reader) error {
	if size < 0 {
		return errors.New("the size of the content is not known")
	}
	t, n := Quote(path.Join(path.Dir(name), fmt.Sprintf(".fettle-%d", time.Now().UnixNano()))), Quote(name)
	whole := fmt.Sprintf("[ $(wc -c < %s) -eq %d ]", t, size)
	script := fmt.Sprintf("umask 077; cat > %s && %s && chmod %04o %s && mv -f %s %s || { rm -f %s; exit 1; }", t, whole, mode&0o777, t, t, n, t)
	return pipe(ctx, c, script, content, io.Discard)
}

// GetCat reads a file with the cat of the other side.
func GetCat(ctx context.Context, c Starter, name string, to io.Writer) error {
	return pipe(ctx, c, "exec cat "+Quote(name), nil, to)
}

// pipe runs a script of /bin/sh with input and output.
func pipe(ctx context.Context, c Starter, script string, in io.Reader, out io.Writer) error {
	p, err := c.Start(ctx, "exec /bin/sh -c "+Quote(script), StartOptions{})
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = p.Kill() })()
	var stderr strings.Builder
	var copying sync.WaitGroup
	var inErr error
	copying.Go(func() {
		if in != nil {
			_, inErr = io.Copy(p, in)
		}
		_ = p.CloseStdin()
	})
	copying.Go(func() {
		_, _ = io.Copy(&stderr, io.LimitReader(p.Stderr(), 4096))
		_, _ = io.Copy(io.Discard, p.Stderr())
	})
	_, outErr := io.Copy(out, p.Stdout())
	copying.Wait()
	code, err := p.Wait()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case code != 0 && strings.TrimSpace(stderr.String()) != "":
		return fmt.Errorf("exit code %d: %s", code, strings.TrimSpace(stderr.String()))
	case inErr != nil:
		return inErr
	case code != 0:
		return fmt.Errorf("exit code %d", code)
	}
	return errors.Join(err, outErr)
}

// Quote makes one word of s for any shell that knows single and double quotes.
func Quote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./-_") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'"
}
