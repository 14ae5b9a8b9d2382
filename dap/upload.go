package dap

import (
	"fmt"
	"io"
	"log/slog"

	"golang.org/x/crypto/cryptobyte"
)

// ReportMetadata is the public metadata of a report (DAP Section 4.4.2).
//
//	struct {
//	  ReportID report_id;
//	  Time time;
//	  Extension public_extensions<0..2^16-1>;
//	} ReportMetadata;
type ReportMetadata struct {
	ReportID         ReportID
	Time             Time
	PublicExtensions []Extension
}

func (m *ReportMetadata) encodedLength() int { return 16 + 8 + extensionsLength(m.PublicExtensions) }

func (m *ReportMetadata) encode(b *cryptobyte.Builder) {
	b.AddBytes(m.ReportID[:])
	b.AddUint64(uint64(m.Time))
	addExtensions(b, m.PublicExtensions, splitExtension, "ReportMetadata", "public_extensions")
}

func (m *ReportMetadata) decode(s *cryptobyte.String) (err error) {
	if !s.CopyBytes(m.ReportID[:]) {
		return truncated("ReportMetadata", "report_id")
	}
	if !s.ReadUint64((*uint64)(&m.Time)) {
		return truncated("ReportMetadata", "time")
	}
	m.PublicExtensions, err = readExtensions(s, makeExtension, "ReportMetadata", "public_extensions")
	return err
}

// Encode returns the encoding of the metadata.
func (m ReportMetadata) Encode() ([]byte, error) { return encodeMessage(&m, m.encodedLength()) }

// AppendTo appends the encoding of the metadata to dst.
func (m ReportMetadata) AppendTo(dst []byte) ([]byte, error) { return appendMessage(dst, &m) }

// DecodeReportMetadata decodes a ReportMetadata, which aliases b.
func DecodeReportMetadata(b []byte) (ReportMetadata, error) {
	var m ReportMetadata
	s := cryptobyte.String(b)
	if err := m.decode(&s); err != nil {
		return ReportMetadata{}, err
	}
	if err := checkEnd(s, "ReportMetadata"); err != nil {
		return ReportMetadata{}, err
	}
	return m, nil
}

// Report is a report as a Client uploads it (DAP Section 4.4.2).
//
//	struct {
//	  ReportMetadata report_metadata;
//	  opaque public_share<0..2^32-1>;
//	  HpkeCiphertext leader_encrypted_input_share;
//	  HpkeCiphertext helper_encrypted_input_share;
//	} Report;
type Report struct {
	Metadata                  ReportMetadata
	PublicShare               []byte
	LeaderEncryptedInputShare HpkeCiphertext
	HelperEncryptedInputShare HpkeCiphertext
}

func (r *Report) encodedLength() int {
	return r.Metadata.encodedLength() + 4 + len(r.PublicShare) +
		r.LeaderEncryptedInputShare.encodedLength() + r.HelperEncryptedInputShare.encodedLength()
}

func (r *Report) encode(b *cryptobyte.Builder) {
	r.Metadata.encode(b)
	addVector32(b, r.PublicShare, 0, "Report", "public_share")
	r.LeaderEncryptedInputShare.encode(b)
	r.HelperEncryptedInputShare.encode(b)
}

func (r *Report) decode(s *cryptobyte.String) (err error) {
	if err := r.Metadata.decode(s); err != nil {
		return within(err, "Report", "report_metadata")
	}
	if r.PublicShare, err = readVector32(s, 0, "Report", "public_share"); err != nil {
		return err
	}
	if err := r.LeaderEncryptedInputShare.decode(s); err != nil {
		return within(err, "Report", "leader_encrypted_input_share")
	}
	if err := r.HelperEncryptedInputShare.decode(s); err != nil {
		return within(err, "Report", "helper_encrypted_input_share")
	}
	return nil
}

// Encode returns the encoding of the report.
func (r Report) Encode() ([]byte, error) { return encodeMessage(&r, r.encodedLength()) }

// AppendTo appends the encoding of the report to dst.
func (r Report) AppendTo(dst []byte) ([]byte, error) { return appendMessage(dst, &r) }

// DecodeReport decodes a single Report, which aliases b. UploadReader decodes
// many.
func DecodeReport(b []byte) (Report, error) {
	var r Report
	s := cryptobyte.String(b)
	if err := r.decode(&s); err != nil {
		return Report{}, err
	}
	if err := checkEnd(s, "Report"); err != nil {
		return Report{}, err
	}
	return r, nil
}

