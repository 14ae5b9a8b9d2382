package aggregator

import (
	"context"
	"sync"
	"time"
)

// optInLimit bounds the tasks that are set up because someone advertises them (Taskprov
// Section 3.5): at a Leader that can be anyone, and each takes a place in the store for ever.
type optInLimit struct {
	tasks   int     // that have not ended
	perHour float64 // that are looked at

	change sync.Mutex // held from counting the tasks to adding one

	mu      sync.Mutex
	tokens  float64 // how many may be looked at at once
	filled  time.Time
	told    time.Time // when the operator was last told that there are too many
	started bool
}

// burst is how many advertisements are looked at at once: those of ten minutes.
func (o *optInLimit) burst() float64 { return max(1, o.perHour/6) }

// allow tells whether one more advertisement may be looked at.
func (o *optInLimit) allow(now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.started {
		o.started, o.tokens = true, o.burst()
	} else if passed := now.Sub(o.filled); passed > 0 {
		o.tokens = min(o.burst(), o.tokens+passed.Hours()*o.perHour)
	}
	o.filled = now
	if o.tokens < 1 {
		return false
	}
	o.tokens--
	return true
}

// tell tells whether the operator is to be told, which is so once an hour.
func (o *optInLimit) tell(now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.told.IsZero() && now.Sub(o.told) < time.Hour {
		return false
	}
	o.told = now
	return true
}

// addAdvertised adds a task that was advertised, unless there are too many: ErrBusy.
func (e *engine) addAdvertised(ctx context.Context, task Task) error {
	e.optIns.change.Lock()
	defer e.optIns.change.Unlock()
	tasks, err := e.store.Tasks(ctx)
	if err != nil {
		return err
	}
	count := 0
	for i := range tasks {
		// A task that the operator has approved by itself has a name.
		if t := &tasks[i]; t.Taskprov && t.Name == "" && !e.hasEnded(t.Config) {
			count++
		}
	}
	if count >= e.optIns.tasks {
		if e.optIns.tell(e.now()) {
			e.log.Warn("too many advertised tasks; others are refused until some of them end", "tasks", count)
		}
		return ErrBusy
	}
	return e.store.PutTask(ctx, task)
}
