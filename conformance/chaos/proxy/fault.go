package proxy

import (
	"fmt"
	"time"
)

// Fault is what happens to a connection.
type Fault uint8

const (
	// None: nothing.
	None Fault = iota
	// Cut ends both directions in order, as a peer does that has gone away.
	Cut
	// Reset ends the connection at once with an RST segment (RFC 9293 Section 3.5.3).
	Reset
	// HalfClose ends one direction in order; the other goes on.
	HalfClose
	// Stall holds one direction up for a time. Nothing is lost.
	Stall
	// Slow lets the bytes of one direction trickle from then on.
	Slow
	// Refuse resets a connection before a byte has passed. It is what becomes of those that
	// come during an outage, and is in no plan.
	Refuse

	faults = int(Refuse) + 1
)

var faultNames = [faults]string{"none", "cut", "reset", "half-close", "stall", "slow", "refuse"}

// String returns the fault's name.
func (f Fault) String() string {
	if int(f) < faults {
		return faultNames[f]
	}
	return fmt.Sprintf("Fault(%d)", uint8(f))
}

// Direction is a direction of a connection.
type Direction uint8

const (
	// ToServer is the direction of requests.
	ToServer Direction = iota
	// ToClient is the direction of answers.
	ToClient
)

// Plan says what happens to a connection, and when.
type Plan struct {
	Fault     Fault
	Direction Direction
	// After is how many bytes pass in this direction before.
	After int64
	// Pause is how long a Stall lasts.
	Pause time.Duration
	// Rate is how many bytes a second a Slow direction takes, at least one.
	Rate int
}

// Counts says what a proxy has done.
type Counts struct {
	Connections int64
	Bytes       int64 // in both directions
	// Faults counts those that have happened. One that was planned and did not
	// come, because fewer bytes passed, does not count.
	Faults map[Fault]int64
}
