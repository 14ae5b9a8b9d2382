package dap

import (
	"fmt"

	"pgregory.net/rapid"
)

// Generators of valid messages. An empty vector is nil, as it decodes.

func drawBytes(t *rapid.T, min, max int, label string) []byte {
	b := rapid.SliceOfN(rapid.Byte(), min, max).Draw(t, label)
	if len(b) == 0 {
		return nil
	}
	return b
}

func drawID16(t *rapid.T, label string) [16]byte {
	return [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, label))
}

func drawID32(t *rapid.T, label string) [32]byte {
	return [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, label))
}

// drawExtensions draws extensions of any kind, in any order and perhaps repeated.
func drawExtensions[E any](t *rapid.T, newE func(uint16, []byte) E) []E {
	var extensions []E
	for i := range rapid.IntRange(0, 3).Draw(t, "extensions") {
		extensions = append(extensions, newE(rapid.Uint16().Draw(t, "type"), drawBytes(t, 0, 5, fmt.Sprint("data", i))))
	}
	return extensions
}

func drawList[E any](t *rapid.T, min, max int, draw func(*rapid.T) E) []E {
	var list []E
	for range rapid.IntRange(min, max).Draw(t, "elements") {
		list = append(list, draw(t))
	}
	return list
}

func drawInterval(t *rapid.T) Interval {
	return Interval{Time(rapid.Uint64().Draw(t, "start")), Duration(rapid.Uint64().Draw(t, "duration"))}
}

func drawHpkeConfig(t *rapid.T) HpkeConfig {
	return HpkeConfig{
		ID:        HpkeConfigID(rapid.Uint8().Draw(t, "id")),
		KemID:     HpkeKemID(rapid.Uint16().Draw(t, "kem")),
		KdfID:     HpkeKdfID(rapid.Uint16().Draw(t, "kdf")),
		AeadID:    HpkeAeadID(rapid.Uint16().Draw(t, "aead")),
		PublicKey: drawBytes(t, 1, 8, "public key"),
	}
}

func drawHpkeConfigList(t *rapid.T) HpkeConfigList {
	list := drawList(t, 1, 3, drawHpkeConfig)
	for i := range list {
		list[i].ID = HpkeConfigID(7 * i)
	}
	return HpkeConfigList{list}
}

func drawHpkeCiphertext(t *rapid.T) HpkeCiphertext {
	return HpkeCiphertext{
		ConfigID: HpkeConfigID(rapid.Uint8().Draw(t, "config id")),
		Enc:      drawBytes(t, 1, 6, "enc"),
		Payload:  drawBytes(t, 1, 6, "payload"),
	}
}

func drawTaskConfiguration(t *rapid.T) TaskConfiguration {
	c := TaskConfiguration{
		TaskInfo:                 drawBytes(t, 1, 5, "task info"),
		LeaderAggregatorEndpoint: rapid.StringMatching(`https://[a-z]{1,5}/`).Draw(t, "leader"),
		HelperAggregatorEndpoint: rapid.StringMatching(`https://[a-z]{1,5}/`).Draw(t, "helper"),
		TimePrecision:            TimePrecision(rapid.Uint64().Draw(t, "precision")),
		MinBatchSize:             rapid.Uint64().Draw(t, "min batch size"),
		BatchMode:                BatchMode(rapid.Uint8().Draw(t, "batch mode")),
		BatchConfig:              drawBytes(t, 0, 3, "batch config"),
		VdafType:                 VdafType(rapid.Uint32().Draw(t, "vdaf")),
		VdafConfiguration:        drawBytes(t, 0, 8, "vdaf configuration"),
	}
	if rapid.Bool().Draw(t, "has task interval") {
		c.Extensions = append(c.Extensions, NewTaskIntervalExtension(drawInterval(t)))
	}
	if rapid.Bool().Draw(t, "has other extension") {
		c.Extensions = append(c.Extensions, TaskExtension{Type: 0x1234, Data: drawBytes(t, 0, 3, "data")})
	}
	return c
}

func drawBatchMode(t *rapid.T) BatchMode {
	return rapid.SampledFrom([]BatchMode{BatchModeTimeInterval, BatchModeLeaderSelected}).Draw(t, "batch mode")
}

func drawQuery(t *rapid.T) Query { return Query{drawBatchMode(t), drawBytes(t, 0, 20, "config")} }

func drawBatchSelector(t *rapid.T) BatchSelector {
	return BatchSelector{drawBatchMode(t), drawBytes(t, 0, 20, "config")}
}

func drawCollectionJobReq(t *rapid.T) CollectionJobReq {
	return CollectionJobReq{
		Query:      drawQuery(t),
		AggParam:   drawBytes(t, 0, 5, "agg param"),
		Extensions: drawExtensions(t, makeCollectionJobExtension),
	}
}

