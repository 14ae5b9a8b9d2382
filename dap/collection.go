package dap

import (
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// Query is the Collector's query (DAP Section 4.6.1). NewTimeIntervalQuery and
// NewLeaderSelectedQuery make one.
//
//	struct {
//	  BatchMode batch_mode;
//	  opaque config<0..2^16-1>;
//	} Query;
type Query struct {
	BatchMode BatchMode
	Config    []byte
}

func (q *Query) encode(b *cryptobyte.Builder) {
	addBatchMode(b, q.BatchMode, "Query")
	addVector16(b, q.Config, 0, "Query", "config")
}

func (q *Query) decode(s *cryptobyte.String) (err error) {
	if err := readBatchMode(s, &q.BatchMode, "Query"); err != nil {
		return err
	}
	q.Config, err = readVector16(s, 0, "Query", "config")
	return err
}

// Encode returns the encoding of the query.
func (q Query) Encode() ([]byte, error) { return encodeMessage(&q, 3+len(q.Config)) }

// DecodeQuery decodes a Query, which aliases b.
func DecodeQuery(b []byte) (Query, error) {
	var q Query
	s := cryptobyte.String(b)
	if err := q.decode(&s); err != nil {
		return Query{}, err
	}
	if err := checkEnd(s, "Query"); err != nil {
		return Query{}, err
	}
	return q, nil
}

// BatchSelector says to the Helper which batch is collected (DAP Section
// 4.6.4). NewTimeIntervalBatchSelector and NewLeaderSelectedBatchSelector make
// one.
//
//	struct {
//	  BatchMode batch_mode;
//	  opaque config<0..2^16-1>;
//	} BatchSelector;
type BatchSelector struct {
	BatchMode BatchMode
	Config    []byte
}

func (q *BatchSelector) encode(b *cryptobyte.Builder) {
	addBatchMode(b, q.BatchMode, "BatchSelector")
	addVector16(b, q.Config, 0, "BatchSelector", "config")
}

func (q *BatchSelector) decode(s *cryptobyte.String) (err error) {
	if err := readBatchMode(s, &q.BatchMode, "BatchSelector"); err != nil {
		return err
	}
	q.Config, err = readVector16(s, 0, "BatchSelector", "config")
	return err
}

// Encode returns the encoding of the batch selector.
func (q BatchSelector) Encode() ([]byte, error) { return encodeMessage(&q, 3+len(q.Config)) }

// DecodeBatchSelector decodes a BatchSelector, which aliases b.
func DecodeBatchSelector(b []byte) (BatchSelector, error) {
	var q BatchSelector
	s := cryptobyte.String(b)
	if err := q.decode(&s); err != nil {
		return BatchSelector{}, err
	}
	if err := checkEnd(s, "BatchSelector"); err != nil {
		return BatchSelector{}, err
	}
	return q, nil
}

// addBatchMode writes a batch mode, which must be known.
func addBatchMode(b *cryptobyte.Builder, mode BatchMode, message string) {
	if !mode.IsKnown() {
		failEncoding(b, message, "batch_mode", fmt.Sprintf("%d is not a batch mode", mode))
	}
	b.AddUint8(uint8(mode))
}

// readBatchMode reads a batch mode, which must be known.
func readBatchMode(s *cryptobyte.String, mode *BatchMode, message string) error {
	if !s.ReadUint8((*uint8)(mode)) {
		return truncated(message, "batch_mode")
	}
	if !mode.IsKnown() {
		return unknownValue(message, "batch_mode", uint64(*mode))
	}
	return nil
}

// CollectionJobReq creates a collection job at the Leader (DAP Section 4.6.1).
// The extensions may have any order here: CheckCollectionJobExtensions.
//
//	struct {
//	  Query query;
//	  opaque agg_param<0..2^32-1>;
//	  CollectionJobExtension extensions<0..2^16-1>;
//	} CollectionJobReq;
type CollectionJobReq struct {
	Query      Query
	AggParam   []byte
	Extensions []CollectionJobExtension
}

func (m *CollectionJobReq) encode(b *cryptobyte.Builder) {
	m.Query.encode(b)
	addVector32(b, m.AggParam, 0, "CollectionJobReq", "agg_param")
	addExtensions(b, m.Extensions, splitCollectionJobExtension, "CollectionJobReq", "extensions")
}

func (m *CollectionJobReq) decode(s *cryptobyte.String) (err error) {
	if err := m.Query.decode(s); err != nil {
		return within(err, "CollectionJobReq", "query")
	}
	if m.AggParam, err = readVector32(s, 0, "CollectionJobReq", "agg_param"); err != nil {
		return err
	}
	m.Extensions, err = readExtensions(s, makeCollectionJobExtension, "CollectionJobReq", "extensions")
	return err
}

// Encode returns the encoding of the request.
func (m CollectionJobReq) Encode() ([]byte, error) { return encodeMessage(&m, 0) }

// DecodeCollectionJobReq decodes a CollectionJobReq, which aliases b.
func DecodeCollectionJobReq(b []byte) (CollectionJobReq, error) {
	var m CollectionJobReq
	s := cryptobyte.String(b)
	if err := m.decode(&s); err != nil {
		return CollectionJobReq{}, err
	}
	if err := checkEnd(s, "CollectionJobReq"); err != nil {
		return CollectionJobReq{}, err
	}
	return m, nil
}

// CollectionJobResp is the result of a collection job (DAP Section 4.6.1).
// Interval is the smallest one that contains the times of all the batch's
// reports; that it is well formed is not checked here.
//
//	struct {
//	  uint64 report_count;
//	  Interval interval;
//	  HpkeCiphertext leader_encrypted_agg_share;
//	  HpkeCiphertext helper_encrypted_agg_share;
//	} CollectionJobResp;
type CollectionJobResp struct {
	ReportCount             uint64
	Interval                Interval
	LeaderEncryptedAggShare HpkeCiphertext
	HelperEncryptedAggShare HpkeCiphertext
}

func (m *CollectionJobResp) encode(b *cryptobyte.Builder) {
	b.AddUint64(m.ReportCount)
	m.Interval.encode(b)
	m.LeaderEncryptedAggShare.encode(b)
	m.HelperEncryptedAggShare.encode(b)
}

// Encode returns the encoding of the response.
func (m CollectionJobResp) Encode() ([]byte, error) {
	return encodeMessage(&m, 8+intervalLength+m.LeaderEncryptedAggShare.encodedLength()+m.HelperEncryptedAggShare.encodedLength())
}

// DecodeCollectionJobResp decodes a CollectionJobResp, which aliases b.
func DecodeCollectionJobResp(b []byte) (CollectionJobResp, error) {
	const message = "CollectionJobResp"
	var m CollectionJobResp
	s := cryptobyte.String(b)
	if !s.ReadUint64(&m.ReportCount) {
		return CollectionJobResp{}, truncated(message, "report_count")
	}
	if err := m.Interval.decode(&s); err != nil {
		return CollectionJobResp{}, within(err, message, "interval")
	}
	if err := m.LeaderEncryptedAggShare.decode(&s); err != nil {
		return CollectionJobResp{}, within(err, message, "leader_encrypted_agg_share")
	}
	if err := m.HelperEncryptedAggShare.decode(&s); err != nil {
		return CollectionJobResp{}, within(err, message, "helper_encrypted_agg_share")
	}
	if err := checkEnd(s, message); err != nil {
		return CollectionJobResp{}, err
	}
	return m, nil
}

// AggregateShareReq asks the Helper for its aggregate share (DAP Section 4.6.4).
//
//	struct {
//	  CollectionJobReq collection_job_req;
//	  BatchSelector batch_selector;
//	  uint64 report_count;
//	  opaque checksum[32];
//	} AggregateShareReq;
type AggregateShareReq struct {
	CollectionJobReq CollectionJobReq
	BatchSelector    BatchSelector
	ReportCount      uint64
	Checksum         Checksum
}

func (m *AggregateShareReq) encode(b *cryptobyte.Builder) {
	m.CollectionJobReq.encode(b)
	m.BatchSelector.encode(b)
	b.AddUint64(m.ReportCount)
	b.AddBytes(m.Checksum[:])
}

// Encode returns the encoding of the request.
func (m AggregateShareReq) Encode() ([]byte, error) { return encodeMessage(&m, 0) }

// DecodeAggregateShareReq decodes an AggregateShareReq, which aliases b.
func DecodeAggregateShareReq(b []byte) (AggregateShareReq, error) {
	const message = "AggregateShareReq"
	var m AggregateShareReq
	s := cryptobyte.String(b)
	if err := m.CollectionJobReq.decode(&s); err != nil {
		return AggregateShareReq{}, within(err, message, "collection_job_req")
	}
	if err := m.BatchSelector.decode(&s); err != nil {
		return AggregateShareReq{}, within(err, message, "batch_selector")
	}
	if !s.ReadUint64(&m.ReportCount) {
		return AggregateShareReq{}, truncated(message, "report_count")
	}
	if !s.CopyBytes(m.Checksum[:]) {
		return AggregateShareReq{}, truncated(message, "checksum")
	}
	if err := checkEnd(s, message); err != nil {
		return AggregateShareReq{}, err
	}
	return m, nil
}

// AggregateShare is the Helper's aggregate share, encrypted to the Collector
// (DAP Section 4.6.4).
//
//	struct {
//	  HpkeCiphertext encrypted_aggregate_share;
//	} AggregateShare;
type AggregateShare struct{ EncryptedAggregateShare HpkeCiphertext }

func (m *AggregateShare) encode(b *cryptobyte.Builder) { m.EncryptedAggregateShare.encode(b) }

// Encode returns the encoding of the aggregate share.
func (m AggregateShare) Encode() ([]byte, error) {
	return encodeMessage(&m, m.EncryptedAggregateShare.encodedLength())
}

// DecodeAggregateShare decodes an AggregateShare, which aliases b.
func DecodeAggregateShare(b []byte) (AggregateShare, error) {
	var m AggregateShare
	s := cryptobyte.String(b)
	if err := m.EncryptedAggregateShare.decode(&s); err != nil {
		return AggregateShare{}, within(err, "AggregateShare", "encrypted_aggregate_share")
	}
	if err := checkEnd(s, "AggregateShare"); err != nil {
		return AggregateShare{}, err
	}
	return m, nil
}

// AggregateShareAad is the associated data with which an aggregate share is
// encrypted (DAP Section 4.6.7). It is never sent, so there is no decoder.
//
//	struct {
//	  TaskID task_id;
//	  TaskConfiguration task_configuration;
//	  CollectionJobReq collection_job_req;
//	} AggregateShareAad;
type AggregateShareAad struct {
	TaskID            TaskID
	TaskConfiguration []byte // encoded TaskConfiguration
	CollectionJobReq  CollectionJobReq
}

func (a *AggregateShareAad) encode(b *cryptobyte.Builder) {
	b.AddBytes(a.TaskID[:])
	b.AddBytes(a.TaskConfiguration)
	a.CollectionJobReq.encode(b)
}

// Encode returns the encoding of the associated data. It is an error if
// TaskConfiguration is not the encoding of one.
func (a AggregateShareAad) Encode() ([]byte, error) {
	if err := checkEncodedTaskConfiguration("AggregateShareAad", a.TaskConfiguration); err != nil {
		return nil, err
	}
	return encodeMessage(&a, 0)
}
