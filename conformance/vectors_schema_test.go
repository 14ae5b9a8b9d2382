package conformance

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
)

// vectorFile is a test vector in the schema of VDAF Appendix C, with the
// parameters of all the types of Prio3, and the additions that
// conformance/generate/README.md describes.
type vectorFile struct {
	Generator string `json:"generator"`

	Shares         int     `json:"shares"`
	Length         *int    `json:"length"`
	MaxMeasurement *uint64 `json:"max_measurement"`
	ChunkLength    *int    `json:"chunk_length"`
	MaxWeight      *int    `json:"max_weight"`
	Proofs         *int    `json:"proofs"`

	Ctx        hexBytes          `json:"ctx"`
	VerifyKey  hexBytes          `json:"verify_key"`
	AggParam   hexBytes          `json:"agg_param"`
	Reports    []vectorReport    `json:"reports"`
	AggShares  []hexBytes        `json:"agg_shares"`
	AggResult  json.RawMessage   `json:"agg_result"`
	Operations []vectorOperation `json:"operations"`
}

// vectorReport is a report of a vectorFile: VerifierShares by round and
// aggregator, VerifierMessages by round, the rest by aggregator.
type vectorReport struct {
	Comment          string          `json:"comment"`
	Measurement      json.RawMessage `json:"measurement"`
	Nonce            hexBytes        `json:"nonce"`
	Rand             hexBytes        `json:"rand"`
	PublicShare      hexBytes        `json:"public_share"`
	InputShares      []hexBytes      `json:"input_shares"`
	VerifierShares   [][]hexBytes    `json:"verifier_shares"`
	VerifierMessages []hexBytes      `json:"verifier_messages"`
	OutShares        []hexBytes      `json:"out_shares"`
}

// The kinds of operations.
const (
	opShard      = "shard"
	opVerifyInit = "verify_init"
	opMessage    = "verifier_shares_to_message"
	opVerifyNext = "verify_next"
	opAggregate  = "aggregate"
	opUnshard    = "unshard"
)

// vectorOperation is an operation of a vectorFile. What does not belong to its
// kind is nil.
type vectorOperation struct {
	Operation    string `json:"operation"`
	Round        *int   `json:"round"`
	AggregatorID *int   `json:"aggregator_id"`
	ReportIndex  *int   `json:"report_index"`
	Success      *bool  `json:"success"`
}

// hexBytes is a byte string that JSON holds in hexadecimal.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) error {
	decoded, err := hex.DecodeString(string(text))
	*h = decoded
	return err
}

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// decodeStrictly decodes the one JSON value that data holds. A member that
// target does not know is an error: a vector that is not understood in full
// must not pass for replayed.
func decodeStrictly(data []byte, target any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(target); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return fmt.Errorf("there is something behind the JSON value")
	}
	return nil
}

// at returns the element i of a list of the file, or an error that names it.
func at[T any](what string, list []T, i int) (element T, err error) {
	if i < 0 || i >= len(list) {
		return element, fmt.Errorf("the file has no %s %d (it has %d)", what, i, len(list))
	}
	return list[i], nil
}

// check checks the operation's members and the indices in them, so that the
// replayers can use them freely.
func (op vectorOperation) check(file *vectorFile) error {
	type needs struct{ round, aggregator, report bool }
	table := map[string]needs{
		opShard:      {report: true},
		opVerifyInit: {aggregator: true, report: true},
		opMessage:    {round: true, report: true},
		opVerifyNext: {round: true, aggregator: true, report: true},
		opAggregate:  {aggregator: true},
		opUnshard:    {},
	}
	want, known := table[op.Operation]
	switch {
	case !known:
		return fmt.Errorf("unknown operation %q", op.Operation)
	case op.Success == nil:
		return fmt.Errorf("%s: success is missing", op.Operation)
	case want.round != (op.Round != nil), want.aggregator != (op.AggregatorID != nil), want.report != (op.ReportIndex != nil):
		return fmt.Errorf("%s: round, aggregator_id or report_index is missing or does not belong there", op.Operation)
	case want.report && (*op.ReportIndex < 0 || *op.ReportIndex >= len(file.Reports)):
		return fmt.Errorf("%s: no report %d", op.Operation, *op.ReportIndex)
	case want.aggregator && (*op.AggregatorID < 0 || *op.AggregatorID >= file.Shares):
		return fmt.Errorf("%s: no aggregator %d", op.Operation, *op.AggregatorID)
	}
	return nil
}

// String names the operation in errors.
func (op vectorOperation) String() string {
	s := op.Operation
	for _, part := range []struct {
		name  string
		value *int
	}{{"report", op.ReportIndex}, {"aggregator", op.AggregatorID}, {"round", op.Round}} {
		if part.value != nil {
			s += fmt.Sprintf(", %s %d", part.name, *part.value)
		}
	}
	return s
}
