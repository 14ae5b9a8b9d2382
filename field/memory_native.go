//go:build (amd64 || arm64) && !purego

package field

import "unsafe"

// memoryIsEncoding says that the words of an element lie in memory in the order and with the
// bytes of its encoding (VDAF Section 6.1.1).
const memoryIsEncoding = true

func memory[E Elem](v []E) []byte {
	var e E
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(e)))
}
