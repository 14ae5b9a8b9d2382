package x25519

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

var prime = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))

// limbs are an element's limbs in one lane.
type limbs []uint64

// element is a field element in several lanes: an element's limbs for each lane.
type element []limbs

// arithmetic is the arithmetic of four or eight lanes: the model's (0) and the one
// that this machine uses (1), which is in assembly where there is one.
type arithmetic struct {
	lanes  int
	offset func(i int) int // limb i weighs 2^offset(i)
	// The largest limbs of what may be stored, and of what may be multiplied.
	tight, loose limbs
	mul          [2]func(a, b element, alias int) element
	square       [2]func(a element, n uint64, alias int) element
	step         [2]func(l [5]element, swap uint64) [5]element
	invert       func(a element) element
}

var fourLanes = arithmetic{
	lanes: 4, offset: offset4,
	tight: alternating4(1<<26+1<<16-1, 1<<25+1<<16-1),
	loose: alternating4(1<<26+1<<16-1+1<<27, 1<<25+1<<16-1+1<<26),
	mul:   [2]func(a, b element, alias int) element{multiplying(to4, from4, mul4Generic), multiplying(to4, from4, mul4)},
	square: [2]func(a element, n uint64, alias int) element{
		squaring(to4, from4, square4Generic), squaring(to4, from4, square4),
	},
	step: [2]func(l [5]element, swap uint64) [5]element{
		stepping(to4, from4, ladderStep4Generic), stepping(to4, from4, ladderStep4),
	},
	invert: func(a element) element { z := to4(a); field4.invert(&z, &z, new([8]fe4)); return from4(&z) },
}

var eightLanes = arithmetic{
	lanes: 8, offset: func(i int) int { return 51 * i },
	tight: slices.Repeat(limbs{1<<51 + 1<<15 - 1}, 5),
	loose: slices.Repeat(limbs{1<<52 - 1}, 5),
	mul:   [2]func(a, b element, alias int) element{multiplying(to8, from8, mul8Generic), multiplying(to8, from8, mul8)},
	square: [2]func(a element, n uint64, alias int) element{
		squaring(to8, from8, square8Generic), squaring(to8, from8, square8),
	},
	step: [2]func(l [5]element, swap uint64) [5]element{
		stepping(to8, from8, ladderStep8Generic), stepping(to8, from8, ladderStep8),
	},
	invert: func(a element) element { z := to8(a); field8.invert(&z, &z, new([8]fe8)); return from8(&z) },
}

func alternating4(even, odd uint64) limbs { return slices.Repeat(limbs{even, odd}, 5) }

func to4(e element) (f fe4) {
	for lane := range e {
		for i := range f {
			f[i][lane] = e[lane][i]
		}
	}
	return f
}

func from4(f *fe4) element {
	e := make(element, len(f[0]))
	for lane := range e {
		for i := range f {
			e[lane] = append(e[lane], f[i][lane])
		}
	}
	return e
}

func to8(e element) (f fe8) {
	for lane := range e {
		for i := range f {
			f[i][lane] = e[lane][i]
		}
	}
	return f
}

func from8(f *fe8) element {
	e := make(element, len(f[0]))
	for lane := range e {
		for i := range f {
			e[lane] = append(e[lane], f[i][lane])
		}
	}
	return e
}

// multiplying gives the operation with its output elsewhere (alias 0), in a (1) and in b (2).
func multiplying[F any](to func(element) F, from func(*F) element, f func(out, a, b *F)) func(a, b element, alias int) element {
	return func(a, b element, alias int) element {
		x, y := to(a), to(b)
		out := [3]*F{new(F), &x, &y}[alias]
		f(out, &x, &y)
		return from(out)
	}
}

func squaring[F any](to func(element) F, from func(*F) element, f func(out, a *F, n uint64)) func(a element, n uint64, alias int) element {
	return func(a element, n uint64, alias int) element {
		x := to(a)
		out := [2]*F{new(F), &x}[alias]
		f(out, &x, n)
		return from(out)
	}
}

