package fuzzing

import (
	"bytes"
	"reflect"
	"slices"
)

// Script reads an input as a sequence of decisions, so that a target can make valid
// messages and change them field by field. When the input has run out every
// decision is 0, which is to say: no change. It belongs to one goroutine.
type Script struct{ rest []byte }

// NewScript returns a script that reads the input.
func NewScript(input []byte) *Script { return &Script{input} }

// Done tells whether the input has run out.
func (s *Script) Done() bool { return len(s.rest) == 0 }

// Byte returns the next byte.
func (s *Script) Byte() byte {
	if s.Done() {
		return 0
	}
	b := s.rest[0]
	s.rest = s.rest[1:]
	return b
}

// Choose returns a number below n, which must be positive.
func (s *Script) Choose(n int) int {
	if n <= 256 {
		return int(s.Byte()) % n
	}
	return (int(s.Byte())<<8 | int(s.Byte())) % n
}

// Number returns a number of any size, often one at or beside a power of two.
func (s *Script) Number() uint64 {
	b := s.Byte()
	switch b >> 6 {
	case 0:
		return uint64(b)
	case 1:
		return uint64(1)<<(b&63) - 1
	case 2:
		return uint64(1) << (b & 63)
	}
	return -uint64(s.Byte()) - 1
}

// Edit changes fields of a message, to which it gets a pointer, as often as the next
// byte says (at most three times). What it cannot reach are fields without a
// capital letter and those of interfaces and maps.
func (s *Script) Edit(message any) {
	for range s.Byte() & 3 {
		fields := fieldsOf(reflect.ValueOf(message).Elem(), nil)
		if len(fields) == 0 {
			return
		}
		s.editField(fields[s.Choose(len(fields))])
	}
}

// fieldsOf appends all that can be edited in a value. The backing arrays of slices
// are copied, since messages share them.
func fieldsOf(v reflect.Value, fields []reflect.Value) []reflect.Value {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fields = fieldsOf(v.Field(i), fields)
			}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			fields = fieldsOf(v.Elem(), fields)
		}
	case reflect.Slice:
		copied := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(copied, v)
		v.Set(copied)
		fields = append(fields, v)
		if v.Type().Elem().Kind() != reflect.Uint8 {
			for i := range v.Len() {
				fields = fieldsOf(v.Index(i), fields)
			}
		}
	case reflect.Array, reflect.String, reflect.Bool, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Int, reflect.Int64:
		fields = append(fields, v)
	}
	return fields
}

func (s *Script) editField(v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(s.editNumber(v.Uint()))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(s.editNumber(uint64(v.Int()))))
	case reflect.String:
		v.SetString(string(s.EditBytes([]byte(v.String()))))
	case reflect.Array:
		if n := v.Len(); n > 0 && v.Type().Elem().Kind() == reflect.Uint8 {
			at := v.Index(s.Choose(n))
			at.SetUint(uint64(s.Byte()))
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes(s.EditBytes(v.Bytes()))
		} else {
			s.editList(v)
		}
	}
}

func (s *Script) editNumber(n uint64) uint64 {
	if b := s.Byte(); b < 128 {
		return n + uint64(b) - 64
	}
	return s.Number()
}

// EditBytes returns b changed in one place. It may reuse b.
func (s *Script) EditBytes(b []byte) []byte {
	if len(b) == 0 {
		return bytes.Repeat([]byte{s.Byte()}, s.Choose(64))
	}
	at := s.Choose(len(b))
	switch s.Byte() % 8 {
	case 0:
		b[at] = s.Byte()
	case 1:
		b[at] ^= 1 << (s.Byte() % 8)
	case 2:
		return b[:at]
	case 3:
		return slices.Delete(b, at, min(len(b), at+1+s.Choose(16)))
	case 4:
		return slices.Insert(b, at, bytes.Repeat([]byte{s.Byte()}, 1+s.Choose(32))...)
	case 5:
		return slices.Insert(b, at, slices.Clone(b[:at])...)
	case 6:
		n := s.Number()
		for i := min(at+1<<(s.Byte()%4), len(b)) - 1; i >= at; i-- {
			b[i] = byte(n)
			n >>= 8
		}
	default:
		return nil
	}
	return b
}

// editList takes an element out of a list, repeats one, swaps two, or empties it.
func (s *Script) editList(v reflect.Value) {
	n := v.Len()
	if n == 0 {
		v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
		return
	}
	i, j := s.Choose(n), s.Choose(n)
	switch s.Byte() % 4 {
	case 0:
		v.Set(reflect.AppendSlice(v.Slice3(0, i, i), v.Slice(i+1, n)))
	case 1:
		v.Set(reflect.Append(v.Slice3(0, n, n), v.Index(i)))
	case 2:
		swapped := reflect.New(v.Type().Elem()).Elem()
		swapped.Set(v.Index(i))
		v.Index(i).Set(v.Index(j))
		v.Index(j).Set(swapped)
	default:
		v.SetLen(0)
	}
}