// UploadRequest is a sequence of reports up to the end of the HTTP message
// content (DAP Section 4.4.2). It may be empty.
//
//	struct {
//	  Report reports[message_length];
//	} UploadRequest;
type UploadRequest struct{ Reports []Report }

func (m *UploadRequest) encode(b *cryptobyte.Builder) {
	for i := range m.Reports {
		m.Reports[i].encode(b)
	}
}

// Encode returns the encoding of the request.
func (m UploadRequest) Encode() ([]byte, error) {
	size := 0
	for i := range m.Reports {
		size += m.Reports[i].encodedLength()
	}
	return encodeMessage(&m, size)
}

// DecodeUploadRequest decodes an UploadRequest, which aliases b.
func DecodeUploadRequest(b []byte) (UploadRequest, error) {
	var m UploadRequest
	reader := NewUploadReader(b)
	for {
		report, raw, err := reader.Next()
		if err == io.EOF {
			return m, nil
		}
		if err != nil {
			return UploadRequest{}, err
		}
		if m.Reports == nil {
			m.Reports = newList[Report](len(b), len(raw))
		}
		m.Reports = append(m.Reports, report)
	}
}

// UploadReader reads the reports of an encoded UploadRequest one after the
// other, each together with its own encoding. A malformed report shows only
// when the reader reaches it: who must refuse the whole request because of it
// reads to the end before accepting anything. It is not for concurrent use.
type UploadReader struct {
	rest cryptobyte.String
	next int // index of the next report
	err  error
}

// NewUploadReader returns a reader of the UploadRequest encoded in b.
func NewUploadReader(b []byte) *UploadReader { return &UploadReader{rest: b} }

// Next returns the next report and its encoding, both of which alias the bytes
// that the reader was made with. At the end it returns io.EOF, and a
// *DecodeError for a malformed report; either is final.
func (r *UploadReader) Next() (Report, []byte, error) {
	if r.err != nil {
		return Report{}, nil, r.err
	}
	if r.rest.Empty() {
		r.err = io.EOF
		return Report{}, nil, r.err
	}
	var report Report
	before := r.rest
	if err := report.decode(&r.rest); err != nil {
		r.err = withinElement(err, "UploadRequest", "reports", r.next)
		return Report{}, nil, r.err
	}
	r.next++
	n := len(before) - len(r.rest)
	return report, before[:n:n], nil
}

// ReportUploadStatus is the error of a single report in an upload (DAP Section
// 4.4.2.2).
//
//	struct {
//	  ReportID id;
//	  ReportError error;
//	} ReportUploadStatus;
type ReportUploadStatus struct {
	ID    ReportID
	Error ReportError
}

// UploadErrors is the Leader's answer to an upload of which some reports failed
// (DAP Section 4.4.2.2).
//
//	struct {
//	  ReportUploadStatus status[message_length];
//	} UploadErrors;
type UploadErrors struct{ Status []ReportUploadStatus }

const reportUploadStatusLength = 17 // bytes of an encoded ReportUploadStatus

func (m *UploadErrors) encode(b *cryptobyte.Builder) {
	for i := range m.Status {
		status := &m.Status[i]
		if !status.Error.IsKnown() {
			failEncoding(b, "UploadErrors", fmt.Sprintf("status[%d].error", i), fmt.Sprintf("%d is not a report error", status.Error))
			return
		}
		b.AddBytes(status.ID[:])
		b.AddUint8(uint8(status.Error))
	}
}

// Encode returns the encoding of the errors.
func (m UploadErrors) Encode() ([]byte, error) {
	return encodeMessage(&m, len(m.Status)*reportUploadStatusLength)
}

// DecodeUploadErrors decodes an UploadErrors.
func DecodeUploadErrors(b []byte) (UploadErrors, error) {
	var m UploadErrors
	if len(b) > 0 {
		m.Status = make([]ReportUploadStatus, 0, len(b)/reportUploadStatusLength)
	}
	for s := cryptobyte.String(b); !s.Empty(); {
		var status ReportUploadStatus
		if !s.CopyBytes(status.ID[:]) {
			return UploadErrors{}, withinElement(truncated("ReportUploadStatus", "id"), "UploadErrors", "status", len(m.Status))
		}
		if !s.ReadUint8((*uint8)(&status.Error)) {
			return UploadErrors{}, withinElement(truncated("ReportUploadStatus", "error"), "UploadErrors", "status", len(m.Status))
		}
		if !status.Error.IsKnown() {
			return UploadErrors{}, withinElement(unknownValue("ReportUploadStatus", "error", uint64(status.Error)), "UploadErrors", "status", len(m.Status))
		}
		m.Status = append(m.Status, status)
	}
	return m, nil
}

