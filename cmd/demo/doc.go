// Command demo runs the whole of Twofold on real data, on this machine.
//
// It builds the leader and the helper, starts both as processes with
// databases of their own in a temporary directory, pairs them, creates five
// tasks, uploads flights to each together with the reports of a cheating
// client, collects every task, and compares each result with the plain
// computation. It exits 1 when anything differs, and leaves nothing behind.
//
// With --serve it leaves all of it running, with a Collector and the analyst's page, until it is stopped.
package main
