// Package dap implements the messages, identifiers, times, encryption, task
// configuration and errors of DAP (draft-ietf-ppm-dap-18), and the task
// derivations of Taskprov (draft-ietf-ppm-dap-taskprov-04). There is no HTTP
// here, and no VDAF: proofs and shares travel as opaque bytes.
//
// # Messages
//
// Every message has an Encode method and a DecodeX function. Decoding is
// strict: a vector that runs past the end or is shorter than its minimum, an
// unknown value of a closed enum and bytes after the end are errors, and what
// decodes encodes to the same bytes. Decoded values alias the bytes that they
// were decoded from; the caller must not change those afterwards. An empty
// vector decodes to nil. Errors are *DecodeError and *EncodeError.
//
// Extensions of reports, aggregation jobs and collection jobs decode in any
// order, because the protocol answers a wrong order differently in each place:
// CheckReportExtensions, CheckAggregationJobExtensions and
// CheckCollectionJobExtensions say what is wrong with them. A task
// configuration whose extensions are not strictly increasing does not decode.
//
// # Secrets
//
// The HPKE private keys (HpkeKeypair), the pre-shared secret of Taskprov
// (VerifyKeyInit), the verification keys derived from it and the plaintext
// input shares (PlaintextInputShare) are secret. Their values steer no branch
// and no memory index here; their lengths are public. The types redact
// themselves when they are printed or logged, and no error of this package
// carries a secret.
package dap
