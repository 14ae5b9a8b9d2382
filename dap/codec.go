package dap

import (
	"fmt"
	"math"
	"reflect"

	"golang.org/x/crypto/cryptobyte"
)

// DecodeError says which field of which message could not be decoded. Of the
// message it tells no more than lengths and unknown values of enums.
type DecodeError struct {
	Message string // the message, such as "AggregationJobInitReq"
	Field   string // the path to the field, such as "verify_inits[3].payload"; empty for the message as a whole
	Problem string
}

func (e *DecodeError) Error() string {
	return "dap: decode " + messageField(e.Message, e.Field) + ": " + e.Problem
}

// EncodeError says which field of which message cannot be encoded.
type EncodeError struct {
	Message string
	Field   string
	Problem string
}

func (e *EncodeError) Error() string {
	return "dap: encode " + messageField(e.Message, e.Field) + ": " + e.Problem
}

func messageField(message, field string) string {
	if field == "" {
		return message
	}
	return message + "." + field
}

// truncated is the error of a message that ends before or inside a field.
func truncated(message, field string) error {
	return &DecodeError{message, field, "the message ends before this field does"}
}

// unknownValue is the error of a value that a closed enum does not have.
func unknownValue(message, field string, value uint64) error {
	return &DecodeError{message, field, fmt.Sprintf("%d is not a value of its enum", value)}
}

// within gives an error of a field's own message the place of that field in
// the message around it.
func within(err error, message, field string) error {
	inner, ok := err.(*DecodeError)
	if !ok {
		return err
	}
	if inner.Field != "" {
		field += "." + inner.Field
	}
	return &DecodeError{message, field, inner.Problem}
}

// withinElement is within for an element of a list.
func withinElement(err error, message, list string, index int) error {
	return within(err, message, fmt.Sprintf("%s[%d]", list, index))
}

// checkEnd refuses bytes that follow the end of a message.
func checkEnd(s cryptobyte.String, message string) error {
	if len(s) != 0 {
		return &DecodeError{message, "", fmt.Sprintf("%d bytes follow its end", len(s))}
	}
	return nil
}

// readVector8 reads a vector of bytes with a length prefix of one byte, that
// is `opaque field<min..2^8-1>`.
func readVector8(s *cryptobyte.String, min int, message, field string) ([]byte, error) {
	var n uint8
	if !s.ReadUint8(&n) {
		return nil, truncated(message, field)
	}
	return readVector(s, uint64(n), min, message, field)
}

// readVector16 reads `opaque field<min..2^16-1>`.
func readVector16(s *cryptobyte.String, min int, message, field string) ([]byte, error) {
	var n uint16
	if !s.ReadUint16(&n) {
		return nil, truncated(message, field)
	}
	return readVector(s, uint64(n), min, message, field)
}

// readVector32 reads `opaque field<min..2^32-1>`.
func readVector32(s *cryptobyte.String, min int, message, field string) ([]byte, error) {
	var n uint32
	if !s.ReadUint32(&n) {
		return nil, truncated(message, field)
	}
	return readVector(s, uint64(n), min, message, field)
}

// readVector reads the n bytes of a vector after its length prefix. The result
// aliases s, cannot be appended to in place, and is nil when n is 0.
func readVector(s *cryptobyte.String, n uint64, min int, message, field string) ([]byte, error) {
	if n > uint64(len(*s)) {
		return nil, truncated(message, field)
	}
	if n < uint64(min) {
		return nil, &DecodeError{message, field, fmt.Sprintf("%d bytes long; it must have at least %d", n, min)}
	}
	if n == 0 {
		return nil, nil
	}
	v := (*s)[:n:n]
	s.Skip(int(n))
	return v, nil
}

// An encodable message writes itself to a builder. Errors stay in the builder.
type encodable interface {
	encode(b *cryptobyte.Builder)
}

// encodeMessage encodes m into a new slice of which size bytes are allocated
// in advance.
func encodeMessage(m encodable, size int) ([]byte, error) {
	b := cryptobyte.NewBuilder(make([]byte, 0, size))
	m.encode(b)
	return b.Bytes()
}

// appendMessage appends the encoding of m to dst. With an error it returns dst
// as it was.
func appendMessage(dst []byte, m encodable) ([]byte, error) {
	b := cryptobyte.NewBuilder(dst)
	m.encode(b)
	out, err := b.Bytes()
	if err != nil {
		return dst, err
	}
	return out, nil
}

// failEncoding records an error in b, unless there is one already.
func failEncoding(b *cryptobyte.Builder, message, field, problem string) {
	if _, err := b.Bytes(); err == nil {
		b.SetError(&EncodeError{message, field, problem})
	}
}

// addVector8 writes `opaque field<min..2^8-1>`.
func addVector8(b *cryptobyte.Builder, v []byte, min int, message, field string) {
	if checkVector(b, len(v), min, math.MaxUint8, message, field) {
		b.AddUint8(uint8(len(v)))
		b.AddBytes(v)
	}
}

// addVector16 writes `opaque field<min..2^16-1>`.
func addVector16(b *cryptobyte.Builder, v []byte, min int, message, field string) {
	if checkVector(b, len(v), min, math.MaxUint16, message, field) {
		b.AddUint16(uint16(len(v)))
		b.AddBytes(v)
	}
}

// addVector32 writes `opaque field<min..2^32-1>`.
func addVector32(b *cryptobyte.Builder, v []byte, min int, message, field string) {
	if checkVector(b, len(v), min, math.MaxUint32, message, field) {
		b.AddUint32(uint32(len(v)))
		b.AddBytes(v)
	}
}

// checkVector tells whether n bytes are a length that the vector may have, and
// records an error in b if not.
func checkVector(b *cryptobyte.Builder, n, min int, max uint64, message, field string) bool {
	if n < min {
		failEncoding(b, message, field, fmt.Sprintf("%d bytes long; it must have at least %d", n, min))
		return false
	}
	if uint64(n) > max {
		failEncoding(b, message, field, fmt.Sprintf("%d bytes long; it may have at most %d", n, max))
		return false
	}
	return true
}

// newList allocates a list of elements that go on to the end of a message, once
// the first of them is decoded: first is its length in bytes, and rest the
// length of all of them if the others are like it. The list takes no more memory
// than the message, whatever comes after the first element.
func newList[E any](rest, first int) []E {
	size := int(reflect.TypeFor[E]().Size())
	return make([]E, 0, rest/max(first, size)+1)
}
