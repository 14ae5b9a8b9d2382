// Package simulation holds no code but tests: a real Leader and a real Helper
// over their real stores, in one process, on a clock that the test moves, with faults of
// every kind.
//
// An episode is one task's life: a configuration and a list of operations, all
// plain values, which follow from a seed and the episode's number. After every
// operation a checker compares both stores with a model of its own: which reports were
// accepted and what became of each, what every batch bucket must hold, what was
// collected. When the operations are over the faults stop, and everything that was
// accepted must come to its end.
//
// In half of the episodes reports and answers are kept for a while only, so that floors rise: what
// is below them may be forgotten and is refused, and all the rest is as it is elsewhere. A batch whose aggregate share the
// Helper has given and forgotten before the Leader heard of it counts as settled: it can never be collected.
//
// In some episodes the database of a side is copied while it runs, and later the side goes on from the
// copy, as leader restore and helper restore do it. Afterwards nothing of before is counted or released again. The other
// side does not know of it. So a leader-selected batch that was being filled when the Helper was restored can never be
// collected, though the Leader goes on filling it: its collection fails, and later batches come before it.
//
// Some tasks have differential privacy, with a budget for a few batches or for any number. The noise follows from
// random bits that the model knows. So a result must be exact but for noise that each side has drawn, and that no other result has.
// Each side's ledger must have exactly the batches that the side has collected, and never more than the budget; what fails for the
// budget must be beyond it. What cannot be collected because the budget is spent has come to its end. A restored side counts all that it may
// have spent.
//
//	go test ./conformance/simulation                                    # part of go test ./...
//	go test ./conformance/simulation -ops 5000000 -timeout 2h -v        # a long run
//	go test ./conformance/simulation -run TestSimulation -seed 7 -episode 12
//	go test ./conformance/simulation -run 'TestSimulation$' -private    # with privacy in every task
//	go test ./conformance/simulation -run TestReplay -ops-file FILE     # a list that was printed
//
// A failure prints its seed, its episode and the smallest list of operations that
// still fails. The stores lie in memory where the system has space in /dev/shm.
package simulation
