package fuzzing

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
)

// maxInput bounds how long a mutant grows, in bytes.
const maxInput = 64 << 10

// mutator makes inputs that differ a little from others. It belongs to one
// goroutine.
type mutator struct{ random *rand.Rand }

// mutate changes some arguments of an input in place. Bytes may come from the same
// argument of another input, which stays as it is.
func (m *mutator) mutate(input, other []reflect.Value) {
	for range 1 + m.random.IntN(4) {
		i := m.random.IntN(len(input))
		m.mutateValue(input[i], other[i])
	}
}

func (m *mutator) mutateValue(v, other reflect.Value) {
	switch v.Kind() {
	case reflect.Slice:
		v.SetBytes(m.mutateBytes(v.Bytes(), other.Bytes()))
	case reflect.String:
		v.SetString(string(m.mutateBytes([]byte(v.String()), []byte(other.String()))))
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(m.mutateNumber(uint64(v.Int()))))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(m.mutateNumber(v.Uint()))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(math.Float64frombits(m.mutateNumber(math.Float64bits(v.Float()))))
	default:
		panic("fuzzing: no mutation for a value of kind " + v.Kind().String())
	}
}

// mutateNumber returns another number; only its low bits may be of use.
func (m *mutator) mutateNumber(n uint64) uint64 {
	switch m.random.IntN(4) {
	case 0:
		return n ^ 1<<m.random.IntN(64)
	case 1:
		return n + uint64(m.random.IntN(33)) - 16
	case 2:
		return m.awkward()
	}
	return m.random.Uint64()
}

// awkward returns a number at or beside a power of two, or its negative.
func (m *mutator) awkward() uint64 {
	n := uint64(1)<<m.random.IntN(64) + uint64(m.random.IntN(3)) - 1
	if m.random.IntN(4) == 0 {
		return -n
	}
	return n
}

// mutateBytes returns b changed in one place. It may reuse b.
func (m *mutator) mutateBytes(b, other []byte) []byte {
	if len(b) == 0 {
		return m.insert(b, other)
	}
	at := m.random.IntN(len(b))
	switch m.random.IntN(10) {
	case 0:
		b[at] ^= 1 << m.random.IntN(8)
	case 1:
		b[at] = byte(m.random.Uint32())
	case 2:
		b[at] += byte(m.random.IntN(17) - 8)
	case 3: // a length or a number, in network byte order
		width := 1 << m.random.IntN(4)
		n := m.awkward()
		for i := min(at+width, len(b)) - 1; i >= at; i-- {
			b[i] = byte(n)
			n >>= 8
		}
	case 4:
		return b[:at]
	case 5: // take a piece out
		return slices.Delete(b, at, at+m.piece(len(b)-at))
	case 6: // repeat a piece
		piece := slices.Clone(b[at : at+m.piece(len(b)-at)])
		return m.bounded(slices.Insert(b, at, piece...))
	case 7: // put a piece elsewhere
		piece := slices.Clone(b[at : at+m.piece(len(b)-at)])
		copy(b[m.random.IntN(len(b)):], piece)
	case 8: // go on as the other does
		if len(other) > 0 {
			return m.bounded(append(b[:at], other[m.random.IntN(len(other)):]...))
		}
	default:
		return m.insert(b, other)
	}
	return b
}

// insert puts random bytes, or a piece of the other, into b.
func (m *mutator) insert(b, other []byte) []byte {
	at := m.random.IntN(len(b) + 1)
	if len(other) > 0 && m.random.IntN(2) == 0 {
		from := m.random.IntN(len(other))
		return m.bounded(slices.Insert(b, at, other[from:from+m.piece(len(other)-from)]...))
	}
	piece := make([]byte, m.piece(16))
	for i := range piece {
		piece[i] = byte(m.random.Uint32())
	}
	return m.bounded(slices.Insert(b, at, piece...))
}

// piece returns a length from 1 to n, mostly a short one.
func (m *mutator) piece(n int) int {
	if m.random.IntN(4) > 0 {
		n = min(n, 8)
	}
	return 1 + m.random.IntN(n)
}

func (m *mutator) bounded(b []byte) []byte { return b[:min(len(b), maxInput)] }

// clone returns a copy of an input that can be set.
func clone(input []reflect.Value) []reflect.Value {
	copied := make([]reflect.Value, len(input))
	for i, v := range input {
		copied[i] = reflect.New(v.Type()).Elem()
		if v.Kind() == reflect.Slice {
			copied[i].SetBytes(slices.Clone(v.Bytes()))
		} else {
			copied[i].Set(v)
		}
	}
	return copied
}

// length returns the length of an input in bytes.
func length(input []reflect.Value) int {
	n := 0
	for _, v := range input {
		switch v.Kind() {
		case reflect.Slice, reflect.String:
			n += v.Len()
		default:
			n += int(v.Type().Size())
		}
	}
	return n
}
