// Command peers measures Twofold beside the other implementations of Prio3 that
// are in use, on this machine and in one run: libprio-rs, the Rust crate prio,
// and circl, in Go.
//
//	go run ./bench/peers
//	go run ./bench/peers --filter histogram --rounds 9 --time 500ms
//	go run ./bench/peers --write docs/performance.md
//
// Each implementation runs in a process of its own that does one thing at a
// time on one thread, and answers requests over a pipe (see protocol.go). All
// get the same measurements, and none is measured that does not find the right
// aggregate result for them, or whose reports another one of the same
// wire version does not verify to the same bytes. Then they take turns, several rounds, so that what else
// the machine does meets all alike; what counts is CPU time.
//
// A step starts at encoded messages and ends at encoded messages, as an
// aggregator over the network takes it. libprio-rs is built by cargo in the
// user's cache directory; without cargo the comparison is with circl alone.
package main
