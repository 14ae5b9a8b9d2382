//go:build !amd64 || purego

package field

const (
	hasIFMA = false
	hasAVX2 = false
)

// Without these nothing calls what follows.

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

func mulVecBMI2(dst, a, b *uint64, n uint64)                                  { panic(noAssembly) }
func scaleVecBMI2(dst, a, b *uint64, n uint64)                                { panic(noAssembly) }
func axpyVecBMI2(a, b, w *uint64, n uint64)                                   { panic(noAssembly) }
func addVecBMI2(dst, a, b *uint64, n uint64)                                  { panic(noAssembly) }
func addConstVecBMI2(dst, a, b *uint64, n uint64)                             { panic(noAssembly) }
func subVecBMI2(dst, a, b *uint64, n uint64)                                  { panic(noAssembly) }
func butterfliesBMI2(a, b, w *uint64, n uint64)                               { panic(noAssembly) }
func butterflyRowsBMI2(a, b, w *uint64, n uint64)                             { panic(noAssembly) }
func invButterflyRowsBMI2(a, b, w *uint64, n uint64)                          { panic(noAssembly) }
func outOfRangeAVX2(encoded *byte, pairs uint64) uint64                       { panic(noAssembly) }
func combineColumnsBMI2(dst, coeffs, rows *uint64, n, stride, columns uint64) { panic(noAssembly) }

func weightColumnsBMI2(first, second, at, ratios, weights, rows *uint64, n, stride, columns uint64) {
	panic(noAssembly)
}

func weightLanesAVX2(first, second, given *uint64, last *[5]uint64, rows *uint64, n, stride, groups uint64) {
	panic(noAssembly)
}

func weightColumns64BMI2(first, second, at, ratios, weights, rows *uint64, n, stride, columns uint64) {
	panic(noAssembly)
}

const noAssembly = "field: no assembly in this build"
