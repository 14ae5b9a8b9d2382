package xof

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/twofold-dap/twofold/field"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The official vector of XofTurboShake128, from the test vectors of the VDAF
// standard's repository (draft-irtf-cfrg-vdaf, test_vec/vdaf/XofTurboShake128.json).
const (
	vectorSeed   = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	vectorDST    = "646f6d61696e2073657061726174696f6e20746167"
	vectorBinder = "62696e64657220737472696e67"
	vectorLength = 40
	vectorSeed2  = "b62ef0a2778190792d4d42d8c167ba20e0c37a3f319ba79645829c427d70eea5"
	vectorVec    = "" +
		"b62ef0a2778190792d4d42d8c167ba20e0c37a3f319ba79645829c427d70eea56d92fef65a07b17a0438e25452cdc7f1" +
		"5f63caf0e8a2a3c72ac69524729e64e03c7ec3a3afa7eb21cb6da6abf0a3b73630a91a5fa05dcbd33da3476f1c8bf4fd" +
		"66fe5a80dd04bc95f0f02cb8fc9035b9e16e3a5c373bf81c820af513e0c832ca672c66dcc3b302fb8b27a48f09e0a843" +
		"f5caf87b3c6c1c4b6765b5923e1d152c2e695601abbc69dbe810860fb30e871a2549861110672335ce50ee632264cbb2" +
		"1f62595298d1d1ad9303b84664801e52112989dfce93f0f9dc833ee0f4a0672ffe47cb0a13f80f9e9b7a2e267db7f789" +
		"0ccd064bf2458cd4e27162d13e60dbc1b6cae71635a3e603f2c15d1c64a12d4e8235f7bf0a8efe6bb15f3e2adae06f7d" +
		"d1c4d63ac6cecae731250f73c063c6e59aef630a7b6f4bc64bddadc8b8a479bfdb64ea31e6ab44540a52a8d3399d64a0" +
		"60d50190d66cac1335d739e5f8d508201058a2e0cc1ed90e23cfdc7a253f24710ef3b1604688606386dcc4c90e8476be" +
		"9daac3271ac51301868df71a719a5f32184145d70fec31b4693d527f53875a2ea013523d3daa33bc49c22f66c9ae70dd" +
		"7f06f227f50515ea9ab1fbe0162cf761e596d8999809cf672cd2d82b22231f841c36e494d7e44f7c6f07e29758b1b73c" +
		"e95b202325116f04067a54aa767eab2e00ce55b3abcd5c3d5b05040a6bf5d4ba8a61267004bb82b12d43b08fed8f9ace" +
		"d3e833a58fc01004526631b0f4192d8754a397e1096511ee23761a29fcd6511ad2e5020683ca877e4075fe6bc5907f7d" +
		"f1ed4b6c97e0f897d781e850da0cf584842c124cdb6011fe8660e3b8c354cd659985332ea158ffcba83253d39803fa7e" +
		"fb9fcd02cea38089f239f68404814973"
)

func TestOfficialVector(t *testing.T) {
	seed, dst, binder := unhex(t, vectorSeed), unhex(t, vectorDST), unhex(t, vectorBinder)
	derived, err := DeriveSeed(seed, dst, binder)
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(derived[:]); got != vectorSeed2 {
		t.Errorf("derived seed %s, want %s", got, vectorSeed2)
	}
	vec := make([]field.Elem128, vectorLength)
	// The binder may come in pieces.
	if err := ExpandIntoVec(field.Field128, vec, seed, dst, binder[:5], nil, binder[5:]); err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(field.Field128.EncodeVec(nil, vec)); got != vectorVec {
		t.Errorf("vector %s, want %s", got, vectorVec)
	}
}

func TestFormatDST(t *testing.T) {
	got := FormatDST(0x01, 0x02030405, 0x0607)
	if want := "1201020304050607"; hex.EncodeToString(got[:]) != want {
		t.Errorf("got %x, want %s", got, want)
	}
}

