package conformance

import (
	"fmt"

	"github.com/twofold-dap/twofold/field"
	"github.com/twofold-dap/twofold/xof"
)

// xofFile is a test vector of XofTurboShake128. The official file has no
// expanded_vec_field64.
type xofFile struct {
	Generator           string   `json:"generator"`
	Seed                hexBytes `json:"seed"`
	DST                 hexBytes `json:"dst"`
	Binder              hexBytes `json:"binder"`
	Length              int      `json:"length"`
	DerivedSeed         hexBytes `json:"derived_seed"`
	ExpandedVecField64  hexBytes `json:"expanded_vec_field64"`
	ExpandedVecField128 hexBytes `json:"expanded_vec_field128"`
}

// replayXOF replays a test vector of XofTurboShake128. It counts as an operation
// the derived seed and each vector, compared as one stream and in each of four
// streams side by side.
func replayXOF(data []byte) (operations int, err error) {
	file := new(xofFile)
	if err := decodeStrictly(data, file); err != nil {
		return 0, err
	}
	if len(file.DerivedSeed) == 0 || file.Length <= 0 || len(file.ExpandedVecField128) == 0 {
		return 0, fmt.Errorf("derived_seed, length or expanded_vec_field128 is missing")
	}
	if err := replayDerivedSeed(file); err != nil {
		return 0, err
	}
	if err := replayExpandedVec(file, field.Field128, file.ExpandedVecField128); err != nil {
		return 1, err
	}
	if len(file.ExpandedVecField64) == 0 {
		return 2, nil
	}
	return 3, replayExpandedVec(file, field.Field64, file.ExpandedVecField64)
}

func replayDerivedSeed(file *xofFile) error {
	derived, err := xof.DeriveSeed(file.Seed, file.DST, file.Binder)
	if err != nil {
		return err
	}
	if err := same("derived seed", derived[:], file.DerivedSeed); err != nil {
		return err
	}
	return inEachLane(file, func(streams *xof.Stream4, lane int) error {
		var out [4][]byte
		for i := range out {
			out[i] = make([]byte, len(file.DerivedSeed))
		}
		streams.Read4(out)
		return same("derived seed", out[lane], file.DerivedSeed)
	})
}

func replayExpandedVec[E field.Elem](file *xofFile, f field.Field[E], want []byte) error {
	if len(want) != file.Length*f.EncodedSize() {
		return fmt.Errorf("the vector over %s has %d bytes, not %d elements", f.Name(), len(want), file.Length)
	}
	what := "vector over " + f.Name()
	vector := make([]E, file.Length)
	if err := xof.ExpandIntoVec(f, vector, file.Seed, file.DST, file.Binder); err != nil {
		return err
	}
	if err := same(what, f.EncodeVec(nil, vector), want); err != nil {
		return err
	}
	return inEachLane(file, func(streams *xof.Stream4, lane int) error {
		var out [4][]E
		for i := range out {
			out[i] = make([]E, file.Length)
		}
		xof.NextVec4(streams, f, out)
		return same(what, f.EncodeVec(nil, out[lane]), want)
	})
}

// inEachLane calls check four times, with the file's seed and binder in each of the
// streams in turn and others in the other streams.
func inEachLane(file *xofFile, check func(streams *xof.Stream4, lane int) error) error {
	for lane := range 4 {
		var seeds, binders [4][]byte
		for i := range seeds {
			seeds[i], binders[i] = different(file.Seed, i), different(file.Binder, i)
		}
		seeds[lane], binders[lane] = file.Seed, file.Binder
		streams, err := xof.New4(seeds, file.DST)
		if err != nil {
			return err
		}
		streams.Write4(binders)
		if err := check(streams, lane); err != nil {
			return fmt.Errorf("stream %d of four: %w", lane, err)
		}
	}
	return nil
}

// different returns another byte string of the same length.
func different(b []byte, by int) []byte {
	other := make([]byte, len(b))
	for i := range b {
		other[i] = b[i] ^ byte(0x5a+by)
	}
	return other
}
