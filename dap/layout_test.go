package dap

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

// unhex decodes hexadecimal digits with spaces and line breaks between them.
func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var (
	layoutReportID  = ReportID{0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf}
	layoutMetadata  = ReportMetadata{layoutReportID, 0x0102030405060708, []Extension{{0x1122, []byte{0x33}}, {0x4455, nil}}}
	layoutLeader    = HpkeCiphertext{0x11, []byte{0x12, 0x13}, []byte{0x14}}
	layoutHelper    = HpkeCiphertext{0x21, []byte{0x22}, []byte{0x23, 0x24, 0x25}}
	layoutCollect   = CollectionJobReq{Query{BatchModeTimeInterval, []byte{0x0c}}, []byte{0x0d, 0x0e}, []CollectionJobExtension{{0x0102, []byte{0x03}}}}
	layoutMetaHex   = `a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 0102030405060708 0009 1122 0001 33 4455 0000`
	layoutLeaderHex = `11 0002 1213 00000001 14`
	layoutHelperHex = `21 0001 22 00000003 232425`
	layoutCollHex   = `01 0001 0c 00000002 0d0e 0005 0102 0001 03`
)

// The layout of every message, written out by hand from the structures in the
// standard.
func TestMessageLayouts(t *testing.T) {
	var checksum Checksum
	for i := range checksum {
		checksum[i] = byte(i)
	}
	checksumHex := `000102030405060708090a0b0c0d0e0f 101112131415161718191a1b1c1d1e1f`
	tests := []struct {
		name    string
		message encoder
		want    string
	}{
		{"Interval", Interval{1, 0x0203}, `0000000000000001 0000000000000203`},
		{"HpkeConfig", HpkeConfig{5, HpkeKemXWing, HpkeKdfHkdfSha512, HpkeAeadChaCha20Poly1305, []byte{9, 8}}, `05 647a 0003 0003 0002 0908`},
		{"HpkeConfigList", HpkeConfigList{[]HpkeConfig{
			{194, HpkeKemP256HkdfSha256, HpkeKdfHkdfSha256, HpkeAeadAes128Gcm, []byte{1, 2}},
			{17, HpkeKemX25519HkdfSha256, HpkeKdfHkdfSha256, HpkeAeadChaCha20Poly1305, []byte{4}}}},
			`0015 c2 0010 0001 0001 0002 0102  11 0020 0001 0003 0001 04`},
		{"HpkeCiphertext", layoutLeader, layoutLeaderHex},
		{"ReportMetadata", layoutMetadata, layoutMetaHex},
		{"Report", Report{layoutMetadata, []byte{0xbb}, layoutLeader, layoutHelper},
			layoutMetaHex + `00000001 bb` + layoutLeaderHex + layoutHelperHex},
		{"UploadRequest", UploadRequest{[]Report{
			{layoutMetadata, nil, layoutLeader, layoutHelper}, {layoutMetadata, []byte{0xbb}, layoutHelper, layoutLeader}}},
			layoutMetaHex + `00000000` + layoutLeaderHex + layoutHelperHex + layoutMetaHex + `00000001 bb` + layoutHelperHex + layoutLeaderHex},
		{"UploadErrors", UploadErrors{[]ReportUploadStatus{{layoutReportID, ReportErrorReportReplayed}, {ReportID{}, ReportErrorOutdatedConfig}}},
			`a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 02 00000000000000000000000000000000 0b`},
		{"PlaintextInputShare", PlaintextInputShare{[]Extension{{1, []byte{2}}}, []byte{3, 4}}, `0005 0001 0001 02 00000002 0304`},
		{"VerifyInit", VerifyInit{ReportShare{layoutMetadata, []byte{0xbb}, layoutHelper}, []byte{0xcc}},
			layoutMetaHex + `00000001 bb` + layoutHelperHex + `00000001 cc`},
		{"AggregationJobInitReq", AggregationJobInitReq{7, []byte{8}, []AggregationJobExtension{{1, []byte{2}}},
			[]VerifyInit{{ReportShare{layoutMetadata, nil, layoutHelper}, []byte{0xcc}}}},
			`07 00000001 08 0005 0001 0001 02` + layoutMetaHex + `00000000` + layoutHelperHex + `00000001 cc`},
		{"AggregationJobResp", AggregationJobResp{[]VerifyResp{
			{ReportID: layoutReportID, Type: VerifyRespContinue, Payload: []byte{0xdd}},
			{ReportID: layoutReportID, Type: VerifyRespFinish},
			{ReportID: layoutReportID, Type: VerifyRespReject, Error: ReportErrorVdafVerifyError}}},
			`a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 00 00000001 dd
			 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 01
			 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 02 06`},
		{"AggregationJobContinueReq", AggregationJobContinueReq{0x0102, []VerifyContinue{{layoutReportID, []byte{0xee}}}},
			`0102 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 00000001 ee`},
		{"CollectionJobReq", layoutCollect, layoutCollHex},
		{"CollectionJobReq leader-selected", CollectionJobReq{Query: NewLeaderSelectedQuery()}, `02 0000 00000000 0000`},
		{"CollectionJobResp", CollectionJobResp{1000, Interval{16595440, 1}, layoutLeader, layoutHelper},
			`00000000000003e8 0000000000fd39f0 0000000000000001` + layoutLeaderHex + layoutHelperHex},
		{"AggregateShareReq", AggregateShareReq{layoutCollect, BatchSelector{BatchModeLeaderSelected, []byte{0x0f}}, 2, checksum},
			layoutCollHex + `02 0001 0f 0000000000000002` + checksumHex},
		{"AggregateShare", AggregateShare{layoutHelper}, layoutHelperHex},
		{"TimeIntervalQueryConfig", NewTimeIntervalQuery(Interval{3, 4}), `01 0010 0000000000000003 0000000000000004`},
		{"TimeIntervalBatchSelectorConfig", NewTimeIntervalBatchSelector(Interval{3, 4}), `01 0010 0000000000000003 0000000000000004`},
		{"LeaderSelectedBatchSelectorConfig", NewLeaderSelectedBatchSelector(BatchID(checksum)), `02 0020` + checksumHex},
		{"Prio3CountConfig", Prio3CountConfig{}, ``},
		{"Prio3SumConfig", Prio3SumConfig{0x0102}, `0000000000000102`},
		{"Prio3SumVecConfig", Prio3SumVecConfig{1, 2, 3}, `00000001 0000000000000002 00000003`},
		{"Prio3HistogramConfig", Prio3HistogramConfig{1, 2}, `00000001 00000002`},
		{"Prio3MultihotCountVecConfig", Prio3MultihotCountVecConfig{1, 2, 3}, `00000001 00000002 0000000000000003`},
		{"Poplar1Config", Poplar1Config{256}, `0100`},
		{"TaskConfiguration", TaskConfiguration{[]byte("info"), "http://l", "http://help", 10, 100, BatchModeTimeInterval, []byte{1},
			VdafTypePrio3Sum, []byte{2, 3}, []TaskExtension{NewTaskIntervalExtension(Interval{5, 6}), {0x0203, []byte{4}}}},
			`04 696e666f 0008 687474703a2f2f6c 000b 687474703a2f2f68656c70 000000000000000a 0000000000000064 01 0001 01
			 00000002 0002 0203 0019 0001 0010 0000000000000005 0000000000000006 0203 0001 04`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got, want := mustEncode(t, test.message), unhex(t, test.want); !bytes.Equal(got, want) {
				t.Errorf("encoded %x\n   want %x", got, want)
			}
		})
	}
}

