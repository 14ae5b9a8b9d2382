package resultstore

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"
)

var (
	encoding = must(cbor.CoreDetEncOptions().EncMode())
	decoding = must(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		MaxNestedLevels:   8,
		MaxArrayElements:  1 << 24,
		MaxMapPairs:       1 << 10,
	}.DecMode())
	// lenientDecoding reads the beginning of a record that a later version may have extended.
	lenientDecoding = must(cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF}.DecMode())
)

func must[M any](mode M, err error) M {
	if err != nil {
		panic(err)
	}
	return mode
}

// encodeRecord never fails for the record types of this package: they hold integers, floating-point numbers, byte and text strings
// and slices of them.
func encodeRecord(record any) []byte {
	encoded, err := encoding.Marshal(record)
	if err != nil {
		panic(fmt.Sprintf("resultstore: encode %T: %v", record, err))
	}
	return encoded
}

// RecordError says that a record is damaged. It holds nothing of it.
type RecordError struct {
	Record  string // where it is
	Problem string
}

func (e *RecordError) Error() string {
	return fmt.Sprintf("the collector's database is damaged: record %s %s; restore it from a copy and check the disk", e.Record, e.Problem)
}

// decodeRecord decodes a whole value strictly. The text of the decoder's error may quote the record, and is left out.
func decodeRecord(bucket string, key, encoded []byte, record any) error {
	if err := decoding.Unmarshal(encoded, record); err != nil {
		return damaged(bucket, key, fmt.Sprintf("does not decode: %T", err))
	}
	return nil
}

func damaged(bucket string, key []byte, problem string) error {
	return &RecordError{fmt.Sprintf("%s/%x", bucket, key), problem}
}

// stamp is a time as records hold it: nanoseconds since the Epoch, 0 for none.
func stamp(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func unstamp(nanoseconds int64) time.Time {
	if nanoseconds == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanoseconds).UTC()
}

// be64 is a number as a key: keys sort as numbers do.
func be64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
