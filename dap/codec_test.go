package dap

import (
	"bytes"
	"errors"
	"reflect"
	"runtime"
	"testing"

	"pgregory.net/rapid"
)

type encoder interface{ Encode() ([]byte, error) }

// messageTest is what the tests that go over all messages need of one.
type messageTest struct {
	draw   func(*rapid.T) encoder
	decode func([]byte) (encoder, error)
	// For a message that goes on to the end of the HTTP message content: the
	// same message with only its first n elements, and their number.
	shorten func(m encoder, n int) encoder
	count   func(m encoder) int
}

func newMessageTest[M encoder](draw func(*rapid.T) M, decode func([]byte) (M, error)) messageTest {
	return messageTest{
		draw:   func(t *rapid.T) encoder { return draw(t) },
		decode: func(b []byte) (encoder, error) { return decode(b) },
	}
}

func newSequenceTest[M encoder, E any](draw func(*rapid.T) M, decode func([]byte) (M, error), list func(*M) *[]E) messageTest {
	test := newMessageTest(draw, decode)
	test.count = func(m encoder) int {
		v := m.(M)
		return len(*list(&v))
	}
	test.shorten = func(m encoder, n int) encoder {
		v := m.(M)
		elements := list(&v)
		if *elements = (*elements)[:n]; n == 0 {
			*elements = nil
		}
		return v
	}
	return test
}

var messageTests = map[string]messageTest{
	"Interval":            newMessageTest(drawInterval, DecodeInterval),
	"HpkeConfig":          newMessageTest(drawHpkeConfig, DecodeHpkeConfig),
	"HpkeConfigList":      newMessageTest(drawHpkeConfigList, DecodeHpkeConfigList),
	"HpkeCiphertext":      newMessageTest(drawHpkeCiphertext, DecodeHpkeCiphertext),
	"TaskConfiguration":   newMessageTest(drawTaskConfiguration, DecodeTaskConfiguration),
	"Query":               newMessageTest(drawQuery, DecodeQuery),
	"BatchSelector":       newMessageTest(drawBatchSelector, DecodeBatchSelector),
	"CollectionJobReq":    newMessageTest(drawCollectionJobReq, DecodeCollectionJobReq),
	"CollectionJobResp":   newMessageTest(drawCollectionJobResp, DecodeCollectionJobResp),
	"AggregateShareReq":   newMessageTest(drawAggregateShareReq, DecodeAggregateShareReq),
	"AggregateShare":      newMessageTest(drawAggregateShare, DecodeAggregateShare),
	"ReportMetadata":      newMessageTest(drawReportMetadata, DecodeReportMetadata),
	"Report":              newMessageTest(drawReport, DecodeReport),
	"PlaintextInputShare": newMessageTest(drawPlaintextInputShare, DecodePlaintextInputShare),
	"VerifyInit":          newMessageTest(drawVerifyInit, DecodeVerifyInit),

	"DifferentialPrivacyTaskExtension": newMessageTest(drawPrivacyConfig, DecodePrivacyConfig),

	"UploadRequest": newSequenceTest(drawUploadRequest, DecodeUploadRequest,
		func(m *UploadRequest) *[]Report { return &m.Reports }),
	"UploadErrors": newSequenceTest(drawUploadErrors, DecodeUploadErrors,
		func(m *UploadErrors) *[]ReportUploadStatus { return &m.Status }),
	"AggregationJobInitReq": newSequenceTest(drawAggregationJobInitReq, DecodeAggregationJobInitReq,
		func(m *AggregationJobInitReq) *[]VerifyInit { return &m.VerifyInits }),
	"AggregationJobContinueReq": newSequenceTest(drawAggregationJobContinueReq, DecodeAggregationJobContinueReq,
		func(m *AggregationJobContinueReq) *[]VerifyContinue { return &m.VerifyContinues }),
	"AggregationJobResp": newSequenceTest(drawAggregationJobResp, DecodeAggregationJobResp,
		func(m *AggregationJobResp) *[]VerifyResp { return &m.VerifyResps }),
}

func mustEncode(t rapid.TB, m encoder) []byte {
	t.Helper()
	b, err := m.Encode()
	if err != nil {
		t.Fatalf("encode %T: %v", m, err)
	}
	return b
}

// wantDecodeError fails the test unless err is a *DecodeError that names its
// message.
func wantDecodeError(t rapid.TB, err error) {
	t.Helper()
	e, ok := errors.AsType[*DecodeError](err)
	if !ok || e.Message == "" || e.Problem == "" {
		t.Fatalf("error %#v; want a *DecodeError", err)
	}
}

