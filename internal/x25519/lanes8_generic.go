package x25519

import "math/bits"

// The model of the eight lanes' arithmetic: what lanes_amd64.s does, one lane
// after the other.
//
// The limbs of an element that is stored are tight: below 2^51 + 2^15, which is
// less than the 52 bits that IFMA multiplies. Sums and differences are carried
// at once.

// twoP8 is 2p in the limbs of fe8. No tight limb is larger.
var twoP8 = [fe8Limbs]uint64{1<<52 - 38, 1<<52 - 2, 1<<52 - 2, 1<<52 - 2, 1<<52 - 2}

const (
	mask51 = 1<<51 - 1
	mask52 = 1<<52 - 1
)

// madd52lo and madd52hi are VPMADD52LUQ and VPMADD52HUQ: the low and the high
// 52 bits of the product of the low 52 bits, added.
func madd52lo(sum *uint64, a, b uint64) {
	_, low := bits.Mul64(a&mask52, b&mask52)
	*sum += low & mask52
}

func madd52hi(sum *uint64, a, b uint64) {
	high, low := bits.Mul64(a&mask52, b&mask52)
	*sum += high<<12 | low>>52
}

// columns8 are the ten limbs of a product. The high half of the product of limbs
// i and j weighs 2^(51*(i+j) + 52), two units of column i+j+1. So the high halves
// are added first, and doubled together before the low ones are added.
//
// A column has at most five products: high halves below 2^54.4, doubled below
// 2^55.4, and with the low halves below 15 * 2^52.
type columns8 [2 * fe8Limbs]uint64

func (c *columns8) double() {
	for k := range c {
		c[k] *= 2
	}
}

// fold adds 19 times the columns from 2^255 up to those from 2^0 up, and sets the
// lane of h to the sums, which are below 20 * 15 * 2^52 < 2^60.3.
func (c *columns8) fold(h *fe8, lane int) {
	for k := range fe8Limbs {
		h[k][lane] = c[k] + 19*c[fe8Limbs+k]
	}
}

// mul8Generic sets out = a * b. Limbs below 2^52 in, tight out; out may be a or b.
func mul8Generic(out, a, b *fe8) {
	var h fe8
	for lane := range h[0] {
		var c columns8
		for i := range fe8Limbs {
			for j := range fe8Limbs {
				madd52hi(&c[i+j+1], a[i][lane], b[j][lane])
			}
		}
		c.double()
		for i := range fe8Limbs {
			for j := range fe8Limbs {
				madd52lo(&c[i+j], a[i][lane], b[j][lane])
			}
		}
		c.fold(&h, lane)
	}
	carry8Generic(&h)
	*out = h
}

// square8Generic sets out = a^(2^n), for n > 0. Limbs below 2^52 in, tight out;
// out may be a. The columns are those of mul8Generic; each product of different
// limbs is computed once and doubled once more.
func square8Generic(out, a *fe8, n uint64) {
	*out = *a
	for range n {
		var h fe8
		for lane := range h[0] {
			var c columns8
			for i := range fe8Limbs {
				for j := i + 1; j < fe8Limbs; j++ {
					madd52hi(&c[i+j+1], out[i][lane], out[j][lane])
				}
			}
			c.double()
			for i := range fe8Limbs {
				madd52hi(&c[2*i+1], out[i][lane], out[i][lane])
			}
			for i := range fe8Limbs {
				for j := i + 1; j < fe8Limbs; j++ {
					madd52lo(&c[i+j], out[i][lane], out[j][lane])
				}
			}
			c.double()
			for i := range fe8Limbs {
				madd52lo(&c[2*i], out[i][lane], out[i][lane])
			}
			c.fold(&h, lane)
		}
		carry8Generic(&h)
		*out = h
	}
}

// carry8Generic carries limbs below 2^61 once, all at the same time. A carry is
// below 2^10, and the one to limb 0 counts 19 times: the result is tight.
func carry8Generic(h *fe8) {
	for lane := range h[0] {
		carry := 19 * (h[fe8Limbs-1][lane] >> 51)
		for i := range h {
			next := h[i][lane] >> 51
			h[i][lane] = h[i][lane]&mask51 + carry
			carry = next
		}
	}
}

// add8 sets out = a + b, and sub8 out = a - b + 2p. Tight in, tight out.
func add8(out, a, b *fe8) {
	for i := range out {
		for lane := range out[i] {
			out[i][lane] = a[i][lane] + b[i][lane]
		}
	}
	carry8Generic(out)
}

func sub8(out, a, b *fe8) {
	for i := range out {
		for lane := range out[i] {
			out[i][lane] = a[i][lane] + twoP8[i] - b[i][lane]
		}
	}
	carry8Generic(out)
}

// select8 sets out to b in the lanes whose bits are set in swap, bit k for lane k,
// and to a in the others.
func select8(out, a, b *fe8, swap uint64) {
	for i := range out {
		for lane := range out[i] {
			out[i][lane] = a[i][lane] ^ -(swap>>lane&1)&(a[i][lane]^b[i][lane])
		}
	}
}

// timesA24Plus8 sets out = a + a24 * e. Tight in, tight out: the high halves are
// below 2^17, so that before the carry all limbs are below 2^53.
func timesA24Plus8(out, a, e *fe8) {
	h := *a
	for lane := range h[0] {
		var high [fe8Limbs]uint64
		for i := range fe8Limbs {
			madd52lo(&h[i][lane], e[i][lane], a24)
			madd52hi(&high[i], e[i][lane], a24)
		}
		h[0][lane] += 19 * 2 * high[fe8Limbs-1]
		for i := 1; i < fe8Limbs; i++ {
			h[i][lane] += 2 * high[i-1]
		}
	}
	carry8Generic(&h)
	*out = h
}

// ladderStep8Generic is ladderStep4Generic, of eight lanes.
func ladderStep8Generic(l *ladder8, swap uint64) {
	var a, b, c, d, p, q, e, t fe8
	add8(&a, &l[x2], &l[z2])
	sub8(&b, &l[x2], &l[z2])
	add8(&c, &l[x3], &l[z3])
	sub8(&d, &l[x3], &l[z3])
	select8(&p, &a, &c, swap)
	select8(&q, &b, &d, swap)

	square8Generic(&p, &p, 1)   // AA
	square8Generic(&q, &q, 1)   // BB
	mul8Generic(&a, &d, &a)     // DA
	mul8Generic(&b, &c, &b)     // CB
	sub8(&e, &p, &q)            // E
	mul8Generic(&l[x2], &p, &q) // AA * BB

	add8(&t, &a, &b)
	square8Generic(&l[x3], &t, 1) // (DA + CB)^2
	timesA24Plus8(&p, &p, &e)     // AA + a24 * E
	mul8Generic(&l[z2], &p, &e)   // E * (AA + a24 * E)
	sub8(&t, &a, &b)
	square8Generic(&t, &t, 1)       // (DA - CB)^2
	mul8Generic(&l[z3], &t, &l[x1]) // x_1 * (DA - CB)^2
}
