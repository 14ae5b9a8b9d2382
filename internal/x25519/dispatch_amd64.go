//go:build !purego

package x25519

import "golang.org/x/sys/cpu"

//go:generate sh -c "cd _asm && go generate"

// What this machine has, and the operating system lets programs use.
var (
	hasAVX2 = cpu.X86.HasAVX2
	// DQ has the multiplication of 64 bits; all else is in F and IFMA.
	hasIFMA = cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512IFMA
)

// fastest returns the fastest way to compute the first of n > 0 shared secrets,
// and how many of them. A group of lanes costs the same whether it is full or
// not: four lanes as much as two secrets alone, eight as one and a half.
func fastest(n int) (int, func(scalars, publics, secrets [][Size]byte)) {
	switch {
	case hasIFMA && n >= 2:
		return without(n, 8, 2), sharedSecrets8
	case hasAVX2 && n >= 3:
		return without(n, 4, 3), sharedSecrets4
	}
	return 1, one
}

// without returns n without its last group, where that would be smaller than least.
func without(n, group, least int) int {
	if last := n % group; last < least {
		return n - last
	}
	return n
}

func mul4(out, a, b *fe4) {
	if hasAVX2 {
		mulAVX2(out, a, b)
		return
	}
	mul4Generic(out, a, b)
}

func square4(out, a *fe4, n uint64) {
	if hasAVX2 {
		squareAVX2(out, a, n)
		return
	}
	square4Generic(out, a, n)
}

func ladderStep4(l *ladder4, swap uint64) {
	if hasAVX2 {
		ladderStepAVX2(l, swap)
		return
	}
	ladderStep4Generic(l, swap)
}

func mul8(out, a, b *fe8) {
	if hasIFMA {
		mulIFMA(out, a, b)
		return
	}
	mul8Generic(out, a, b)
}

func square8(out, a *fe8, n uint64) {
	if hasIFMA {
		squareIFMA(out, a, n)
		return
	}
	square8Generic(out, a, n)
}

func ladderStep8(l *ladder8, swap uint64) {
	if hasIFMA {
		ladderStepIFMA(l, swap)
		return
	}
	ladderStep8Generic(l, swap)
}
