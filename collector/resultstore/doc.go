// Package resultstore is the durable state of a Collector's service (service.Store) in one bbolt file: its tasks,
// collections and results, and the digests of analysts' tokens.
//
// Every method is one transaction, and what it wrote is on the disk when it returns. Records are CBOR
// in its core deterministic encoding, maps with integer keys; the file has a schema version, and one that is not known is refused.
// The Leaders' tokens are sealed with a key that belongs to the directory.
//
// The invariants of service.Store hold whatever a caller does: of each task the intervals that collections
// hold do not overlap, of a task whose Leader selects the batches at most one collection is open, and a collection job gives at most
// one collection its result.
package resultstore
