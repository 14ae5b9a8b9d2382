package dap

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
)

// Identifiers. Their String is the URL-safe, unpadded Base64 that the standard
// uses in URLs (DAP Section 3); ParseX is the strict inverse.
type (
	// TaskID identifies a task (DAP Section 4.2).
	TaskID [32]byte
	// ReportID identifies a report within a task, and is the VDAF nonce of its
	// measurement (DAP Sections 4.1 and 4.1.2).
	ReportID [16]byte
	// BatchID identifies a batch of the leader-selected batch mode (DAP Section 5.2).
	BatchID [32]byte
	// AggregationJobID identifies an aggregation job within a task. DAP leaves
	// its form to the Helper (Section 4.5); this is the form of Twofold's.
	AggregationJobID [16]byte
	// CollectionJobID identifies a collection job within a task. DAP leaves its
	// form to the Leader (Section 4.6); this is the form of Twofold's.
	CollectionJobID [16]byte
	// AggregateShareID identifies a Helper's aggregate share within a task. DAP
	// leaves its form to the Helper (Section 4.6.4); this is the form of Twofold's.
	AggregateShareID [16]byte
)

// IdentifierError says why a text is not an identifier of its kind.
type IdentifierError struct {
	Kind    string // the identifier's type, such as "TaskID"
	Problem string
}

func (e *IdentifierError) Error() string {
	return fmt.Sprintf("dap: %s: %s", e.Kind, e.Problem)
}

// identifierEncoding is the encoding of DAP Section 3: URL-safe Base64 without
// padding. Strict refuses trailing bits that are not zero.
var identifierEncoding = base64.RawURLEncoding.Strict()

// parseIdentifier decodes text into id, all of it.
func parseIdentifier(kind string, id []byte, text string) error {
	if want := identifierEncoding.EncodedLen(len(id)); len(text) != want {
		return &IdentifierError{kind, fmt.Sprintf("%d characters long; it must be the %d characters of %d bytes in URL-safe, unpadded Base64", len(text), want, len(id))}
	}
	// Decode skips line breaks, so the number of bytes tells whether there were any.
	buf := make([]byte, len(id))
	n, err := identifierEncoding.Decode(buf, []byte(text))
	if err != nil || n != len(id) {
		return &IdentifierError{kind, "not URL-safe, unpadded Base64 in its canonical form"}
	}
	copy(id, buf)
	return nil
}

// NewTaskID returns a random task ID.
func NewTaskID() (id TaskID) { rand.Read(id[:]); return id }

// ParseTaskID is the inverse of TaskID.String. Its error is an *IdentifierError.
func ParseTaskID(text string) (id TaskID, err error) {
	err = parseIdentifier("TaskID", id[:], text)
	return id, err
}

// String returns the 43 characters of the ID's URL-safe, unpadded Base64.
func (id TaskID) String() string { return identifierEncoding.EncodeToString(id[:]) }

