package x25519

// fe8 is a field element in each of eight lanes: limb i of lane k is fe8[i][k].
// The limbs have 51 bits and weigh 2^(51 * i). It may hold a little more than
// that: see lanes8_generic.go.
type fe8 = [5][8]uint64

// ladder8 is the state of eight ladders, as ladder4 is of four.
type ladder8 = [5]fe8

// field8 are the operations of fe8.
var field8 = operations[fe8]{mul: mul8, square: square8}

// groups8 is how many groups of lanes at most share an inversion: those of 64 secrets.
const groups8 = 8

// work8 is what one batch needs, as many groups after one another as there is room for in results.
type work8 struct {
	ladder ladder8
	powers [8]fe8
	// The point 2 of each group's ladders in the end, and what inverting takes.
	x, z, products []fe8
}

// sharedSecrets8 computes shared secrets in groups of up to eight.
func sharedSecrets8(scalars, publics, secrets [][Size]byte) {
	groups := min(groups8, (len(publics)+7)/8)
	w := &work8{x: make([]fe8, groups), z: make([]fe8, groups), products: make([]fe8, groups)}
	for done := 0; done < len(publics); {
		end := min(done+8*groups, len(publics))
		w.some(part(scalars, done, end), publics[done:end], secrets[done:end])
		done = end
	}
}

// some computes as many shared secrets as there is room for, or fewer.
func (w *work8) some(scalars, publics, secrets [][Size]byte) {
	groups := 0
	for done := 0; done < len(publics); groups++ {
		end := min(done+8, len(publics))
		w.multiply(groups, part(scalars, done, end), publics[done:end])
		done = end
	}
	field8.invertAll(w.z[:groups], w.products[:groups], &w.powers)
	for g := range groups {
		mul8(&w.x[g], &w.x[g], &w.z[g])
		for lane := range min(8, len(secrets)) {
			integer8(&w.x[g], lane).encodeUCoordinate(&secrets[lane])
		}
		secrets = secrets[min(8, len(secrets)):]
	}
}

// multiply multiplies the points of a group of lanes, or fewer, by the scalars. The result of a lane is w.x/w.z: where the point is that at infinity, whose
// z is 0, it makes them 0 and 1.
func (w *work8) multiply(group int, scalars, publics [][Size]byte) {
	w.ladder = ladder8{}
	l := &w.ladder
	for lane := range publics {
		u := decodeUCoordinate(&publics[lane])
		for i := range fe8Limbs {
			l[x1][i][lane] = u.limb(51*i, 51)
		}
	}
	l[x3] = l[x1]
	l[x2][0] = [8]uint64{1, 1, 1, 1, 1, 1, 1, 1}
	l[z3][0] = [8]uint64{1, 1, 1, 1, 1, 1, 1, 1}
	var swap uint64
	for t := 254; t >= 0; t-- {
		b := scalarBits(scalars, t)
		ladderStep8(l, swap^b)
		swap = b
	}
	// The last bit of a clamped scalar is 0: point 2 is the result, and nothing
	// is left to be swapped.
	x, z := &w.x[group], &w.z[group]
	*x, *z = l[x2], l[z2]
	for lane := range 8 {
		infinite := integer8(z, lane).isZero()
		for i := range fe8Limbs {
			x[i][lane] &= infinite - 1
			z[i][lane] &= infinite - 1
		}
		z[0][lane] |= infinite
	}
}

// integer8 returns a lane's element, below 2^256.
func integer8(e *fe8, lane int) (u words) {
	for i := range fe8Limbs {
		u = u.plus(shifted(e[i][lane], 51*i))
	}
	return u
}

const fe8Limbs = len(fe8{})
