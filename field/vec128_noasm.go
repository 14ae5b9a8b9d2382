//go:build !amd64 || purego

package field

const hasIFMA = false

// Without hasIFMA nothing calls these.

func mulVecIFMA(dst, a, b *uint64, n uint64)          { panic(noAssembly) }
func scaleVecIFMA(dst, a, b *uint64, n uint64)        { panic(noAssembly) }
func addVecAVX512(dst, a, b *uint64, n uint64)        { panic(noAssembly) }
func addConstVecAVX512(dst, a, b *uint64, n uint64)   { panic(noAssembly) }
func subVecAVX512(dst, a, b *uint64, n uint64)        { panic(noAssembly) }
func butterfliesIFMA(a, b, w *uint64, n uint64)       { panic(noAssembly) }
func butterflyRowsIFMA(a, b, w *uint64, n uint64)     { panic(noAssembly) }
func invButterflyRowsIFMA(a, b, w *uint64, n uint64)  { panic(noAssembly) }
func innerProductIFMA(sums, a, b *uint64, n uint64)   { panic(noAssembly) }
func outOfRangeAVX512(encoded *byte, n uint64) uint64 { panic(noAssembly) }
func combineColumnsIFMA(dst *uint64, coeffs *[3]uint64, rows *uint64, n, stride uint64) {
	panic(noAssembly)
}

func weightColumnsIFMA(sums, powers *uint64, steps, weights *[3]uint64, rows *uint64, n, stride, columns uint64) {
	panic(noAssembly)
}

const noAssembly = "field: no assembly in this build"