func TestMessagesRoundTrip(t *testing.T) {
	for name, test := range messageTests {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			m := test.draw(t)
			encoded := mustEncode(t, m)
			decoded, err := test.decode(encoded)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(decoded, m) {
				t.Fatalf("decoded %#v; want %#v", decoded, m)
			}
			if again := mustEncode(t, decoded); !bytes.Equal(again, encoded) {
				t.Fatalf("decoded and encoded again: %x; want %x", again, encoded)
			}
		}))
	}
}

func TestMessagesAppendTo(t *testing.T) {
	type appender interface {
		encoder
		AppendTo([]byte) ([]byte, error)
	}
	for name, draw := range map[string]func(*rapid.T) appender{
		"HpkeCiphertext": func(t *rapid.T) appender { return drawHpkeCiphertext(t) },
		"ReportMetadata": func(t *rapid.T) appender { return drawReportMetadata(t) },
		"Report":         func(t *rapid.T) appender { return drawReport(t) },
		"VerifyInit":     func(t *rapid.T) appender { return drawVerifyInit(t) },
	} {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			m := draw(t)
			got, err := m.AppendTo([]byte("before"))
			if want := append([]byte("before"), mustEncode(t, m)...); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("AppendTo: %x, %v; want %x", got, err, want)
			}
		}))
	}
	if got, err := (HpkeCiphertext{}).AppendTo([]byte("before")); err == nil || string(got) != "before" {
		t.Errorf("AppendTo of an invalid message: %q, %v; want what was there before, and an error", got, err)
	}
}

// Every strict prefix of a message is refused, in the manner of crypto/tls;
// where the message goes on to the end of the HTTP message content, except
// those that end with an element, which are shorter messages.
func TestMessagesRefusePrefixes(t *testing.T) {
	for name, test := range messageTests {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			m := test.draw(t)
			encoded := mustEncode(t, m)
			shorter := map[int]encoder{} // by length
			if test.count != nil {
				for n := range test.count(m) {
					short := test.shorten(m, n)
					shorter[len(mustEncode(t, short))] = short
				}
			}
			for n := range len(encoded) {
				decoded, err := test.decode(encoded[:n:n])
				want, valid := shorter[n]
				switch {
				case !valid && err == nil:
					t.Fatalf("%d of the %d bytes of %x decode", n, len(encoded), encoded)
				case !valid:
					wantDecodeError(t, err)
				case err != nil || !reflect.DeepEqual(decoded, want):
					t.Fatalf("%d bytes of %x decode to %#v, %v; want %#v", n, encoded, decoded, err, want)
				}
			}
		}))
	}
}

func TestMessagesRefuseTrailingBytes(t *testing.T) {
	for name, test := range messageTests {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			encoded := mustEncode(t, test.draw(t))
			_, err := test.decode(append(encoded, 0))
			if err == nil {
				t.Fatalf("%x with a byte more decodes", encoded)
			}
			wantDecodeError(t, err)
		}))
	}
}

// Whatever one byte is changed to, what still decodes encodes to the same bytes.
func TestMessagesCanonical(t *testing.T) {
	for name, test := range messageTests {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			encoded := mustEncode(t, test.draw(t))
			if len(encoded) == 0 {
				return
			}
			i := rapid.IntRange(0, len(encoded)-1).Draw(t, "position")
			encoded[i] ^= rapid.ByteRange(1, 255).Draw(t, "change")
			decoded, err := test.decode(encoded)
			if err != nil {
				wantDecodeError(t, err)
				return
			}
			if again := mustEncode(t, decoded); !bytes.Equal(again, encoded) {
				t.Fatalf("%x decodes, and encodes to %x", encoded, again)
			}
		}))
	}
}

func TestDecodedVectorsCannotGrowInPlace(t *testing.T) {
	encoded := mustEncode(t, HpkeCiphertext{1, []byte{2, 3}, []byte{4, 5}})
	c, err := DecodeHpkeCiphertext(encoded)
	if err != nil {
		t.Fatal(err)
	}
	before := bytes.Clone(encoded)
	_ = append(c.Enc, 0xff)
	if !bytes.Equal(encoded, before) {
		t.Error("appending to a decoded vector changed the message around it")
	}
}

