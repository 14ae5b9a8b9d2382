package field

import "math/bits"

func (field64) AddVec(dst, a, b []Elem64) {
	mustMatch("AddVec", len(a), len(dst))
	mustMatch("AddVec", len(b), len(dst))
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = add64(a[i], b[i])
	}
}

func (field64) SubVec(dst, a, b []Elem64) {
	mustMatch("SubVec", len(a), len(dst))
	mustMatch("SubVec", len(b), len(dst))
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = sub64(a[i], b[i])
	}
}

func (field64) MulVec(dst, a, b []Elem64) {
	mustMatch("MulVec", len(a), len(dst))
	mustMatch("MulVec", len(b), len(dst))
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = mul64(a[i], b[i])
	}
}

func (field64) ScaleVec(dst []Elem64, s Elem64, a []Elem64) {
	mustMatch("ScaleVec", len(a), len(dst))
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = mul64(s, a[i])
	}
}

func (field64) AddConstVec(dst, a []Elem64, c Elem64) {
	mustMatch("AddConstVec", len(a), len(dst))
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = add64(a[i], c)
	}
}

func (field64) AxpyVec(dst []Elem64, s Elem64, a []Elem64) {
	mustMatch("AxpyVec", len(a), len(dst))
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = add64(dst[i], mul64(s, a[i]))
	}
}

func (field64) Sum(a []Elem64) Elem64 {
	var lo, hi uint64
	for _, x := range a {
		var c uint64
		lo, c = bits.Add64(lo, uint64(x), 0)
		hi += c
	}
	return reduceWide64(hi, lo)
}

func (field64) InnerProduct(a, b []Elem64) Elem64 {
	mustMatch("InnerProduct", len(b), len(a))
	b = b[:len(a)]
	var lo, hi, top uint64
	var c uint64
	for i := range a {
		h, l := bits.Mul64(uint64(a[i]), uint64(b[i]))
		lo, c = bits.Add64(lo, l, 0)
		hi, c = bits.Add64(hi, h, c)
		top, _ = bits.Add64(top, 0, c)
	}
	return reduceAcc64(top, hi, lo)
}

func (field64) Powers(dst []Elem64, x Elem64) {
	powers64(dst, x)
}

// powers64 sets dst[i] = x^(i+1), as four independent chains of products.
func powers64(dst []Elem64, x Elem64) {
	p := x
	for i := range min(4, len(dst)) {
		dst[i] = p
		p = mul64(p, x)
	}
	if len(dst) <= 4 {
		return
	}
	step := dst[3]
	for i := 4; i < len(dst); i++ {
		dst[i] = mul64(dst[i-4], step)
	}
}

func (field64) CombineRows(dst, coeffs, rows []Elem64) {
	mustMatch("CombineRows", len(rows), len(coeffs)*len(dst))
	var acc [combineColumns][3]uint64
	for start := 0; start < len(dst); start += combineColumns {
		block := dst[start:min(start+combineColumns, len(dst))]
		clear(acc[:len(block)])
		for k := 0; k < len(coeffs); k += combineRowsAtOnce {
			group := coeffs[k:min(k+combineRowsAtOnce, len(coeffs))]
			accumulateRows64(acc[:len(block)], group, rows[k*len(dst)+start:], len(dst))
		}
		for j := range block {
			block[j] = reduceAcc64(acc[j][2], acc[j][1], acc[j][0])
		}
	}
}

// accumulateRows64 adds to each acc[j] the sum over k of
// coeffs[k]*rows[k*stride+j], unreduced.
func accumulateRows64(acc [][3]uint64, coeffs, rows []Elem64, stride int) {
	for j := range acc {
		lo, hi, top := acc[j][0], acc[j][1], acc[j][2]
		var c uint64
		at := j
		for _, s := range coeffs {
			h, l := bits.Mul64(uint64(s), uint64(rows[at]))
			lo, c = bits.Add64(lo, l, 0)
			hi, c = bits.Add64(hi, h, c)
			top, _ = bits.Add64(top, 0, c)
			at += stride
		}
		acc[j] = [3]uint64{lo, hi, top}
	}
}

func (field64) EvalPolyVec(dst []Elem64, p []Elem64, a []Elem64) {
	mustMatch("EvalPolyVec", len(a), len(dst))
	if len(p) == 0 {
		clear(dst)
		return
	}
	a = a[:len(dst)]
	degree := len(p) - 1
	if degree >= 1 && p[degree] == 1 { // the coefficients are public
		for i, x := range a {
			y := add64(x, p[degree-1])
			for k := degree - 2; k >= 0; k-- {
				y = add64(mul64(y, x), p[k])
			}
			dst[i] = y
		}
		return
	}
	for i, x := range a {
		y := p[degree]
		for k := degree - 1; k >= 0; k-- {
			y = add64(mul64(y, x), p[k])
		}
		dst[i] = y
	}
}