func TestAadLayouts(t *testing.T) {
	task := TaskID{0: 0x77, 31: 0x78}
	taskHex := "77" + strings.Repeat("00", 30) + "78"
	config := mustEncode(t, validTaskConfiguration())
	configHex := hex.EncodeToString(config)

	input := mustEncode(t, InputShareAad{task, config, layoutMetadata, []byte{0xbb}})
	if want := unhex(t, taskHex+configHex+layoutMetaHex+`00000001 bb`); !bytes.Equal(input, want) {
		t.Errorf("InputShareAad: %x\n want %x", input, want)
	}
	prefix, err := newInputShareAadPrefix(task, config)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := prefix.encode(&layoutMetadata, []byte{0xbb}); err != nil || !bytes.Equal(got, input) {
		t.Errorf("InputShareAad from its prefix: %x, %v\n want %x", got, err, input)
	}
	aggregate := mustEncode(t, AggregateShareAad{task, config, layoutCollect})
	if want := unhex(t, taskHex+configHex+layoutCollHex); !bytes.Equal(aggregate, want) {
		t.Errorf("AggregateShareAad: %x\n want %x", aggregate, want)
	}
	for _, aad := range []encoder{InputShareAad{TaskConfiguration: config[1:]}, AggregateShareAad{TaskConfiguration: nil}} {
		_, err := aad.Encode()
		if _, ok := errors.AsType[*EncodeError](err); !ok {
			t.Errorf("%T with a broken task configuration: %v; want an *EncodeError", aad, err)
		}
	}
}

