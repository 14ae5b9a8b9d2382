package page

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/twofold-dap/twofold/collector/service"
	"github.com/twofold-dap/twofold/internal/timespan"
)

// form is what somebody has filled in, and what is wrong with it.
type form struct {
	Values   url.Values
	Problems []problem
}

// problem is what is wrong with a field.
type problem struct{ Field, Text string }

// Get returns a field as it was filled in.
func (f form) Get(field string) string { return f.Values.Get(field) }

// Is tells whether a choice is made.
func (f form) Is(field, choice string) bool { return f.Values.Get(field) == choice }

// Problem returns what is wrong with a field; empty if nothing is.
func (f form) Problem(field string) string {
	for _, p := range f.Problems {
		if p.Field == field {
			return p.Text
		}
	}
	return ""
}

// wrong notes a problem of a field.
func (f *form) wrong(field, text string) {
	f.Problems = append(f.Problems, problem{field, sentence(text)})
}

// refused notes what the service says is wrong, and tells whether it is about the form.
func (f *form) refused(err error) bool {
	field, ok := errors.AsType[*service.FieldError](err)
	if !ok {
		return false
	}
	f.wrong(fieldOf(field.Field), field.Problem)
	return true
}

// fieldOf is the field of the form that a field of the API stands in.
func fieldOf(name string) string {
	switch {
	case name == "vdaf":
		return "kind"
	case strings.HasPrefix(name, "privacy."):
		return strings.TrimPrefix(name, "privacy.")
	case name == "privacy":
		return "level"
	case strings.HasPrefix(name, "schedule."), name == "schedule":
		return "every"
	case name == "leader_selected" || name == "batch_mode":
		return "batch_mode"
	}
	return name
}

func (f *form) text(field string) string { return strings.TrimSpace(f.Values.Get(field)) }

// whole reads a whole number; 0 if nothing is filled in.
func (f *form) whole(field string) uint64 {
	text := strings.NewReplacer(",", "", " ", "", "_", "").Replace(f.text(field))
	if text == "" {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		f.wrong(field, "give a whole number, such as 100")
	}
	return n
}

// span reads a length of time; 0 if nothing is filled in.
func (f *form) span(field string) time.Duration {
	text := f.text(field)
	if text == "" {
		return 0
	}
	d, err := timespan.Parse(text)
	if err != nil {
		f.wrong(field, "give a length of time, such as 30m, 1h or 7d")
	}
	return d
}

// time reads a time in UTC as browsers write it, or as in RFC 3339.
func (f *form) time(field string) time.Time {
	text := f.text(field)
	if text == "" {
		return time.Time{}
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339, "2006-01-02 15:04"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC()
		}
	}
	f.wrong(field, "give a time in UTC, such as 2026-01-31T08:00")
	return time.Time{}
}

// schedule reads when a task is collected.
func (f *form) schedule() service.Schedule {
	schedule := service.Schedule{Every: service.Every(f.text("every"))}
	switch schedule.Every {
	case "":
		schedule.Every = service.ByHand
	case service.EveryHour, service.EveryDay, service.EveryBatch, service.ByHand:
	default:
		f.wrong("every", "choose how often the task is collected")
	}
	if f.text("delay") == "0" || f.text("delay") == "0s" {
		schedule.Delay = new(time.Duration)
	} else if delay := f.span("delay"); delay > 0 {
		schedule.Delay = &delay
	}
	return schedule
}

// scheduleForm is a schedule as the form shows it.
func scheduleForm(schedule service.Schedule) form {
	every, delay := schedule.Every, service.DefaultDelay
	if every == "" {
		every = service.ByHand
	}
	if schedule.Delay != nil {
		delay = *schedule.Delay
	}
	values := url.Values{"every": {string(every)}, "delay": {"0"}}
	if delay >= time.Second {
		values.Set("delay", timespan.Format(delay))
	}
	return form{Values: values}
}
