package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"fettle/engine/transport"
	"fettle/engine/wire"
	"fettle/modules/serve"
)

// Lock asks for the lock of every account that a run works as: while it is held, no other
// run that asks for it works there. It ends with the runner that holds it.
type Lock struct {
	Holder serve.Holder
	Wait   time.Duration // how long to wait for another run
}

// lockPoll is how often a lock is asked for that another run holds.
const lockPoll = time.Second

// lockAccount gets the lock for a runner that has just been started.
func (p *Runners) lockAccount(ctx context.Context, l *link) error {
	if p.opts.Lock == nil {
		return nil
	}
	args, err := json.Marshal(p.opts.Lock.Holder)
	if err != nil {
		return err
	}
	for end := time.Now().Add(p.opts.Lock.Wait); ; {
		var answer serve.LockAnswer
		var bad error
		err := l.client.Call(ctx, &wire.Call{Module: serve.LockModule, Args: []json.RawMessage{args}},
			wire.Handler{Result: func(r wire.Result) { bad = json.Unmarshal(r.Data, &answer) }})
		if err == nil {
			err = bad
		}
		if err != nil {
			return unreachable(l.conn, "cannot take its lock: "+clean(err.Error()), err)
		}
		if answer.Held == nil {
			return nil
		}
		if !time.Now().Before(end) {
			return &transport.UnreachableError{Msg: l.conn.Description() + ": another run is at work there: " + told(answer.Held)}
		}
		select {
		case <-time.After(lockPoll):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// told names a holder; what it says of itself comes from the host.
func told(h *serve.Holder) string {
	var parts []string
	add := func(format, s string) {
		if s = clean(s); s != "" {
			parts = append(parts, fmt.Sprintf(format, s))
		}
	}
	add("%s", h.Who)
	add("from %s", h.From)
	if h.PID > 0 {
		add("process %s", fmt.Sprint(h.PID))
	}
	add("since %s", h.Since)
	add("with %s", h.What)
	if len(parts) == 0 {
		return "it does not say whose"
	}
	return strings.Join(parts, ", ")
}
