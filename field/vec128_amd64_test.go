//go:build !purego

package field

// machine is a machine that has these instructions.
type machine struct {
	name       string
	ifma, avx2 bool
}

// lesserMachines are those that have less than this one, as far as it matters for Field128.
func lesserMachines() (list []machine) {
	if hasIFMA && hasAVX2 {
		list = append(list, machine{name: "with AVX2", avx2: true})
	}
	if hasIFMA || hasAVX2 {
		list = append(list, machine{name: "in Go"})
	}
	return list
}

// run runs f as on that machine.
func (m machine) run(f func()) {
	defer func(ifma, avx2 bool) { hasIFMA, hasAVX2 = ifma, avx2 }(hasIFMA, hasAVX2)
	hasIFMA, hasAVX2 = m.ifma, m.avx2
	f()
}