func stepping[F any](to func(element) F, from func(*F) element, f func(l *[5]F, swap uint64)) func(l [5]element, swap uint64) [5]element {
	return func(l [5]element, swap uint64) (after [5]element) {
		var state [5]F
		for i := range l {
			state[i] = to(l[i])
		}
		f(&state, swap)
		for i := range state {
			after[i] = from(&state[i])
		}
		return after
	}
}

// value is the integer that limbs stand for, mod p.
func (a *arithmetic) value(l limbs) *big.Int {
	sum := new(big.Int)
	for i, v := range l {
		sum.Add(sum, new(big.Int).Lsh(new(big.Int).SetUint64(v), uint(a.offset(i))))
	}
	return sum.Mod(sum, prime)
}

// limbsOf cuts an integer below 2^256 into limbs; the last takes what is left.
func (a *arithmetic) limbsOf(v *big.Int) limbs {
	l := make(limbs, len(a.tight))
	for i := range l {
		l[i] = new(big.Int).Rsh(v, uint(a.offset(i))).Uint64()
		if i+1 < len(l) {
			l[i] &= 1<<(a.offset(i+1)-a.offset(i)) - 1
		}
	}
	return l
}

// awkward returns limbs up to the bounds: the edges of the field, each limb
// alone at its bound, all of them, and random ones.
func (a *arithmetic) awkward(bound limbs, random *rand.Rand) []limbs {
	list := []limbs{make(limbs, len(bound)), bound}
	for _, d := range []int64{-2, -1, 0, 1, 2, 18} { // p-2 to 2^255-1
		list = append(list, a.limbsOf(new(big.Int).Add(prime, big.NewInt(d))))
	}
	for _, v := range []int64{1, 2, 19, 1 << 26, 1 << 52} {
		list = append(list, a.limbsOf(big.NewInt(v)))
	}
	for i := range bound {
		alone, others := make(limbs, len(bound)), slices.Clone(bound)
		alone[i], others[i] = bound[i], 0
		list = append(list, alone, others)
	}
	for range 20 {
		l := make(limbs, len(bound))
		for i := range l {
			l[i] = random.Uint64N(bound[i] + 1)
		}
		list = append(list, l)
	}
	return list
}

func forEach(t *testing.T, f func(t *testing.T, a *arithmetic, random *rand.Rand)) {
	for _, a := range []*arithmetic{&fourLanes, &eightLanes} {
		t.Run(fmt.Sprintf("%d lanes", a.lanes), func(t *testing.T) { f(t, a, rand.New(rand.NewPCG(25519, uint64(a.lanes)))) })
	}
}

// checkLanes compares each lane's value, and that its limbs are tight.
func (a *arithmetic) checkLanes(t *testing.T, what string, got element, want func(lane int) *big.Int) {
	t.Helper()
	for lane, l := range got {
		if v, want := a.value(l), want(lane); v.Cmp(want) != 0 {
			t.Fatalf("%s, lane %d: %x; want %x", what, lane, v, want)
		}
		for i := range l {
			if l[i] > a.tight[i] {
				t.Fatalf("%s, lane %d: limb %d is %#x; at most %#x", what, lane, i, l[i], a.tight[i])
			}
		}
	}
}

func same(a, b element) bool {
	return slices.EqualFunc(a, b, func(x, y limbs) bool { return slices.Equal(x, y) })
}

// inLanes cuts a list into elements; the last is filled up with the list's first.
func (a *arithmetic) inLanes(list []limbs) (elements []element) {
	for len(list)%a.lanes != 0 {
		list = append(list, list[len(list)%a.lanes])
	}
	for chunk := range slices.Chunk(list, a.lanes) {
		elements = append(elements, chunk)
	}
	return elements
}

// Every pair of awkward values; every place of the output. The sums of a product's
// columns grow with every limb, so that limbs at their bounds show that nothing
// overflows below the bounds.
func TestMul(t *testing.T) {
	forEach(t, func(t *testing.T, a *arithmetic, random *rand.Rand) {
		list := a.awkward(a.loose, random)
		var left, right []limbs
		for _, x := range list {
			for _, y := range list {
				left, right = append(left, x), append(right, y)
			}
		}
		lefts, rights := a.inLanes(left), a.inLanes(right)
		for n, x := range lefts {
			y := rights[n]
			want := a.mul[0](x, y, 0)
			a.checkLanes(t, "product", want, func(lane int) *big.Int {
				product := new(big.Int).Mul(a.value(x[lane]), a.value(y[lane]))
				return product.Mod(product, prime)
			})
			for alias := range 3 {
				for k, mul := range a.mul {
					if got := mul(x, y, alias); !same(got, want) {
						t.Fatalf("%x * %x, arithmetic %d, alias %d: %x; want %x", x, y, k, alias, got, want)
					}
				}
			}
		}
	})
}

