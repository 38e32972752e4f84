package cli

import (
	"crypto/rand"
	"encoding/hex"
	"os"
	"os/user"
	"time"

	"fettle/engine/runner"
	"fettle/modules/serve"
)

// lock is what hosts are told of this run when it locks them; nil when it does not.
func (ss *session) lock() *runner.Lock {
	if !ss.o.lock && !ss.o.cron {
		return nil
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	h := serve.Holder{Run: hex.EncodeToString(id[:]), PID: os.Getpid(), Since: time.Now().Format(time.RFC3339)}
	if u, err := user.Current(); err == nil {
		h.Who = u.Username
	}
	h.From, _ = os.Hostname()
	h.What = ss.what
	return &runner.Lock{Holder: h, Wait: time.Duration(ss.o.lockWait) * time.Second}
}
