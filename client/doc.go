// Package client uploads measurements to a DAP task (draft-ietf-ppm-dap-18)
// without showing them to any single server: the library that an app embeds.
//
// Each measurement is split into two input shares with a proof that it is well
// formed (VDAF Section 7). Each share is encrypted to one of the two aggregators,
// which learn nothing about a measurement as long as they do not collude.
//
// # Usage
//
// A task comes as a file from whoever runs it, or as a TaskConfiguration. The
// type parameter is the type of a measurement, which the task's VDAF decides:
//
//	task, err := client.ReadTask(file)
//	...
//	c, err := client.New[uint64](task, client.Options{})  // bool for Prio3Count, uint64 for Prio3Sum,
//	...                                                   // int for Prio3Histogram, []uint64 for Prio3SumVec,
//	outcomes, err := c.Upload(ctx, client.Measurement[uint64]{Value: 42, Time: time.Now()})
//
// Upload sends many reports in each request, retries what may be retried, and
// says of each measurement what became of it. An app that wants to decide for
// itself when reports are sent, or that stores them until then, uses
// [Client.Prepare] and [Client.UploadReports].
//
// A [Client] is safe for concurrent use; make one for each task and keep it,
// because it keeps the aggregators' HPKE configurations.
//
// # Keys
//
// A client has no keys of its own and nothing to keep secret but its
// measurements. It fetches the aggregators' public keys over https, trusts the
// system's certificate roots for it, and keeps them for as long as the
// aggregators allow. It encrypts to the first configuration that it supports:
// X25519, P-256 or X-Wing with HKDF and AES-GCM or ChaCha20Poly1305.
// Randomness comes from crypto/rand.
//
// # What a report tells
//
// The aggregators see the address a report comes from, its time, rounded down
// to the task's precision, its ID, which is random, and its size, which is the
// same for all reports of a task.
//
// # Compatibility
//
// The wire format is that of draft-ietf-ppm-dap-18 with wire version 18 of
// draft-irtf-cfrg-vdaf; a change of the draft is a new major version of this
// module. Within a major version the API stays compatible, task files stay
// readable, and reports that were prepared by an earlier version can be uploaded
// by a later one.
//
// # Secrets
//
// Measurements and their shares are secret. They are not logged, no error holds
// them, and no branch or memory index depends on them but for the check whether
// a measurement is one of the task's.
package client
