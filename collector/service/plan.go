package service

import (
	"slices"
	"time"

	"github.com/twofold-dap/twofold/dap"
)

// grid is where intervals of a schedule end.
type grid struct {
	precision time.Duration
	unit      time.Duration // a multiple of which, since the Epoch, an interval ends at
}

// gridOf returns the grid of a time-interval task's schedule.
func gridOf(every Every, precision dap.TimePrecision) grid {
	g := grid{precision: time.Duration(precision) * time.Second}
	switch every {
	case EveryHour:
		g.unit = time.Hour
	case EveryDay:
		g.unit = 24 * time.Hour
	default:
		g.unit = g.precision
	}
	return g
}

func floorTo(t time.Time, unit time.Duration) time.Time {
	seconds := int64(unit / time.Second)
	return time.Unix(t.Unix()-t.Unix()%seconds, 0).UTC()
}

func ceilTo(t time.Time, unit time.Duration) time.Time {
	floor := floorTo(t, unit)
	if floor.Equal(t) {
		return floor
	}
	return floor.Add(unit)
}

// down is the last place of the grid that is not after t, in whole time buckets.
func (g grid) down(t time.Time) time.Time { return floorTo(floorTo(t, g.unit), g.precision) }

// up is the first place of the grid that is not before t, in whole time buckets.
func (g grid) up(t time.Time) time.Time { return ceilTo(ceilTo(t, g.unit), g.precision) }

// next is the first place of the grid after t.
func (g grid) next(t time.Time) time.Time { return g.up(floorTo(t, time.Second).Add(time.Second)) }

// proposal is what a schedule would ask for.
type proposal struct {
	span    Span // zero if there is nothing to ask for
	due     bool // the span can be asked for now
	at      time.Time
	waiting Waiting
}

// proposeInterval says which interval of a time-interval task comes next, if the Leader tells its progress. taken are the
// intervals that collections hold here, by their start.
//
// The interval has enough reports, because it contains the one that the Leader names. It begins where the
// time begins that is not collected, but not before the place of the grid before its first report; it ends at the first place
// of the grid. So an interval that was not ready by itself is joined with what follows it.
func proposeInterval(now time.Time, g grid, delay time.Duration, progress Progress, taken []Span) proposal {
	if !progress.Ready {
		return proposal{waiting: WaitingForReports, at: g.next(now.Add(-delay)).Add(delay)}
	}
	span := Span{Start: g.down(progress.NextStart), End: g.up(progress.NextEnd)}
	if !progress.FreeFrom.IsZero() && span.Start.Before(progress.FreeFrom) {
		span.Start = progress.FreeFrom
	}
	if !progress.FreeUntil.IsZero() && span.End.After(progress.FreeUntil) {
		span.End = progress.FreeUntil
	}
	named := Span{progress.NextStart, progress.NextEnd}
	for _, t := range taken {
		switch {
		case t.Overlaps(named): // it was asked for here, and the Leader has not come to it yet
			return proposal{waiting: WaitingForLeader}
		case !t.End.After(named.Start) && t.End.After(span.Start):
			span.Start = t.End
		case !t.Start.Before(named.End) && t.Start.Before(span.End):
			span.End = t.Start
		}
	}
	return dueProposal(now, delay, span)
}

// dueProposal proposes an interval once it is over and the delay has passed.
func dueProposal(now time.Time, delay time.Duration, span Span) proposal {
	p := proposal{span: span, at: span.End.Add(delay), waiting: WaitingForTime}
	if p.due = !now.Before(p.at); p.due {
		p.waiting = WaitingForLeader
	}
	return p
}

// proposeBlindly is proposeInterval for a Leader that does not tell its progress. last is the newest collection of
// the schedule, nil if there is none; from is where to begin then. An interval is asked for when it is over. If it was refused as too
// small, the next one begins where it began.
func proposeBlindly(now time.Time, g grid, delay time.Duration, last *Collection, from time.Time, taken []Span) proposal {
	start, end := g.down(from), g.next(g.down(from))
	if last != nil {
		start, end = last.End, g.next(last.End)
		if last.Reason == ReasonTooSmall {
			start = last.Start
		}
	}
	// What is held by others is left out, and so is what lies before it.
	for _, t := range slices.Backward(taken) {
		if t.Overlaps(Span{start, end}) {
			start, end = t.End, g.next(t.End)
			break
		}
	}
	return dueProposal(now, delay, Span{start, end})
}
