package x25519

// operations are what inversions need of field elements in lanes: each function does the same
// in every lane.
type operations[F any] struct {
	mul    func(out, a, b *F)
	square func(out, a *F, n uint64) // out = a^(2^n)
}

// invert sets out = z^(p-2), which is 1/z, or 0 for 0. The names say for which
// k they hold z^(2^k - 1); p - 2 = 2^255 - 21 = (2^250 - 1) * 2^5 + 11.
// It uses up t.
func (f operations[F]) invert(out, z *F, t *[8]F) {
	z9, z11, k5, k10, k20, k50, k100, next := &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]
	f.square(next, z, 1)  // z^2
	f.square(z9, next, 2) // z^8
	f.mul(z9, z9, z)      // z^9
	f.mul(z11, z9, next)  // z^11
	f.square(k5, z11, 1)  // z^22
	f.mul(k5, k5, z9)     // z^31
	f.square(k10, k5, 5)
	f.mul(k10, k10, k5)
	f.square(k20, k10, 10)
	f.mul(k20, k20, k10)
	f.square(next, k20, 20)
	f.mul(next, next, k20) // k = 40
	f.square(k50, next, 10)
	f.mul(k50, k50, k10)
	f.square(k100, k50, 50)
	f.mul(k100, k100, k50)
	f.square(next, k100, 100)
	f.mul(next, next, k100) // k = 200
	f.square(next, next, 50)
	f.mul(next, next, k50) // k = 250
	f.square(next, next, 5)
	f.mul(out, next, z11)
}

// invertAll replaces each element of z, of which there is at least one, by its inverse. None may be 0 in any lane.
// It takes one inversion and three multiplications for each further element: the inverse of the
// product of them all, times the product of the first n - 1, is that of the last; and so on
// downwards. It uses up products, which is as long as z, and t.
func (f operations[F]) invertAll(z, products []F, t *[8]F) {
	products[0] = z[0]
	for i := 1; i < len(z); i++ {
		f.mul(&products[i], &products[i-1], &z[i])
	}
	last := len(z) - 1
	inverse := &products[last] // of the product of z[0] to z[i], for each i in turn
	f.invert(inverse, inverse, t)
	for i := last; i > 0; i-- {
		f.mul(&products[i-1], &products[i-1], inverse) // the inverse of z[i]
		f.mul(inverse, inverse, &z[i])
		z[i] = products[i-1]
	}
	z[0] = *inverse
}
