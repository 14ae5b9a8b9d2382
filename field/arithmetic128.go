package field

// arithmetic is what works on vectors of Field128.
type arithmetic int

const (
	inGo arithmetic = iota
	// inWords are routines for one element at a time, with BMI2's multiplication (words128_amd64.s).
	inWords
	// inVectors are routines for AVX-512 and IFMA (vec128_amd64.s).
	inVectors
)

const (
	// vectorLength is how many elements the routines for AVX-512 work on at once. From so
	// many on they are faster than Go.
	vectorLength = 8
	// wordsLeast is from how many elements on the routines for BMI2 are faster than Go.
	wordsLeast = 4
)

// arithmeticFor returns what n elements are left to on this machine.
func arithmeticFor(n int) arithmetic {
	switch {
	case hasIFMA:
		if n >= vectorLength {
			return inVectors
		}
	case hasAVX2 && n >= wordsLeast:
		return inWords
	}
	return inGo
}
