package x25519

// The model of the four lanes' arithmetic: what lanes_amd64.s does, one lane
// after the other.
//
// An element's limbs are in one of two ranges:
//
//	tight: below 2^26 + 2^16 where the index is even, 2^25 + 2^16 where it is odd
//	loose: below 2^26 + 2^16 + 2^27 and 2^25 + 2^16 + 2^26, which is tight plus twice p
//
// What is multiplied may be loose and what comes out is tight; between two
// multiplications there is at most one addition or subtraction of what is tight.

// twoP4 is 2p in the limbs of fe4. No tight limb is larger, so that a - b + 2p
// never goes below zero.
var twoP4 = [fe4Limbs]uint64{
	1<<27 - 38, 1<<26 - 2, 1<<27 - 2, 1<<26 - 2, 1<<27 - 2, 1<<26 - 2, 1<<27 - 2, 1<<26 - 2, 1<<27 - 2, 1<<26 - 2,
}

// a24 is (486662 - 2) / 4 (RFC 7748 Section 5).
const a24 = 121665

// muludq is VPMULUDQ: the product of the low halves.
func muludq(a, b uint64) uint64 { return a & (1<<32 - 1) * (b & (1<<32 - 1)) }

// mul4Generic sets out = a * b. Loose in, tight out; out may be a or b.
//
// Where the indices i and j are both odd the limbs' weights are each half a bit
// too large, so that the product counts twice; where i + j >= 10 it is from 2^255
// upward and counts 19 times. The factors fit into 32 bits: of loose limbs, 19
// times an even one is below 2^31.9, and twice an odd one below 2^27.6.
//
// A column is the largest for k = 0: below 2^55.2 (i = 0), and 38 * 2^53.2 for
// each of five odd i and 19 * 2^55.2 for each of four even ones, which is below
// 2^62.2 together.
func mul4Generic(out, a, b *fe4) {
	var h fe4
	for lane := range h[0] {
		for i := range fe4Limbs {
			for j := range fe4Limbs {
				f, g := a[i][lane], b[j][lane]
				if i%2 == 1 && j%2 == 1 {
					f += f
				}
				if i+j >= fe4Limbs {
					g = muludq(g, 19)
				}
				h[(i+j)%fe4Limbs][lane] += muludq(f, g)
			}
		}
	}
	carry4Generic(&h)
	*out = h
}

// square4Generic sets out = a^(2^n), for n > 0. Loose in, tight out; out may be a.
//
// The columns are those of mul4Generic. Each product of different limbs is
// computed once and counts twice more: the factor is four times an odd limb at
// most, below 2^28.6.
func square4Generic(out, a *fe4, n uint64) {
	*out = *a
	for range n {
		var h fe4
		for lane := range h[0] {
			for i := range fe4Limbs {
				for j := i; j < fe4Limbs; j++ {
					f, g := out[i][lane], out[j][lane]
					if i%2 == 1 && j%2 == 1 {
						f += f
					}
					if i != j {
						f += f
					}
					if i+j >= fe4Limbs {
						g = muludq(g, 19)
					}
					h[(i+j)%fe4Limbs][lane] += muludq(f, g)
				}
			}
		}
		carry4Generic(&h)
		*out = h
	}
}

// carry4Generic carries limbs below 2^62.2 so that they are tight.
//
// Two chains run side by side, from limb 0 to 5 and from limb 5 through 9 to 0.
// A carry is below 2^(62.3-25), so no limb grows beyond 64 bits. The
// carry out of limb 9 counts 19 times: limb 0 is then below 2^26 + 2^41.7, and limb
// 5 below 2^25 + 2^36.3. So the last two carries, into limbs 1 and 6, are below
// 2^16, and all other limbs are within their bits.
func carry4Generic(h *fe4) {
	for lane := range h[0] {
		for _, i := range [...]int{0, 5, 1, 6, 2, 7, 3, 8, 4, 9, 5, 0} {
			c := h[i][lane] >> size4(i)
			h[i][lane] &= 1<<size4(i) - 1
			if i == fe4Limbs-1 {
				c *= 19
			}
			h[(i+1)%fe4Limbs][lane] += c
		}
	}
}

// add4 sets out = a + b, and sub4 out = a - b + 2p. Tight in, loose out.
func add4(out, a, b *fe4) {
	for i := range out {
		for lane := range out[i] {
			out[i][lane] = a[i][lane] + b[i][lane]
		}
	}
}

func sub4(out, a, b *fe4) {
	for i := range out {
		for lane := range out[i] {
			out[i][lane] = a[i][lane] + twoP4[i] - b[i][lane]
		}
	}
}

// select4 sets out to b in the lanes whose bits are set in swap, bit k for lane k,
// and to a in the others.
func select4(out, a, b *fe4, swap uint64) {
	for i := range out {
		for lane := range out[i] {
			out[i][lane] = a[i][lane] ^ -(swap>>lane&1)&(a[i][lane]^b[i][lane])
		}
	}
}

// ladderStep4Generic is one iteration of the loop of RFC 7748 Section 5. The
// points 2 and 3 are swapped before it in the lanes whose bits are set in swap, bit
// k for lane k.
//
// The swap costs two selections and not four. Point 3 becomes the sum of both,
// and in its formula a swap exchanges DA and CB, of which only the sum and the
// square of the difference count. So only what is doubled must be selected.
func ladderStep4Generic(l *ladder4, swap uint64) {
	var a, b, c, d, p, q, e, t fe4
	add4(&a, &l[x2], &l[z2])
	sub4(&b, &l[x2], &l[z2])
	add4(&c, &l[x3], &l[z3])
	sub4(&d, &l[x3], &l[z3])
	select4(&p, &a, &c, swap)
	select4(&q, &b, &d, swap)

	square4Generic(&p, &p, 1)   // AA
	square4Generic(&q, &q, 1)   // BB
	mul4Generic(&a, &d, &a)     // DA
	mul4Generic(&b, &c, &b)     // CB
	sub4(&e, &p, &q)            // E
	mul4Generic(&l[x2], &p, &q) // AA * BB

	add4(&t, &a, &b)
	square4Generic(&l[x3], &t, 1) // (DA + CB)^2
	for i := range p {
		for lane := range p[i] {
			p[i][lane] += muludq(e[i][lane], a24) // below 2^45
		}
	}
	carry4Generic(&p)           // AA + a24 * E
	mul4Generic(&l[z2], &p, &e) // E * (AA + a24 * E)
	sub4(&t, &a, &b)
	square4Generic(&t, &t, 1)       // (DA - CB)^2
	mul4Generic(&l[z3], &t, &l[x1]) // x_1 * (DA - CB)^2
}