func TestVdafContext(t *testing.T) {
	got := VdafContext(TaskID{0: 1, 31: 2})
	if want := append([]byte("dap-18\x01"), append(make([]byte, 30), 2)...); !bytes.Equal(got, want) {
		t.Errorf("VdafContext: %x; want %x", got, want)
	}
}

// Each malformed message, with the field that is to be named.
func TestDecodeErrors(t *testing.T) {
	tests := []struct {
		name    string
		decode  func([]byte) error
		message string
		field   string
		bytes   string
	}{
		{"empty config list", decodes(DecodeHpkeConfigList), "HpkeConfigList", "", `0000`},
		{"short config list", decodes(DecodeHpkeConfigList), "HpkeConfigList", "", `0009 01 0020 0001 0001 0001`},
		{"repeated config id", decodes(DecodeHpkeConfigList), "HpkeConfigList", "id", `0014 01 0020 0001 0001 0001 01 01 0010 0001 0001 0001 02`},
		{"list cuts a config", decodes(DecodeHpkeConfigList), "HpkeConfigList", "configs[1].kem_id", `000c 01 0020 0001 0001 0001 01 02 00`},
		{"empty public key", decodes(DecodeHpkeConfig), "HpkeConfig", "public_key", `01 0020 0001 0001 0000`},
		{"empty enc", decodes(DecodeHpkeCiphertext), "HpkeCiphertext", "enc", `01 0000 00000001 01`},
		{"empty payload", decodes(DecodeHpkeCiphertext), "HpkeCiphertext", "payload", `01 0001 01 00000000`},
		{"payload of 4 GiB", decodes(DecodeHpkeCiphertext), "HpkeCiphertext", "payload", `01 0001 01 ffffffff 00`},
		{"extension runs out of its list", decodes(DecodeReportMetadata), "ReportMetadata", "public_extensions[0].extension_data",
			`a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 0102030405060708 0004 1122 0001 33`},
		{"half an extension type", decodes(DecodeReportMetadata), "ReportMetadata", "public_extensions[1].extension_type",
			`a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 0102030405060708 0005 1122 0000 33`},
		{"empty input share", decodes(DecodePlaintextInputShare), "PlaintextInputShare", "payload", `0000 00000000`},
		{"empty verify init", decodes(DecodeVerifyInit), "VerifyInit", "payload", layoutMetaHex + `00000000` + layoutHelperHex + `00000000`},
		{"second verify init", decodes(DecodeAggregationJobInitReq), "AggregationJobInitReq", "verify_inits[1].report_share.encrypted_input_share.enc",
			`00 00000000 0000` + layoutMetaHex + `00000000` + layoutHelperHex + `00000001 cc` + layoutMetaHex + `00000000 01 0000 00000001 00 00000001 cc`},
		{"empty continuation", decodes(DecodeAggregationJobContinueReq), "AggregationJobContinueReq", "verify_continues[0].payload",
			`0001 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 00000000`},
		{"unknown response type", decodes(DecodeAggregationJobResp), "AggregationJobResp", "verify_resps[0].verify_resp_type", `a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 03`},
		{"empty continue response", decodes(DecodeAggregationJobResp), "AggregationJobResp", "verify_resps[0].payload", `a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 00 00000000`},
		{"reserved report error", decodes(DecodeAggregationJobResp), "AggregationJobResp", "verify_resps[0].report_error", `a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 02 00`},
		{"unknown report error", decodes(DecodeUploadErrors), "UploadErrors", "status[0].error", `a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 0c`},
		{"reserved batch mode", decodes(DecodeQuery), "Query", "batch_mode", `00 0000`},
		{"unknown batch mode", decodes(DecodeCollectionJobReq), "CollectionJobReq", "query.batch_mode", `03 0000 00000000 0000`},
		{"unknown batch mode of a selector", decodes(DecodeAggregateShareReq), "AggregateShareReq", "batch_selector.batch_mode", layoutCollHex + `ff 0000`},
		{"empty task info", decodes(DecodeTaskConfiguration), "TaskConfiguration", "task_info", `00`},
		{"empty URL", decodes(DecodeTaskConfiguration), "TaskConfiguration", "leader_aggregator_endpoint", `01 00 0000`},
		{"URL not ASCII", decodes(DecodeTaskConfiguration), "TaskConfiguration", "helper_aggregator_endpoint", `01 00 0001 61 0002 c3a9`},
		{"repeated task extension", decodes(DecodeTaskConfiguration), "TaskConfiguration", "extensions", layoutTaskHead + `0008 0005 0000 0005 0000`},
		{"unsorted task extensions", decodes(DecodeTaskConfiguration), "TaskConfiguration", "extensions", layoutTaskHead + `0008 0005 0000 0004 0000`},
		{"short task interval", decodes(DecodeTaskConfiguration), "TaskConfiguration", "extensions", layoutTaskHead + `0005 0001 0001 00`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.decode(unhex(t, test.bytes))
			e, ok := errors.AsType[*DecodeError](err)
			if !ok || e.Message != test.message || e.Field != test.field {
				t.Errorf("error %#v (%v); want a *DecodeError of %s, field %q", err, err, test.message, test.field)
			}
		})
	}
}