func TestVdafConfigurations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		config := drawVdafConfiguration(t)
		encoded := mustEncode(t, config)
		decoded, err := DecodeVdafConfiguration(config.VdafType(), encoded)
		if err != nil || decoded != config {
			t.Fatalf("decoded %#v, %v; want %#v", decoded, err, config)
		}
		for n := range len(encoded) {
			_, err := DecodeVdafConfiguration(config.VdafType(), encoded[:n])
			wantDecodeError(t, err)
		}
		_, err = DecodeVdafConfiguration(config.VdafType(), append(encoded, 0))
		wantDecodeError(t, err)
	})
	_, err := DecodeVdafConfiguration(7, nil)
	if e, ok := errors.AsType[*UnknownVdafError](err); !ok || e.Type != 7 {
		t.Errorf("VDAF 7: %v; want an *UnknownVdafError", err)
	}
}

func TestUploadReader(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		request := drawUploadRequest(t)
		reader := NewUploadReader(mustEncode(t, request))
		for i, want := range request.Reports {
			report, raw, err := reader.Next()
			if err != nil || !reflect.DeepEqual(report, want) || !bytes.Equal(raw, mustEncode(t, want)) {
				t.Fatalf("report %d: %#v, %x, %v; want %#v", i, report, raw, err, want)
			}
		}
		for range 2 {
			if _, _, err := reader.Next(); err == nil || err.Error() != "EOF" {
				t.Fatalf("at the end: %v; want io.EOF", err)
			}
		}
	})
}

func TestUploadReaderKeepsItsError(t *testing.T) {
	report := mustEncode(t, Report{LeaderEncryptedInputShare: HpkeCiphertext{1, []byte{1}, []byte{1}}, HelperEncryptedInputShare: HpkeCiphertext{2, []byte{2}, []byte{2}}})
	reader := NewUploadReader(append(bytes.Clone(report), report[:len(report)-1]...))
	if _, _, err := reader.Next(); err != nil {
		t.Fatal(err)
	}
	_, _, first := reader.Next()
	_, _, second := reader.Next()
	e, ok := errors.AsType[*DecodeError](first)
	if !ok || first != second {
		t.Fatalf("errors %v and %v; want the same *DecodeError twice", first, second)
	}
	if want := "reports[1].helper_encrypted_input_share.payload"; e.Message != "UploadRequest" || e.Field != want {
		t.Errorf("error of %s, field %s; want field %s", e.Message, e.Field, want)
	}
}

// What an attacker puts after a first, short element costs no more memory than
// the message itself.
func TestListsAreNotAllocatedForJunk(t *testing.T) {
	junk := make([]byte, 1<<20)
	short := mustEncode(t, AggregationJobResp{[]VerifyResp{{Type: VerifyRespFinish}}})
	for i := range junk {
		junk[i] = 0xff
	}
	b := append(short, junk...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := DecodeAggregationJobResp(b); err == nil {
		t.Fatal("junk decodes")
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > uint64(2*len(b)) {
		t.Errorf("%d bytes allocated for a message of %d", got, len(b))
	}
}

// An error says where and what in one line.
func TestErrorTexts(t *testing.T) {
	_, decode := DecodeHpkeCiphertext([]byte{1, 0, 1, 2, 0, 0, 0, 0})
	_, encode := HpkeConfig{}.Encode()
	_, whole := DecodeInterval(make([]byte, 17))
	_, id := ParseTaskID("x")
	_, header := ParseTaskprovHeader([]string{"1"})
	_, vdaf := DecodeVdafConfiguration(7, nil)
	for err, want := range map[error]string{
		decode:                             "dap: decode HpkeCiphertext.payload: 0 bytes long; it must have at least 1",
		encode:                             "dap: encode HpkeConfig.public_key: 0 bytes long; it must have at least 1",
		whole:                              "dap: decode Interval: 1 bytes follow its end",
		id:                                 "dap: TaskID: 1 characters long; it must be the 43 characters of 32 bytes in URL-safe, unpadded Base64",
		header:                             "dap: the DAP-Taskprov header is ignored: not a Byte Sequence",
		vdaf:                               "dap: task configuration: vdaf_type: 0x00000007 is not a known VDAF",
		MediaTypeUploadErrors.Check("a/b"): `dap: Content-Type "a/b"; it must be application/ppm-dap;message=upload-errors`,
		MediaTypeUploadErrors.Check(""):    "dap: no Content-Type; it must be application/ppm-dap;message=upload-errors",
		&UnsupportedBatchModeError{3}:      "dap: task configuration: batch_mode: 3 is not supported",
		&UnsupportedTaskExtensionError{9}:  "dap: task configuration: extensions: type 9 is not supported",
	} {
		if got := err.Error(); got != want {
			t.Errorf("%s\n want %s", got, want)
		}
	}
}
