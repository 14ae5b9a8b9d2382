//go:build !amd64 || purego

package x25519

// Nothing here is in assembly, whatever the machine has.
const (
	hasAVX2 = false
	hasIFMA = false
)

// fastest returns the fastest way to compute some of n > 0 shared secrets, and of
// how many. In Go the lanes gain nothing: they are the model of those in
// assembly, and the tests run them.
func fastest(int) (int, func(scalars, publics, secrets [][Size]byte)) { return 1, one }

func mul4(out, a, b *fe4)                 { mul4Generic(out, a, b) }
func square4(out, a *fe4, n uint64)       { square4Generic(out, a, n) }
func ladderStep4(l *ladder4, swap uint64) { ladderStep4Generic(l, swap) }
func mul8(out, a, b *fe8)                 { mul8Generic(out, a, b) }
func square8(out, a *fe8, n uint64)       { square8Generic(out, a, n) }
func ladderStep8(l *ladder8, swap uint64) { ladderStep8Generic(l, swap) }
