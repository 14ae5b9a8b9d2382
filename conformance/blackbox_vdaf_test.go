package conformance

import (
	"bytes"
	"crypto/rand"
	"testing"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/taskvdaf"
	"github.com/twofold-dap/twofold/internal/testvdaf"
	"github.com/twofold-dap/twofold/vdaf"
	"github.com/twofold-dap/twofold/vdaf/pingpong"
)

// wireVDAF is the VDAF of a task: what Client and Collector do with it, and the
// exchange for tests that take the place of an aggregator. Its results are
// those of the VDAF itself, which has tests of its own.
type wireVDAF struct {
	kind     uint32 // VdafType
	config   []byte // encoded
	keySize  int
	topology *pingpong.Topology
	shard    func(ctx []byte, measurement uint64, nonce []byte) (publicShare []byte, inputShares [][]byte, err error)
	unshard  func(aggParam []byte, aggShares [][]byte, count uint64) ([]uint64, error)
}

// sumVDAF is Prio3Sum of measurements up to max.
func sumVDAF(t testing.TB, max uint64) wireVDAF {
	t.Helper()
	v, err := vdaf.NewPrio3Sum(2, max)
	must(t, err)
	w := newWireVDAF[uint64](t, 2, wire{}.u64(max), v)
	w.shard = func(ctx []byte, measurement uint64, nonce []byte) ([]byte, [][]byte, error) {
		return v.Shard(ctx, measurement, nonce, randomBytes(v.RandSize()))
	}
	return w
}

// histogramVDAF is Prio3Histogram; a measurement is the index of a bucket.
func histogramVDAF(t testing.TB, length, chunk uint32) wireVDAF {
	t.Helper()
	v, err := vdaf.NewPrio3Histogram(2, int(length), int(chunk))
	must(t, err)
	w := newWireVDAF[[]uint64](t, 4, wire{}.u32(length).u32(chunk), v)
	w.shard = func(ctx []byte, measurement uint64, nonce []byte) ([]byte, [][]byte, error) {
		return v.Shard(ctx, int(measurement), nonce, randomBytes(v.RandSize()))
	}
	return w
}

// roundsVDAF is the VDAF for tests, with that many rounds, and with an
// aggregation parameter if weighted. Its configuration is what wireTopology decodes.
func roundsVDAF(t testing.TB, rounds int, weighted bool) wireVDAF {
	t.Helper()
	config := wire{}.u8(byte(rounds)).u8(0)
	if weighted {
		config[1] = 1
	}
	v, err := testvdaf.New(testvdaf.Config{Rounds: rounds, AggParam: weighted})
	must(t, err)
	w := newWireVDAF[uint64](t, testvdaf.ID, config, v)
	w.shard = func(ctx []byte, measurement uint64, nonce []byte) ([]byte, [][]byte, error) {
		return v.Shard(ctx, measurement, nonce, randomBytes(v.RandSize()))
	}
	return w
}

// newWireVDAF fills in what does not depend on the type of a measurement.
func newWireVDAF[R uint64 | []uint64](t testing.TB, kind uint32, config []byte, v interface {
	vdaf.Verifier
	Unshard(aggParam []byte, aggShares [][]byte, numMeasurements uint64) (R, error)
}) wireVDAF {
	t.Helper()
	topology, err := pingpong.New(v)
	must(t, err)
	return wireVDAF{
		kind: kind, config: config, keySize: v.VerifyKeySize(), topology: topology,
		unshard: func(aggParam []byte, aggShares [][]byte, count uint64) ([]uint64, error) {
			result, err := v.Unshard(aggParam, aggShares, count)
			if list, ok := any(result).([]uint64); ok {
				return list, err
			}
			return []uint64{any(result).(uint64)}, err
		},
	}
}

// wireTopology makes the VDAF instances of the servers under test: those of DAP, and the one for
// tests.
func wireTopology(config dap.TaskConfiguration) (*pingpong.Topology, error) {
	if config.VdafType != dap.VdafType(testvdaf.ID) {
		return taskvdaf.Topology(config)
	}
	if len(config.VdafConfiguration) != 2 {
		return nil, &vdaf.ParamError{VDAF: "testvdaf", Parameter: "configuration", Want: "2 bytes"}
	}
	v, err := testvdaf.New(testvdaf.Config{Rounds: int(config.VdafConfiguration[0]), AggParam: config.VdafConfiguration[1] == 1})
	if err != nil {
		return nil, err
	}
	return pingpong.New(v)
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// must fails the test on an error that is none of its subject.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// flipped returns a copy of b with a bit of its byte at i changed; i counts from
// the end if it is negative.
func flipped(b []byte, i int) []byte {
	b = bytes.Clone(b)
	if i < 0 {
		i += len(b)
	}
	b[i] ^= 1
	return b
}
