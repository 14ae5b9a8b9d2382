// Package store keeps a Leader's or a Helper's state in one bbolt file. It
// implements aggregator.LeaderStore and aggregator.HelperStore.
//
//	leader, err := store.OpenLeader(path, key, store.Options{})
//	if err != nil {
//		return err // names the path, what is wrong with it and the remedy
//	}
//	defer leader.Close()
//
// # Promises
//
// Every method is one transaction. All writes go through one goroutine, which
// takes what is queued and commits it together: concurrent uploads share the
// cost of reaching the disk, and a lone one waits for nobody. A method
// that returns nil has reached the disk; one that returns an error other than
// aggregator.ErrUnavailable has changed nothing.
//
// A context that ends while an operation is queued takes the operation out of the queue, and
// nothing is written. Once its transaction has begun the call waits for the
// outcome, so that a context's error always means that nothing was written.
//
// aggregator.ErrUnavailable means that the disk refused the transaction. Nothing of
// it is kept, unless the disk failed while it confirmed: then all of it is.
// Trying again is safe in both cases: each method's second run finds what
// the first has left.
//
// The layout of the file, record by record, is in docs/data-model.md.
//
// # Secrets
//
// Verification keys, tokens, HPKE private keys and the secret of a peering are
// sealed in the file with AES-256-GCM under a key that lives outside it. Report
// bodies rest encrypted to the aggregators as the clients sent them. Verification
// states between two steps of a job, and aggregate shares, are secret too and stand
// unsealed in the file, whose mode is 0600: each is one of two shares, and says nothing
// without the other aggregator's. No error, and nothing that Check returns, contains any of them.
package store