// MarshalText returns the bytes of String.
func (id TaskID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is ParseTaskID.
func (id *TaskID) UnmarshalText(text []byte) error {
	return parseIdentifier("TaskID", id[:], string(text))
}

// NewReportID returns a random report ID, as DAP Section 4.4.2 asks of Clients.
func NewReportID() (id ReportID) { rand.Read(id[:]); return id }

// ParseReportID is the inverse of ReportID.String. Its error is an *IdentifierError.
func ParseReportID(text string) (id ReportID, err error) {
	err = parseIdentifier("ReportID", id[:], text)
	return id, err
}

// String returns the 22 characters of the ID's URL-safe, unpadded Base64.
func (id ReportID) String() string { return identifierEncoding.EncodeToString(id[:]) }

// MarshalText returns the bytes of String.
func (id ReportID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is ParseReportID.
func (id *ReportID) UnmarshalText(text []byte) error {
	return parseIdentifier("ReportID", id[:], string(text))
}

// NewBatchID returns a random batch ID.
func NewBatchID() (id BatchID) { rand.Read(id[:]); return id }

// ParseBatchID is the inverse of BatchID.String. Its error is an *IdentifierError.
func ParseBatchID(text string) (id BatchID, err error) {
	err = parseIdentifier("BatchID", id[:], text)
	return id, err
}

// String returns the 43 characters of the ID's URL-safe, unpadded Base64.
func (id BatchID) String() string { return identifierEncoding.EncodeToString(id[:]) }

// MarshalText returns the bytes of String.
func (id BatchID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is ParseBatchID.
func (id *BatchID) UnmarshalText(text []byte) error {
	return parseIdentifier("BatchID", id[:], string(text))
}

// NewAggregationJobID returns a random aggregation job ID.
func NewAggregationJobID() (id AggregationJobID) { rand.Read(id[:]); return id }

// ParseAggregationJobID is the inverse of AggregationJobID.String. Its error is
// an *IdentifierError.
func ParseAggregationJobID(text string) (id AggregationJobID, err error) {
	err = parseIdentifier("AggregationJobID", id[:], text)
	return id, err
}

// String returns the 22 characters of the ID's URL-safe, unpadded Base64.
func (id AggregationJobID) String() string { return identifierEncoding.EncodeToString(id[:]) }

// MarshalText returns the bytes of String.
func (id AggregationJobID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is ParseAggregationJobID.
func (id *AggregationJobID) UnmarshalText(text []byte) error {
	return parseIdentifier("AggregationJobID", id[:], string(text))
}

// NewCollectionJobID returns a random collection job ID.
func NewCollectionJobID() (id CollectionJobID) { rand.Read(id[:]); return id }

// ParseCollectionJobID is the inverse of CollectionJobID.String. Its error is
// an *IdentifierError.
func ParseCollectionJobID(text string) (id CollectionJobID, err error) {
	err = parseIdentifier("CollectionJobID", id[:], text)
	return id, err
}

// String returns the 22 characters of the ID's URL-safe, unpadded Base64.
func (id CollectionJobID) String() string { return identifierEncoding.EncodeToString(id[:]) }

// MarshalText returns the bytes of String.
func (id CollectionJobID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is ParseCollectionJobID.
func (id *CollectionJobID) UnmarshalText(text []byte) error {
	return parseIdentifier("CollectionJobID", id[:], string(text))
}

// NewAggregateShareID returns a random aggregate share ID.
func NewAggregateShareID() (id AggregateShareID) { rand.Read(id[:]); return id }

// ParseAggregateShareID is the inverse of AggregateShareID.String. Its error is
// an *IdentifierError.
func ParseAggregateShareID(text string) (id AggregateShareID, err error) {
	err = parseIdentifier("AggregateShareID", id[:], text)
	return id, err
}

// String returns the 22 characters of the ID's URL-safe, unpadded Base64.
func (id AggregateShareID) String() string { return identifierEncoding.EncodeToString(id[:]) }

// MarshalText returns the bytes of String.
func (id AggregateShareID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is ParseAggregateShareID.
func (id *AggregateShareID) UnmarshalText(text []byte) error {
	return parseIdentifier("AggregateShareID", id[:], string(text))
}

// Checksum is the checksum of a batch bucket or a batch: the bitwise XOR of the
// SHA-256 hashes of its report IDs (DAP Section 4.5.4.3). The zero Checksum is
// that of no reports.
type Checksum [32]byte

// Add takes one more report into the checksum.
func (c *Checksum) Add(id ReportID) {
	hash := sha256.Sum256(id[:])
	subtle.XORBytes(c[:], c[:], hash[:])
}

// Xor takes the reports of another checksum into this one: checksums of batch
// buckets are combined by bitwise XOR.
func (c *Checksum) Xor(other Checksum) {
	subtle.XORBytes(c[:], c[:], other[:])
}

// ParseChecksum is the inverse of Checksum.String. Its error is an *IdentifierError.
func ParseChecksum(text string) (c Checksum, err error) {
	err = parseIdentifier("Checksum", c[:], text)
	return c, err
}

// String returns the 43 characters of the checksum's URL-safe, unpadded Base64.
func (c Checksum) String() string { return identifierEncoding.EncodeToString(c[:]) }

// MarshalText returns the bytes of String.
func (c Checksum) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText is ParseChecksum.
func (c *Checksum) UnmarshalText(text []byte) error {
	return parseIdentifier("Checksum", c[:], string(text))
}
