package aggregator

import (
	"testing"

	"github.com/twofold-dap/twofold/dap"
)

// Of a batch each report share has its own outcome, in the order of the batch and
// with the caller's index, whatever is wrong with its neighbours.
func TestOpenShareBatch(t *testing.T) {
	encoded, err := dap.TaskConfiguration{
		TaskInfo: []byte("test"), LeaderAggregatorEndpoint: "https://leader.example.com/", HelperAggregatorEndpoint: "https://helper.example.com/",
		TimePrecision: 60, MinBatchSize: 10, BatchMode: dap.BatchModeTimeInterval,
		VdafType: dap.VdafTypePrio3Histogram, VdafConfiguration: []byte{0, 0, 0, 20, 0, 0, 0, 4},
	}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	keypair, err := dap.GenerateHpkeKeypair(7, MandatorySuite.KemID, MandatorySuite.KdfID, MandatorySuite.AeadID)
	if err != nil {
		t.Fatal(err)
	}
	id := dap.TaskID{1}
	sealer, err := dap.NewInputShareSealer(keypair.Config, dap.RoleHelper, id, encoded)
	if err != nil {
		t.Fatal(err)
	}
	opener, err := dap.NewInputShareOpener([]dap.HpkeKeypair{keypair}, dap.RoleHelper, id, encoded)
	if err != nil {
		t.Fatal(err)
	}
	const horizon = 1000
	opening := &inputShareOpening{task: &preparedTask{}, opener: opener, horizon: horizon, checkTimes: true}

	unknown := []dap.Extension{{Type: 99}}
	seal := func(index int, time dap.Time, public, private []dap.Extension) dap.ReportShare {
		share := dap.ReportShare{Metadata: dap.ReportMetadata{ReportID: dap.ReportID{byte(index)}, Time: time, PublicExtensions: public}}
		var err error
		plaintext := dap.PlaintextInputShare{PrivateExtensions: private, Payload: []byte{byte(index)}}
		if share.EncryptedInputShare, err = sealer.Seal(share.Metadata, nil, plaintext); err != nil {
			t.Fatal(err)
		}
		return share
	}
	cases := []struct {
		change           func(*dap.ReportShare)
		time             dap.Time
		public, private  []dap.Extension
		want, clockBlind dap.ReportError
	}{
		{time: 1},
		{time: horizon + 1, want: dap.ReportErrorReportTooEarly},
		{time: horizon},
		{time: 2, public: unknown, want: dap.ReportErrorInvalidMessage, clockBlind: dap.ReportErrorInvalidMessage},
		{time: 2, private: unknown, want: dap.ReportErrorInvalidMessage, clockBlind: dap.ReportErrorInvalidMessage},
		{time: 3},
		{
			time: 4, change: func(r *dap.ReportShare) { r.EncryptedInputShare.Payload[0] ^= 1 },
			want: dap.ReportErrorHpkeDecryptError, clockBlind: dap.ReportErrorHpkeDecryptError,
		},
		{
			time: horizon + 5, change: func(r *dap.ReportShare) { r.EncryptedInputShare.ConfigID = 8 },
			want: dap.ReportErrorReportTooEarly, clockBlind: dap.ReportErrorHpkeDecryptError,
		},
		{time: 5},
	}
	for _, checkTimes := range []bool{true, false} {
		opening.checkTimes = checkTimes
		batch := newShareBatch(0)
		for i, c := range cases {
			share := seal(10*i, c.time, c.public, c.private)
			if c.change != nil {
				c.change(&share)
			}
			batch.add(10*i, share)
		}
		next := 0
		opening.open(batch, func(index int, payload []byte, rejection dap.ReportError) {
			if index != 10*next {
				t.Fatalf("index %d; want %d", index, 10*next)
			}
			want := cases[next].want
			if !checkTimes {
				want = cases[next].clockBlind
			}
			if rejection != want {
				t.Errorf("case %d, times checked: %v: %v; want %v", next, checkTimes, rejection, want)
			}
			if rejection == 0 && (len(payload) != 1 || payload[0] != byte(index)) || rejection != 0 && payload != nil {
				t.Errorf("case %d: another report's payload", next)
			}
			next++
		})
		if next != len(cases) {
			t.Errorf("%d outcomes; want %d", next, len(cases))
		}
	}
	opening.open(newShareBatch(0), func(int, []byte, dap.ReportError) { t.Error("an empty batch has an outcome") })
}
