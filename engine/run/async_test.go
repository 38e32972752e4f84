package run

import (
	"testing"

	"fettle/engine/plan"
	"fettle/engine/template"
	"fettle/engine/value"
)

// TestAsyncKeywords: without poll a job is looked at every 15 seconds (ASY-09).
func TestAsyncKeywords(t *testing.T) {
	set := func(v value.Value) plan.Attr { return plan.Attr{Set: true, Value: v} }
	for _, tt := range []struct {
		name          string
		async, poll   plan.Attr
		seconds, each int
		bad           bool
	}{
		{name: "neither"},
		{name: "async only", async: set(int64(40)), seconds: 40, each: 15},
		{name: "both", async: set("40"), poll: set(int64(2)), seconds: 40, each: 2},
		{name: "no poll", async: set(int64(40)), poll: set(int64(0)), seconds: 40},
		{name: "async 0", async: set(int64(0)), poll: set(int64(3))},
		{name: "no number", async: set("soon"), bad: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			task := &plan.Task{}
			task.Async, task.Poll = tt.async, tt.poll
			u := &turn{r: &run{}, task: task, t: template.New(template.Options{}).NewContext(t.Context(), template.MapScope{Dict: value.NewDict(0)})}
			seconds, each, err := u.asyncKeywords()
			if (err != nil) != tt.bad || seconds != tt.seconds || each != tt.each {
				t.Errorf("every %d of %d seconds, err %v; want %d of %d", each, seconds, err, tt.each, tt.seconds)
			}
		})
	}
}