// PlaintextInputShare is an Aggregator's input share before it is encrypted
// (DAP Section 4.4.2.1). It is secret and redacts itself when printed.
//
//	struct {
//	  Extension private_extensions<0..2^16-1>;
//	  opaque payload<1..2^32-1>;
//	} PlaintextInputShare;
type PlaintextInputShare struct {
	PrivateExtensions []Extension
	Payload           []byte
}

func (p *PlaintextInputShare) encode(b *cryptobyte.Builder) {
	addExtensions(b, p.PrivateExtensions, splitExtension, "PlaintextInputShare", "private_extensions")
	addVector32(b, p.Payload, 1, "PlaintextInputShare", "payload")
}

func (p *PlaintextInputShare) encodedLength() int {
	return extensionsLength(p.PrivateExtensions) + 4 + len(p.Payload)
}

// Encode returns the encoding of the input share, which is as secret as it is.
func (p PlaintextInputShare) Encode() ([]byte, error) { return encodeMessage(&p, p.encodedLength()) }

// DecodePlaintextInputShare decodes a PlaintextInputShare, which aliases b.
func DecodePlaintextInputShare(b []byte) (PlaintextInputShare, error) {
	var p PlaintextInputShare
	var err error
	s := cryptobyte.String(b)
	if p.PrivateExtensions, err = readExtensions(&s, makeExtension, "PlaintextInputShare", "private_extensions"); err != nil {
		return PlaintextInputShare{}, err
	}
	if p.Payload, err = readVector32(&s, 1, "PlaintextInputShare", "payload"); err != nil {
		return PlaintextInputShare{}, err
	}
	if err := checkEnd(s, "PlaintextInputShare"); err != nil {
		return PlaintextInputShare{}, err
	}
	return p, nil
}

// Format prints lengths in place of the input share, whatever the verb.
func (p PlaintextInputShare) Format(f fmt.State, _ rune) { io.WriteString(f, p.redacted()) }

// LogValue logs lengths in place of the input share.
func (p PlaintextInputShare) LogValue() slog.Value { return slog.StringValue(p.redacted()) }

func (p PlaintextInputShare) redacted() string {
	return fmt.Sprintf("PlaintextInputShare{%d extensions, %d bytes, redacted}", len(p.PrivateExtensions), len(p.Payload))
}

// InputShareAad is the associated data with which an input share is encrypted
// (DAP Section 4.4.2.1). It is never sent, so there is no decoder.
//
//	struct {
//	  TaskID task_id;
//	  TaskConfiguration task_configuration;
//	  ReportMetadata report_metadata;
//	  opaque public_share<0..2^32-1>;
//	} InputShareAad;
type InputShareAad struct {
	TaskID            TaskID
	TaskConfiguration []byte // encoded TaskConfiguration
	Metadata          ReportMetadata
	PublicShare       []byte
}

func (a *InputShareAad) encode(b *cryptobyte.Builder) {
	b.AddBytes(a.TaskID[:])
	b.AddBytes(a.TaskConfiguration)
	a.Metadata.encode(b)
	addVector32(b, a.PublicShare, 0, "InputShareAad", "public_share")
}

// Encode returns the encoding of the associated data. It is an error if
// TaskConfiguration is not the encoding of one.
func (a InputShareAad) Encode() ([]byte, error) {
	if err := checkEncodedTaskConfiguration("InputShareAad", a.TaskConfiguration); err != nil {
		return nil, err
	}
	return encodeMessage(&a, len(a.TaskID)+len(a.TaskConfiguration)+a.Metadata.encodedLength()+4+len(a.PublicShare))
}

// VdafContext returns the application context string of a task's VDAF
// operations, `"dap-18" || task_id` (DAP Section 4.4.2.1).
func VdafContext(id TaskID) []byte { return append([]byte(protocolVersion), id[:]...) }