func TestSquare(t *testing.T) {
	forEach(t, func(t *testing.T, a *arithmetic, random *rand.Rand) {
		for _, x := range a.inLanes(a.awkward(a.loose, random)) {
			for _, n := range []uint64{1, 2, 3, 50} {
				want := a.square[0](x, n, 0)
				a.checkLanes(t, fmt.Sprintf("%d squarings", n), want, func(lane int) *big.Int {
					return new(big.Int).Exp(a.value(x[lane]), new(big.Int).Lsh(big.NewInt(1), uint(n)), prime)
				})
				for alias := range 2 {
					for k, square := range a.square {
						if got := square(x, n, alias); !same(got, want) {
							t.Fatalf("%x, %d times, arithmetic %d, alias %d: %x; want %x", x, n, k, alias, got, want)
						}
					}
				}
			}
		}
	})
}

func TestInvert(t *testing.T) {
	forEach(t, func(t *testing.T, a *arithmetic, random *rand.Rand) {
		for _, x := range a.inLanes(a.awkward(a.loose, random)) {
			a.checkLanes(t, "inverse", a.invert(x), func(lane int) *big.Int {
				inverse := new(big.Int).ModInverse(a.value(x[lane]), prime)
				if inverse == nil {
					return new(big.Int)
				}
				return inverse
			})
		}
	})
}

// stepOf is the loop's body of RFC 7748 Section 5, of one lane.
func stepOf(l [5]*big.Int, swap bool) [5]*big.Int {
	mod := func(z *big.Int) *big.Int { return z.Mod(z, prime) }
	add := func(a, b *big.Int) *big.Int { return mod(new(big.Int).Add(a, b)) }
	sub := func(a, b *big.Int) *big.Int { return mod(new(big.Int).Sub(a, b)) }
	mul := func(a, b *big.Int) *big.Int { return mod(new(big.Int).Mul(a, b)) }
	x_1, x_2, z_2, x_3, z_3 := l[x1], l[x2], l[z2], l[x3], l[z3]
	if swap {
		x_2, z_2, x_3, z_3 = x_3, z_3, x_2, z_2
	}
	a, b, c, d := add(x_2, z_2), sub(x_2, z_2), add(x_3, z_3), sub(x_3, z_3)
	aa, bb, da, cb := mul(a, a), mul(b, b), mul(d, a), mul(c, b)
	e := sub(aa, bb)
	sum, difference := add(da, cb), sub(da, cb)
	return [5]*big.Int{
		x1: x_1, x2: mul(aa, bb), z2: mul(e, add(aa, mul(big.NewInt(a24), e))),
		x3: mul(sum, sum), z3: mul(x_1, mul(difference, difference)),
	}
}

// checkStep compares the model's step with the formulas, and this machine's with the model.
func (a *arithmetic) checkStep(t *testing.T, before [5]element, swap uint64) {
	t.Helper()
	want := make([][5]*big.Int, a.lanes)
	for lane := range want {
		for i := range before {
			want[lane][i] = a.value(before[i][lane])
		}
		want[lane] = stepOf(want[lane], swap>>lane&1 == 1)
	}
	model, got := a.step[0](before, swap), a.step[1](before, swap)
	for i := range model {
		a.checkLanes(t, fmt.Sprintf("element %d", i), model[i], func(lane int) *big.Int { return want[lane][i] })
		if !same(got[i], model[i]) {
			t.Fatalf("element %d: %x; the model has %x", i, got[i], model[i])
		}
	}
}