func TestSizes(t *testing.T) {
	seed, dst := make([]byte, MaxSeedSize+1), make([]byte, MaxDSTSize+1)
	if _, err := New(seed[:MaxSeedSize], dst[:MaxDSTSize]); err != nil {
		t.Error(err)
	}
	if _, err := New(nil, nil); err != nil {
		t.Error(err)
	}
	ok := [4][]byte{seed[:32], seed[:32], seed[:32], seed[:32]}
	odd, long := ok, ok
	odd[2] = seed[:31]
	for k := range long {
		long[k] = seed
	}
	check := func(what string, err error) {
		t.Helper()
		var size *SizeError
		if !errors.As(err, &size) {
			t.Fatalf("%s: error %v", what, err)
		}
		if !strings.Contains(err.Error(), what) {
			t.Errorf("%q does not name the %s", err, what)
		}
	}
	_, err := New(seed, nil)
	check("seed", err)
	_, err = New(nil, dst)
	check("domain separation tag", err)
	_, err = New4(ok, dst)
	check("domain separation tag", err)
	_, err = New4(odd, nil)
	check("seed", err)
	_, err = New4(long, nil)
	check("seed", err)
	_, err = DeriveSeed(seed, nil)
	check("seed", err)
	check("seed", ExpandIntoVec(field.Field64, make([]field.Elem64, 1), seed, nil))
}

func TestSecretsAreNotPrinted(t *testing.T) {
	seed := Seed(unhex(t, vectorSeed))
	stream, err := New(seed[:], nil)
	if err != nil {
		t.Fatal(err)
	}
	stream4, err := New4([4][]byte{seed[:], seed[:], seed[:], seed[:]}, nil)
	if err != nil {
		t.Fatal(err)
	}
	stream.Read(make([]byte, 1))
	stream4.Read4([4][]byte{make([]byte, 1), nil, nil, nil})
	var out strings.Builder
	for _, v := range []any{seed, &seed, stream, stream4, []Seed{seed}, struct{ S Seed }{seed}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%d", "%q"} {
			text := fmt.Sprintf(verb, v)
			if !strings.Contains(text, redacted) {
				t.Errorf("%s of %T does not say %s: %s", verb, v, redacted, text)
			}
			fmt.Fprintln(&out, text)
		}
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "seed", seed)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "seed", seed)
	if err := json.NewEncoder(&out).Encode(map[string]any{"seed": seed}); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(&out, seed.String(), seed.GoString())
	for _, secret := range []string{"010203", "1 2 3", "0x1, 0x2", "1,2,3"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("printed %q", secret)
		}
	}
}

func TestReadingsAreConsecutive(t *testing.T) {
	seed, dst := unhex(t, vectorSeed), unhex(t, vectorDST)
	read := func(sizes ...int) []byte {
		s, err := New(seed, dst)
		if err != nil {
			t.Fatal(err)
		}
		var out []byte
		for _, n := range sizes {
			b := make([]byte, n)
			s.Read(b)
			out = append(out, b...)
		}
		return out
	}
	whole := read(3000)
	for _, sizes := range [][]int{{1, 2999}, {167, 1, 168, 2664}, {168, 169, 2663}, {335, 2665}, {0, 3000}, {2999, 1, 0}, slices.Repeat([]int{3}, 1000)} {
		if got := read(sizes...); !bytes.Equal(got, whole) {
			t.Errorf("sizes %v: another output", sizes)
		}
	}

	// Bytes and elements come from the same output.
	s, err := New(seed, dst)
	if err != nil {
		t.Fatal(err)
	}
	var got []byte
	for i := range 12 {
		b := make([]byte, i)
		s.Read(b)
		v := make([]field.Elem128, 5*i)
		NextVec(s, field.Field128, v)
		w := make([]field.Elem64, 1)
		NextVec(s, field.Field64, w)
		got = append(got, b...)
		got = field.Field128.EncodeVec(got, v)
		got = field.Field64.EncodeVec(got, w)
	}
	if want := read(len(got)); !bytes.Equal(got, want) {
		t.Error("mixed readings give another output")
	}
}

func TestWriteAfterReadingPanics(t *testing.T) {
	mustPanic := func(do func()) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Error("did not panic")
			}
		}()
		do()
	}
	s, err := New(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Read(nil)
	mustPanic(func() { s.Write(nil) })
	four, err := New4([4][]byte{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	mustPanic(func() { four.Write4([4][]byte{{1}, {1}, {1}, nil}) })
	mustPanic(func() { WriteVec4(four, field.Field64, [4][]field.Elem64{{1}, {1}, {1}, nil}) })
	four.Read4([4][]byte{})
	mustPanic(func() { four.Write4([4][]byte{}) })
}
