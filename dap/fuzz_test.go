package dap

import (
	"bytes"
	"encoding/base64"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/twofold-dap/twofold/internal/fuzzing"
)

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// fuzzDecoder checks that what decodes encodes to the same bytes, and that what
// does not fails with a *DecodeError.
func fuzzDecoder(f *testing.F, name string) {
	test := messageTests[name]
	example := rapid.Custom(test.draw)
	for seed := range 8 {
		f.Add(mustEncode(f, example.Example(seed)))
	}
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, b []byte) {
		decoded, err := test.decode(b)
		if err != nil {
			wantDecodeError(t, err)
			return
		}
		if again := mustEncode(t, decoded); !bytes.Equal(again, b) {
			t.Fatalf("%x decodes, and encodes to %x", b, again)
		}
	})
}

func FuzzInterval(f *testing.F)                  { fuzzDecoder(f, "Interval") }
func FuzzHpkeConfig(f *testing.F)                { fuzzDecoder(f, "HpkeConfig") }
func FuzzHpkeConfigList(f *testing.F)            { fuzzDecoder(f, "HpkeConfigList") }
func FuzzHpkeCiphertext(f *testing.F)            { fuzzDecoder(f, "HpkeCiphertext") }
func FuzzTaskConfiguration(f *testing.F)         { fuzzDecoder(f, "TaskConfiguration") }
func FuzzQuery(f *testing.F)                     { fuzzDecoder(f, "Query") }
func FuzzBatchSelector(f *testing.F)             { fuzzDecoder(f, "BatchSelector") }
func FuzzCollectionJobReq(f *testing.F)          { fuzzDecoder(f, "CollectionJobReq") }
func FuzzCollectionJobResp(f *testing.F)         { fuzzDecoder(f, "CollectionJobResp") }
func FuzzAggregateShareReq(f *testing.F)         { fuzzDecoder(f, "AggregateShareReq") }
func FuzzAggregateShare(f *testing.F)            { fuzzDecoder(f, "AggregateShare") }
func FuzzReportMetadata(f *testing.F)            { fuzzDecoder(f, "ReportMetadata") }
func FuzzReport(f *testing.F)                    { fuzzDecoder(f, "Report") }
func FuzzUploadRequest(f *testing.F)             { fuzzDecoder(f, "UploadRequest") }
func FuzzUploadErrors(f *testing.F)              { fuzzDecoder(f, "UploadErrors") }
func FuzzPlaintextInputShare(f *testing.F)       { fuzzDecoder(f, "PlaintextInputShare") }
func FuzzVerifyInit(f *testing.F)                { fuzzDecoder(f, "VerifyInit") }
func FuzzAggregationJobInitReq(f *testing.F)     { fuzzDecoder(f, "AggregationJobInitReq") }
func FuzzAggregationJobContinueReq(f *testing.F) { fuzzDecoder(f, "AggregationJobContinueReq") }
func FuzzAggregationJobResp(f *testing.F)        { fuzzDecoder(f, "AggregationJobResp") }

func FuzzVdafConfiguration(f *testing.F) {
	for seed := range 8 {
		config := rapid.Custom(drawVdafConfiguration).Example(seed)
		f.Add(uint32(config.VdafType()), mustEncode(f, config))
	}
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, vdafType uint32, b []byte) {
		config, err := DecodeVdafConfiguration(VdafType(vdafType), b)
		if err != nil {
			if _, unknown := errors.AsType[*UnknownVdafError](err); !unknown {
				wantDecodeError(t, err)
			}
			return
		}
		if again := mustEncode(t, config); !bytes.Equal(again, b) {
			t.Fatalf("%x decodes, and encodes to %x", b, again)
		}
	})
}

func FuzzTaskValidate(f *testing.F) {
	f.Add(mustEncode(f, validTaskConfiguration()))
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, b []byte) {
		config, err := DecodeTaskConfiguration(b)
		if err != nil || config.Validate() != nil {
			return
		}
		if interval, ok := config.TaskInterval(); ok && interval.CheckWellFormed() != nil {
			t.Fatalf("%x passes with the task interval %v", b, interval)
		}
	})
}

func FuzzTaskprovHeader(f *testing.F) {
	f.Add(specHeader)
	f.Add(specHeader + ";a=1")
	f.Add(`"text"`)
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, value string) {
		got, err := ParseTaskprovHeader([]string{value})
		if err != nil {
			if !errors.Is(err, ErrNoTaskAdvertisement) {
				t.Fatalf("error %v; want ErrNoTaskAdvertisement", err)
			}
			return
		}
		if again := mustEncode(t, got.Configuration); !bytes.Equal(again, got.Encoded) {
			t.Fatalf("%x decodes, and encodes to %x", got.Encoded, again)
		}
	})
}

func FuzzParseTaskID(f *testing.F) {
	f.Add("8BY0RzZMzxvA46_8ymhzycOB9krN-QIGYvg_RsByGec")
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, text string) {
		if id, err := ParseTaskID(text); err == nil && id.String() != text {
			t.Fatalf("%q is parsed, and prints as %q", text, id)
		}
	})
}

func FuzzMediaTypeCheck(f *testing.F) {
	f.Add("application/ppm-dap; message=upload-req;version=18")
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, contentType string) {
		if MediaTypeUploadRequest.Check(contentType) == nil && MediaTypeUploadErrors.Check(contentType) == nil {
			t.Fatalf("%q is two media types", contentType)
		}
	})
}

// No ciphertext makes the opener panic, and none that was not sealed opens.
func FuzzInputShareOpener(f *testing.F) {
	aad := testInputShareAad(f)
	var keypairs []HpkeKeypair
	for i, bench := range benchmarkSuites {
		keypairs = append(keypairs, generate(f, HpkeConfigID(i), bench.suite))
		sealed, err := SealInputShare(generate(f, HpkeConfigID(i), bench.suite).Config, RoleLeader, aad, testPlaintext)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), sealed.Enc, sealed.Payload)
	}
	opener, err := NewInputShareOpener(keypairs, RoleLeader, aad.TaskID, aad.TaskConfiguration)
	if err != nil {
		f.Fatal(err)
	}
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, id uint8, enc, payload []byte) {
		_, err := opener.Open(aad.Metadata, aad.PublicShare, HpkeCiphertext{HpkeConfigID(id), enc, payload})
		if err != ErrHpkeDecrypt && err != ErrHpkeUnknownConfigID {
			t.Fatalf("error %v", err)
		}
	})
}