func TestLadderStep(t *testing.T) {
	forEach(t, func(t *testing.T, a *arithmetic, random *rand.Rand) {
		list := a.awkward(a.tight, random)
		for range 300 {
			var before [5]element
			for i := range before {
				for range a.lanes {
					before[i] = append(before[i], list[random.IntN(len(list))])
				}
			}
			a.checkStep(t, before, 0)
			a.checkStep(t, before, 1<<a.lanes-1)
			a.checkStep(t, before, random.Uint64()) // bits beyond the lanes count for nothing
		}
	})
}

// A ladder's state with every limb of some elements at its bound, and of the others 0.
func TestLadderStepAtBounds(t *testing.T) {
	forEach(t, func(t *testing.T, a *arithmetic, _ *rand.Rand) {
		full, none := slices.Repeat(element{a.tight}, a.lanes), slices.Repeat(element{make(limbs, len(a.tight))}, a.lanes)
		for choice := range 1 << 5 {
			var before [5]element
			for i := range before {
				before[i] = none
				if choice>>i&1 == 1 {
					before[i] = full
				}
			}
			a.checkStep(t, before, 0)
			a.checkStep(t, before, ^uint64(0))
		}
	})
}

// Integers of 256 bits to bytes and back, around every edge.
func TestCoordinates(t *testing.T) {
	var list []*big.Int
	for _, edge := range []*big.Int{new(big.Int), prime, new(big.Int).Lsh(big.NewInt(1), 255), new(big.Int).Lsh(prime, 1)} {
		for d := int64(-40); d <= 40; d++ {
			if v := new(big.Int).Add(edge, big.NewInt(d)); v.Sign() >= 0 && v.BitLen() <= 256 {
				list = append(list, v)
			}
		}
	}
	// What limbs can give at most.
	for _, a := range []*arithmetic{&fourLanes, &eightLanes} {
		v := new(big.Int)
		for i, limb := range a.tight {
			v.Add(v, new(big.Int).Lsh(new(big.Int).SetUint64(limb), uint(a.offset(i))))
		}
		if v.BitLen() > 256 {
			t.Fatalf("tight limbs of %d lanes have %d bits together", a.lanes, v.BitLen())
		}
		list = append(list, v)
	}
	for _, v := range list {
		var w words
		for i := range w {
			w[i] = new(big.Int).Rsh(v, uint(64*i)).Uint64()
		}
		if lower := new(big.Int).Sub(v, new(big.Int).Lsh(big.NewInt(1), 255)); lower.BitLen() > 250 && lower.Sign() > 0 {
			continue // twice p is not in the range of encodeUCoordinate
		}
		var u [Size]byte
		w.encodeUCoordinate(&u)
		want := new(big.Int).Mod(v, prime)
		got := slices.Clone(u[:])
		slices.Reverse(got)
		if new(big.Int).SetBytes(got).Cmp(want) != 0 {
			t.Errorf("%x: %x; want %x", v, got, want)
		}
		// A canonical coordinate decodes to itself, and its limbs are its own.
		back := decodeUCoordinate(&u)
		var sum4, sum8 words
		for i := range fe4Limbs {
			sum4 = sum4.plus(shifted(back.limb(offset4(i), size4(i)), offset4(i)))
		}
		for i := range fe8Limbs {
			sum8 = sum8.plus(shifted(back.limb(51*i, 51), 51*i))
		}
		if sum4 != back || sum8 != back {
			t.Errorf("%x: %x of ten limbs, %x of five; want %x", v, sum4, sum8, back)
		}
	}
}

func TestIsZero(t *testing.T) {
	p := words{1<<64 - 19, 1<<64 - 1, 1<<64 - 1, 1<<63 - 1}
	for _, c := range []struct {
		w    words
		zero uint64
	}{
		{words{}, 1}, {p, 1}, {words{1}, 0}, {words{0, 0, 0, 1}, 0}, {words{1<<64 - 20, p[1], p[2], p[3]}, 0}, {p.plus(words{1}), 0},
		{p.plus(words{18}), 0}, {p.plus(p), 1}, {p.plus(p).plus(words{1}), 0},
	} {
		if got := c.w.isZero(); got != c.zero {
			t.Errorf("%x: got %d", c.w, got)
		}
	}
}
