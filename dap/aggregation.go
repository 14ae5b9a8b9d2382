package dap

import (
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// ReportShare is a report as the Helper gets it (DAP Section 4.5.3.1).
//
//	struct {
//	  ReportMetadata report_metadata;
//	  opaque public_share<0..2^32-1>;
//	  HpkeCiphertext encrypted_input_share;
//	} ReportShare;
type ReportShare struct {
	Metadata            ReportMetadata
	PublicShare         []byte
	EncryptedInputShare HpkeCiphertext
}

func (r *ReportShare) encodedLength() int {
	return r.Metadata.encodedLength() + 4 + len(r.PublicShare) + r.EncryptedInputShare.encodedLength()
}

func (r *ReportShare) encode(b *cryptobyte.Builder) {
	r.Metadata.encode(b)
	addVector32(b, r.PublicShare, 0, "ReportShare", "public_share")
	r.EncryptedInputShare.encode(b)
}

func (r *ReportShare) decode(s *cryptobyte.String) (err error) {
	if err := r.Metadata.decode(s); err != nil {
		return within(err, "ReportShare", "report_metadata")
	}
	if r.PublicShare, err = readVector32(s, 0, "ReportShare", "public_share"); err != nil {
		return err
	}
	if err := r.EncryptedInputShare.decode(s); err != nil {
		return within(err, "ReportShare", "encrypted_input_share")
	}
	return nil
}

// VerifyInit starts the verification of one report at the Helper (DAP Section
// 4.5.3.1).
//
//	struct {
//	  ReportShare report_share;
//	  opaque payload<1..2^32-1>;
//	} VerifyInit;
type VerifyInit struct {
	ReportShare ReportShare
	Payload     []byte
}

func (v *VerifyInit) encodedLength() int { return v.ReportShare.encodedLength() + 4 + len(v.Payload) }

func (v *VerifyInit) encode(b *cryptobyte.Builder) {
	v.ReportShare.encode(b)
	addVector32(b, v.Payload, 1, "VerifyInit", "payload")
}

func (v *VerifyInit) decode(s *cryptobyte.String) (err error) {
	if err := v.ReportShare.decode(s); err != nil {
		return within(err, "VerifyInit", "report_share")
	}
	v.Payload, err = readVector32(s, 1, "VerifyInit", "payload")
	return err
}

// Encode returns the encoding of the message.
func (v VerifyInit) Encode() ([]byte, error) { return encodeMessage(&v, v.encodedLength()) }

// AppendTo appends the encoding of the message to dst.
func (v VerifyInit) AppendTo(dst []byte) ([]byte, error) { return appendMessage(dst, &v) }

// DecodeVerifyInit decodes a single VerifyInit, which aliases b.
func DecodeVerifyInit(b []byte) (VerifyInit, error) {
	var v VerifyInit
	s := cryptobyte.String(b)
	if err := v.decode(&s); err != nil {
		return VerifyInit{}, err
	}
	if err := checkEnd(s, "VerifyInit"); err != nil {
		return VerifyInit{}, err
	}
	return v, nil
}

// AggregationJobInitReq creates an aggregation job at the Helper (DAP Section
// 4.5.3.1). VerifyInits go up to the end of the HTTP message content. The
// extensions may have any order here: CheckAggregationJobExtensions.
//
//	struct {
//	  uint8 verification_key_id;
//	  opaque agg_param<0..2^32-1>;
//	  AggregationJobExtension extensions<0..2^16-1>;
//	  VerifyInit verify_inits[verify_inits_length];
//	} AggregationJobInitReq;
type AggregationJobInitReq struct {
	VerificationKeyID uint8
	AggParam          []byte
	Extensions        []AggregationJobExtension
	VerifyInits       []VerifyInit
}

func (m *AggregationJobInitReq) encode(b *cryptobyte.Builder) {
	b.AddUint8(m.VerificationKeyID)
	addVector32(b, m.AggParam, 0, "AggregationJobInitReq", "agg_param")
	addExtensions(b, m.Extensions, splitAggregationJobExtension, "AggregationJobInitReq", "extensions")
	for i := range m.VerifyInits {
		m.VerifyInits[i].encode(b)
	}
}

// Encode returns the encoding of the request.
func (m AggregationJobInitReq) Encode() ([]byte, error) {
	size := 1 + 4 + len(m.AggParam) + 2
	for _, e := range m.Extensions {
		size += 4 + len(e.Data)
	}
	for i := range m.VerifyInits {
		size += m.VerifyInits[i].encodedLength()
	}
	return encodeMessage(&m, size)
}

// DecodeAggregationJobInitReq decodes an AggregationJobInitReq, which aliases b.
func DecodeAggregationJobInitReq(b []byte) (AggregationJobInitReq, error) {
	var m AggregationJobInitReq
	var err error
	s := cryptobyte.String(b)
	if !s.ReadUint8(&m.VerificationKeyID) {
		return AggregationJobInitReq{}, truncated("AggregationJobInitReq", "verification_key_id")
	}
	if m.AggParam, err = readVector32(&s, 0, "AggregationJobInitReq", "agg_param"); err != nil {
		return AggregationJobInitReq{}, err
	}
	if m.Extensions, err = readExtensions(&s, makeAggregationJobExtension, "AggregationJobInitReq", "extensions"); err != nil {
		return AggregationJobInitReq{}, err
	}
	if m.VerifyInits, err = readVerifyInits(s); err != nil {
		return AggregationJobInitReq{}, err
	}
	return m, nil
}

func readVerifyInits(s cryptobyte.String) ([]VerifyInit, error) {
	var verifyInits []VerifyInit
	for !s.Empty() {
		var v VerifyInit
		before := len(s)
		if err := v.decode(&s); err != nil {
			return nil, withinElement(err, "AggregationJobInitReq", "verify_inits", len(verifyInits))
		}
		if verifyInits == nil {
			verifyInits = newList[VerifyInit](before, before-len(s))
		}
		verifyInits = append(verifyInits, v)
	}
	return verifyInits, nil
}

// VerifyResp is the Helper's answer about one report (DAP Section 4.5.3.2).
//
//	struct {
//	  ReportID report_id;
//	  VerifyRespType verify_resp_type;
//	  select (VerifyResp.verify_resp_type) {
//	    case continue: opaque payload<1..2^32-1>;
//	    case finish:   Empty;
//	    case reject:   ReportError report_error;
//	  };
//	} VerifyResp;
type VerifyResp struct {
	ReportID ReportID
	Type     VerifyRespType
	Payload  []byte      // only VerifyRespContinue
	Error    ReportError // only VerifyRespReject
}

func (v *VerifyResp) encode(b *cryptobyte.Builder) {
	b.AddBytes(v.ReportID[:])
	b.AddUint8(uint8(v.Type))
	if v.Type != VerifyRespContinue && len(v.Payload) > 0 {
		failEncoding(b, "VerifyResp", "payload", "present in a response of type "+v.Type.String())
		return
	}
	if v.Type != VerifyRespReject && v.Error != 0 {
		failEncoding(b, "VerifyResp", "report_error", "present in a response of type "+v.Type.String())
		return
	}
	switch v.Type {
	case VerifyRespContinue:
		addVector32(b, v.Payload, 1, "VerifyResp", "payload")
	case VerifyRespFinish:
	case VerifyRespReject:
		if !v.Error.IsKnown() {
			failEncoding(b, "VerifyResp", "report_error", fmt.Sprintf("%d is not a report error", v.Error))
		}
		b.AddUint8(uint8(v.Error))
	default:
		failEncoding(b, "VerifyResp", "verify_resp_type", fmt.Sprintf("%d is not a type of response", v.Type))
	}
}

func (v *VerifyResp) decode(s *cryptobyte.String) (err error) {
	if !s.CopyBytes(v.ReportID[:]) {
		return truncated("VerifyResp", "report_id")
	}
	if !s.ReadUint8((*uint8)(&v.Type)) {
		return truncated("VerifyResp", "verify_resp_type")
	}
	switch v.Type {
	case VerifyRespContinue:
		v.Payload, err = readVector32(s, 1, "VerifyResp", "payload")
		return err
	case VerifyRespFinish:
		return nil
	case VerifyRespReject:
		if !s.ReadUint8((*uint8)(&v.Error)) {
			return truncated("VerifyResp", "report_error")
		}
		if !v.Error.IsKnown() {
			return unknownValue("VerifyResp", "report_error", uint64(v.Error))
		}
		return nil
	}
	return unknownValue("VerifyResp", "verify_resp_type", uint64(v.Type))
}

// AggregationJobResp is the Helper's answer to one step of an aggregation job
// (DAP Section 4.5.3.2), up to the end of the HTTP message content.
//
//	struct {
//	  VerifyResp verify_resps[message_length];
//	} AggregationJobResp;
type AggregationJobResp struct{ VerifyResps []VerifyResp }

func (m *AggregationJobResp) encode(b *cryptobyte.Builder) {
	for i := range m.VerifyResps {
		m.VerifyResps[i].encode(b)
	}
}

// Encode returns the encoding of the response.
func (m AggregationJobResp) Encode() ([]byte, error) {
	size := 0
	for i := range m.VerifyResps {
		size += 16 + 1 + 4 + len(m.VerifyResps[i].Payload)
	}
	return encodeMessage(&m, size)
}

// DecodeAggregationJobResp decodes an AggregationJobResp, which aliases b.
func DecodeAggregationJobResp(b []byte) (AggregationJobResp, error) {
	var m AggregationJobResp
	for s := cryptobyte.String(b); !s.Empty(); {
		var v VerifyResp
		before := len(s)
		if err := v.decode(&s); err != nil {
			return AggregationJobResp{}, withinElement(err, "AggregationJobResp", "verify_resps", len(m.VerifyResps))
		}
		if m.VerifyResps == nil {
			m.VerifyResps = newList[VerifyResp](before, before-len(s))
		}
		m.VerifyResps = append(m.VerifyResps, v)
	}
	return m, nil
}

// VerifyContinue continues the verification of one report at the Helper (DAP
// Section 4.5.4.1).
//
//	struct {
//	  ReportID report_id;
//	  opaque payload<1..2^32-1>;
//	} VerifyContinue;
type VerifyContinue struct {
	ReportID ReportID
	Payload  []byte
}

func (v *VerifyContinue) encode(b *cryptobyte.Builder) {
	b.AddBytes(v.ReportID[:])
	addVector32(b, v.Payload, 1, "VerifyContinue", "payload")
}

func (v *VerifyContinue) decode(s *cryptobyte.String) (err error) {
	if !s.CopyBytes(v.ReportID[:]) {
		return truncated("VerifyContinue", "report_id")
	}
	v.Payload, err = readVector32(s, 1, "VerifyContinue", "payload")
	return err
}

// AggregationJobContinueReq asks the Helper for the next step of an aggregation
// job (DAP Section 4.5.4.1). VerifyContinues go up to the end of the HTTP
// message content.
//
//	struct {
//	  uint16 step;
//	  VerifyContinue verify_continues[verify_continues_length];
//	} AggregationJobContinueReq;
type AggregationJobContinueReq struct {
	Step            uint16
	VerifyContinues []VerifyContinue
}

func (m *AggregationJobContinueReq) encode(b *cryptobyte.Builder) {
	b.AddUint16(m.Step)
	for i := range m.VerifyContinues {
		m.VerifyContinues[i].encode(b)
	}
}

// Encode returns the encoding of the request.
func (m AggregationJobContinueReq) Encode() ([]byte, error) {
	size := 2
	for i := range m.VerifyContinues {
		size += 16 + 4 + len(m.VerifyContinues[i].Payload)
	}
	return encodeMessage(&m, size)
}

// DecodeAggregationJobContinueReq decodes an AggregationJobContinueReq, which
// aliases b. Step 0 decodes; the Helper refuses it (DAP Section 4.5.4.2).
func DecodeAggregationJobContinueReq(b []byte) (AggregationJobContinueReq, error) {
	var m AggregationJobContinueReq
	s := cryptobyte.String(b)
	if !s.ReadUint16(&m.Step) {
		return AggregationJobContinueReq{}, truncated("AggregationJobContinueReq", "step")
	}
	for !s.Empty() {
		var v VerifyContinue
		before := len(s)
		if err := v.decode(&s); err != nil {
			return AggregationJobContinueReq{}, withinElement(err, "AggregationJobContinueReq", "verify_continues", len(m.VerifyContinues))
		}
		if m.VerifyContinues == nil {
			m.VerifyContinues = newList[VerifyContinue](before, before-len(s))
		}
		m.VerifyContinues = append(m.VerifyContinues, v)
	}
	return m, nil
}