// layoutTaskHead is an encoded TaskConfiguration up to its extensions.
const layoutTaskHead = `01 00 0001 61 0001 61 0000000000000001 0000000000000001 01 0000 00000001 0000`

func decodes[M any](decode func([]byte) (M, error)) func([]byte) error {
	return func(b []byte) error {
		_, err := decode(b)
		return err
	}
}

// What a message cannot carry is refused, with the field named, and never cut off.
func TestEncodeErrors(t *testing.T) {
	long := make([]byte, 1<<16)
	tests := []struct {
		name    string
		message encoder
		of      string
		field   string
	}{
		{"no HPKE configs", HpkeConfigList{}, "HpkeConfigList", ""},
		{"too many HPKE configs", HpkeConfigList{[]HpkeConfig{{ID: 1, PublicKey: long[:40000]}, {ID: 2, PublicKey: long[:40000]}}}, "HpkeConfigList", ""},
		{"repeated HPKE config ID", HpkeConfigList{[]HpkeConfig{{PublicKey: []byte{1}}, {PublicKey: []byte{1}}}}, "HpkeConfigList", "id"},
		{"no public key", HpkeConfig{}, "HpkeConfig", "public_key"},
		{"long public key", HpkeConfig{PublicKey: long}, "HpkeConfig", "public_key"},
		{"no enc", HpkeCiphertext{Payload: []byte{1}}, "HpkeCiphertext", "enc"},
		{"no payload", AggregateShare{HpkeCiphertext{Enc: []byte{1}}}, "HpkeCiphertext", "payload"},
		{"long extension", ReportMetadata{PublicExtensions: []Extension{{1, long}}}, "ReportMetadata", "public_extensions.extension_data"},
		{"long extensions", ReportMetadata{PublicExtensions: []Extension{{1, long[:40000]}, {2, long[:40000]}}}, "ReportMetadata", "public_extensions"},
		{"no input share", PlaintextInputShare{}, "PlaintextInputShare", "payload"},
		{"a report without shares", UploadRequest{[]Report{{}}}, "HpkeCiphertext", "enc"},
		{"no report error", UploadErrors{[]ReportUploadStatus{{}}}, "UploadErrors", "status[0].error"},
		{"no verify payload", VerifyInit{ReportShare{EncryptedInputShare: layoutHelper}, nil}, "VerifyInit", "payload"},
		{"no continue payload", AggregationJobContinueReq{1, []VerifyContinue{{}}}, "VerifyContinue", "payload"},
		{"continue without payload", AggregationJobResp{[]VerifyResp{{}}}, "VerifyResp", "payload"},
		{"continue with error", AggregationJobResp{[]VerifyResp{{Payload: []byte{1}, Error: 1}}}, "VerifyResp", "report_error"},
		{"finish with payload", AggregationJobResp{[]VerifyResp{{Type: VerifyRespFinish, Payload: []byte{1}}}}, "VerifyResp", "payload"},
		{"reject without error", AggregationJobResp{[]VerifyResp{{Type: VerifyRespReject}}}, "VerifyResp", "report_error"},
		{"unknown response type", AggregationJobResp{[]VerifyResp{{Type: 3}}}, "VerifyResp", "verify_resp_type"},
		{"unknown batch mode", CollectionJobReq{}, "Query", "batch_mode"},
		{"unknown batch mode of a selector", BatchSelector{BatchMode: 3}, "BatchSelector", "batch_mode"},
		{"long query", Query{BatchModeTimeInterval, long}, "Query", "config"},
		{"no task info", changed(func(c *TaskConfiguration) { c.TaskInfo = nil }), "TaskConfiguration", "task_info"},
		{"long task info", changed(func(c *TaskConfiguration) { c.TaskInfo = long[:256] }), "TaskConfiguration", "task_info"},
		{"no URL", changed(func(c *TaskConfiguration) { c.LeaderAggregatorEndpoint = "" }), "TaskConfiguration", "leader_aggregator_endpoint"},
		{"URL not ASCII", changed(func(c *TaskConfiguration) { c.HelperAggregatorEndpoint = "https://é/" }), "TaskConfiguration", "helper_aggregator_endpoint"},
		{"long URL", changed(func(c *TaskConfiguration) { c.HelperAggregatorEndpoint = strings.Repeat("a", 1<<16) }), "TaskConfiguration", "helper_aggregator_endpoint"},
		{"long VDAF configuration", changed(func(c *TaskConfiguration) { c.VdafConfiguration = long }), "TaskConfiguration", "vdaf_configuration"},
		{"unsorted task extensions", changed(func(c *TaskConfiguration) { c.Extensions = []TaskExtension{{Type: 3}, {Type: 2}} }), "TaskConfiguration", "extensions"},
		{"repeated task extension", changed(func(c *TaskConfiguration) { c.Extensions = []TaskExtension{{Type: 3}, {Type: 3}} }), "TaskConfiguration", "extensions"},
		{"short task interval", changed(func(c *TaskConfiguration) { c.Extensions = []TaskExtension{{Type: 1}} }), "TaskConfiguration", "extensions"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b, err := test.message.Encode()
			e, ok := errors.AsType[*EncodeError](err)
			if !ok || e.Message != test.of || e.Field != test.field || b != nil {
				t.Errorf("%x, error %#v (%v); want an *EncodeError of %s, field %q", b, err, err, test.of, test.field)
			}
		})
	}
}

// changed returns a valid task configuration with a change.
func changed(change func(*TaskConfiguration)) TaskConfiguration {
	c := validTaskConfiguration()
	change(&c)
	return c
}

func validTaskConfiguration() TaskConfiguration {
	return TaskConfiguration{
		TaskInfo:                 []byte("test"),
		LeaderAggregatorEndpoint: "https://leader.example.com/",
		HelperAggregatorEndpoint: "https://helper.example.com/dap",
		TimePrecision:            60,
		MinBatchSize:             10,
		BatchMode:                BatchModeTimeInterval,
		VdafType:                 VdafTypePrio3Histogram,
		VdafConfiguration:        []byte{0, 0, 0, 20, 0, 0, 0, 4},
		Extensions:               []TaskExtension{NewTaskIntervalExtension(Interval{60, 100})},
	}
}
