package store

import (
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// Records are CBOR (RFC 8949) in its core deterministic encoding, maps with
// integer keys. Small index entries have fixed layouts instead; they stand
// beside their buckets.
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
)

func must[M any](mode M, err error) M {
	if err != nil {
		panic(err)
	}
	return mode
}

// encodeRecord never fails for the record types of this package: they hold
// integers, byte and text strings and slices of them.
func encodeRecord(record any) []byte {
	encoded, err := encoding.Marshal(record)
	if err != nil {
		panic(fmt.Sprintf("store: encode %T: %v", record, err))
	}
	return encoded
}

// decodeRecord decodes a whole value strictly. The record keeps nothing of it.
func decodeRecord(encoded []byte, record any) error {
	if err := decoding.Unmarshal(encoded, record); err != nil {
		return fmt.Errorf("it does not decode: %s", redactCBORError(err))
	}
	return nil
}

// redactCBORError keeps the kind of the error alone: its text may quote the record.
func redactCBORError(err error) string { return fmt.Sprintf("%T", err) }

// copyExactly copies a field of fixed length.
func copyExactly(field string, dst, src []byte) error {
	if len(dst) != len(src) {
		return fmt.Errorf("%s has %d bytes, not %d", field, len(src), len(dst))
	}
	copy(dst, src)
	return nil
}

// firstError returns the first error that is not nil.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
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

// lenientDecoding reads the beginning of a record that a later version may have extended.
var lenientDecoding = must(cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF}.DecMode())