func drawCollectionJobResp(t *rapid.T) CollectionJobResp {
	return CollectionJobResp{
		ReportCount:             rapid.Uint64().Draw(t, "report count"),
		Interval:                drawInterval(t),
		LeaderEncryptedAggShare: drawHpkeCiphertext(t),
		HelperEncryptedAggShare: drawHpkeCiphertext(t),
	}
}

func drawAggregateShareReq(t *rapid.T) AggregateShareReq {
	return AggregateShareReq{
		CollectionJobReq: drawCollectionJobReq(t),
		BatchSelector:    drawBatchSelector(t),
		ReportCount:      rapid.Uint64().Draw(t, "report count"),
		Checksum:         drawID32(t, "checksum"),
	}
}

func drawAggregateShare(t *rapid.T) AggregateShare { return AggregateShare{drawHpkeCiphertext(t)} }

func drawReportMetadata(t *rapid.T) ReportMetadata {
	return ReportMetadata{
		ReportID:         drawID16(t, "report id"),
		Time:             Time(rapid.Uint64().Draw(t, "time")),
		PublicExtensions: drawExtensions(t, makeExtension),
	}
}

func drawReport(t *rapid.T) Report {
	return Report{
		Metadata:                  drawReportMetadata(t),
		PublicShare:               drawBytes(t, 0, 5, "public share"),
		LeaderEncryptedInputShare: drawHpkeCiphertext(t),
		HelperEncryptedInputShare: drawHpkeCiphertext(t),
	}
}

func drawUploadRequest(t *rapid.T) UploadRequest { return UploadRequest{drawList(t, 0, 3, drawReport)} }

func drawReportError(t *rapid.T) ReportError {
	return ReportError(rapid.IntRange(1, 11).Draw(t, "report error"))
}

func drawUploadErrors(t *rapid.T) UploadErrors {
	return UploadErrors{drawList(t, 0, 4, func(t *rapid.T) ReportUploadStatus {
		return ReportUploadStatus{drawID16(t, "id"), drawReportError(t)}
	})}
}

func drawPlaintextInputShare(t *rapid.T) PlaintextInputShare {
	return PlaintextInputShare{drawExtensions(t, makeExtension), drawBytes(t, 1, 9, "payload")}
}

func drawVerifyInit(t *rapid.T) VerifyInit {
	return VerifyInit{
		ReportShare: ReportShare{
			Metadata:            drawReportMetadata(t),
			PublicShare:         drawBytes(t, 0, 5, "public share"),
			EncryptedInputShare: drawHpkeCiphertext(t),
		},
		Payload: drawBytes(t, 1, 5, "payload"),
	}
}

func drawAggregationJobInitReq(t *rapid.T) AggregationJobInitReq {
	return AggregationJobInitReq{
		VerificationKeyID: rapid.Uint8().Draw(t, "key id"),
		AggParam:          drawBytes(t, 0, 5, "agg param"),
		Extensions:        drawExtensions(t, makeAggregationJobExtension),
		VerifyInits:       drawList(t, 0, 3, drawVerifyInit),
	}
}

func drawVerifyResp(t *rapid.T) VerifyResp {
	resp := VerifyResp{ReportID: drawID16(t, "report id"), Type: VerifyRespType(rapid.IntRange(0, 2).Draw(t, "type"))}
	switch resp.Type {
	case VerifyRespContinue:
		resp.Payload = drawBytes(t, 1, 5, "payload")
	case VerifyRespReject:
		resp.Error = drawReportError(t)
	}
	return resp
}

func drawAggregationJobResp(t *rapid.T) AggregationJobResp {
	return AggregationJobResp{drawList(t, 0, 4, drawVerifyResp)}
}

func drawAggregationJobContinueReq(t *rapid.T) AggregationJobContinueReq {
	return AggregationJobContinueReq{
		Step: rapid.Uint16().Draw(t, "step"),
		VerifyContinues: drawList(t, 0, 4, func(t *rapid.T) VerifyContinue {
			return VerifyContinue{drawID16(t, "report id"), drawBytes(t, 1, 5, "payload")}
		}),
	}
}

func drawVdafConfiguration(t *rapid.T) VdafConfiguration {
	u64, u32 := rapid.Uint64().Draw(t, "u64"), rapid.Uint32()
	length, chunk := u32.Draw(t, "length"), u32.Draw(t, "chunk")
	return rapid.SampledFrom([]VdafConfiguration{
		Prio3CountConfig{},
		Prio3SumConfig{u64},
		Prio3SumVecConfig{length, u64, chunk},
		Prio3HistogramConfig{length, chunk},
		Prio3MultihotCountVecConfig{length, chunk, u64},
		Poplar1Config{uint16(length)},
	}).Draw(t, "configuration")
}
