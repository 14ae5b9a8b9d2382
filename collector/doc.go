// Package collector obtains aggregate results of a DAP task
// (draft-ietf-ppm-dap-18, Section 4.6): it asks the Leader for a batch, waits
// until both aggregators have it ready, decrypts their aggregate shares and adds
// them up. Only here is anything ever put together again.
//
//	c, err := collector.New[[]uint64](task, keypair, token, collector.Options{}) // uint64 for Prio3Count and Prio3Sum
//	...
//	query, err := c.IntervalQuery(start, end)
//	...
//	result, err := c.Collect(ctx, query)
//
// Asking again for the same batch gives the same answer until the collection job
// is deleted. A batch that overlaps one that was collected before is refused by
// the aggregators.
//
// In a task with differential privacy the result has noise: [Result].Noise has its numbers, which may be
// negative, with their standard error and their 95% intervals.
//
// A [Collector] is safe for concurrent use.
//
// # Secrets
//
// The HPKE private key, the token and the aggregate shares are secret: no error
// holds them. The aggregate result is what the Collector is meant to learn.
package collector
