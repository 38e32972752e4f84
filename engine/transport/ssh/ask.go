package ssh

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Ask puts a question to whoever sits at the terminal; ok is false when nobody does.
type Ask func(ctx context.Context, text string, echo bool) (answer string, ok bool, err error)

// asker asks on behalf of one log-in, whose clock stands still meanwhile.
type asker struct {
	ask   Ask
	one   *sync.Mutex // one question at a time
	clock *time.Timer
	limit time.Duration
}

var errNobody = errors.New("there is no terminal")

func (a *asker) there() bool { return a != nil && a.ask != nil }

// wait does something that may take a person's time.
func (a *asker) wait(f func()) {
	if a.clock != nil {
		a.clock.Stop()
		defer a.clock.Reset(a.limit)
	}
	f()
}

// question asks; the others wait.
func (a *asker) question(ctx context.Context, text string, echo bool) (string, error) {
	a.one.Lock()
	defer a.one.Unlock()
	answer, ok, err := a.ask(ctx, text, echo)
	if err == nil && !ok {
		err = errNobody
	}
	return answer, err
}
