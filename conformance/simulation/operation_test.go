package simulation

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// operation is one thing that happens. It refers to reports and collections by
// number, and to times as distances from now, so that it makes sense in any list.
type operation struct {
	Kind kind `json:"op"`
	// Number is that of the first report, or of the collection.
	Number int `json:"number,omitempty"`
	// Count is how many reports, how long an interval, how often a fault.
	Count int `json:"count,omitempty"`
	// Offset is a report's time, or the start of an interval, in time precisions from now.
	Offset int      `json:"offset,omitempty"`
	Plan   plan     `json:"plan,omitzero"`
	Param  int      `json:"param,omitempty"` // the weight that is the aggregation parameter
	Side   side     `json:"side,omitempty"`
	For    duration `json:"for,omitempty"`
	// Request is the kind of request that a fault of the network meets; empty: any.
	Request string `json:"request,omitempty"`
	Fault   fault  `json:"fault,omitempty"`
	// Skip is how many requests or commits a fault lets pass.
	Skip int `json:"skip,omitempty"`
	// Beside: the next operation begins before this one has ended.
	Beside bool `json:"beside,omitempty"`
}

// kind is the kind of an operation.
type kind string

const (
	opUpload    kind = "upload"     // reports Number to Number+Count-1
	opAgain     kind = "again"      // the same reports again, byte for byte
	opElsewhere kind = "elsewhere"  // reports with the same IDs, another time and other measurements
	opGarbage   kind = "garbage"    // an upload that does not decode
	opAdvance   kind = "advance"    // time passes
	opCollect   kind = "collect"    // a collection job is created, or created again
	opPoll      kind = "poll"       // its answer is asked for
	opDelete    kind = "delete"     // it is deleted
	opSkew      kind = "skew"       // a clock is put forward or back
	opRotate    kind = "rotate"     // an HPKE key is replaced
	opRestart   kind = "restart"    // a side is stopped and started
	opCrash     kind = "crash"      // a side ends without a farewell, and is started
	opShelve    kind = "quarantine" // an operator puts job Number of the unfinished ones in quarantine
	opRetry     kind = "retry"      // an operator lets it be tried
	opCopy      kind = "copy"       // of a side's database
	opRestore   kind = "restore"    // the side goes on from the newest copy
	opDisk      kind = "disk fault" // a commit fails
	opNetwork   kind = "net fault"  // a request fails
)

// side is one of the two aggregators.
type side string

const (
	leader side = "leader"
	helper side = "helper"
)

// fault is what goes wrong.
type fault string

const (
	// Of the disk. A lasting fault is a crash at that commit: nothing is written and
	// nothing sent until the side is started again.
	faultCommit         fault = "commit fails"
	faultCommitted      fault = "commit fails, but persists"
	faultCrashBefore    fault = "crash before the commit"
	faultCrashAfter     fault = "crash after the commit"
	faultRecovery       fault = "disk still fails" // when the store looks whether it is well again
	faultLostRequest    fault = "request lost"
	faultLostResponse   fault = "response lost"
	faultErrorBefore    fault = "500 before the work"
	faultErrorAfter     fault = "500 after the work"
	faultDuplicate      fault = "request twice"
	faultLateCopy       fault = "request again later"
	faultLateRequest    fault = "request later"
	faultSlowRequest    fault = "request slow"
	faultSlowResponse   fault = "response slow"
	faultBrokenResponse fault = "response cut short" // of an aggregation job
)

var diskFaults = []fault{faultCommit, faultCommitted, faultCrashBefore, faultCrashAfter, faultRecovery}

// plan is how a report cheats. The zero value is an honest report.
type plan struct {
	How   string `json:"how,omitempty"`
	Round int    `json:"round,omitempty"` // from 0
	Who   side   `json:"who,omitempty"`   // empty: both
}

// How reports cheat.
const (
	cheatInit          = "init"          // verification fails at once
	cheatCombine       = "combine"       // the verifier shares of Round do not fit
	cheatNext          = "next"          // the verifier message of Round does not fit
	cheatUndecryptable = "undecryptable" // the ciphertext for Who is damaged
	cheatMalformed     = "malformed"     // the input share for Who does not decode
	cheatPublicShare   = "public share"  // the public share is another's
	cheatExtension     = "extension"     // an unknown extension that both can see
	cheatHidden        = "hidden"        // an unknown extension that only Who can see
	cheatConfig        = "config"        // the ciphertext for Who names a key that there is not
)

func (p plan) honest() bool { return p == plan{} }

// duration is a time.Duration that reads as people write it.
type duration time.Duration

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *duration) UnmarshalText(b []byte) error {
	parsed, err := time.ParseDuration(string(b))
	*d = duration(parsed)
	return err
}

// encodeEpisode writes an episode: its configuration, then one operation a line.
func encodeEpisode(c config, operations []operation) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	if err := encoder.Encode(c); err != nil {
		panic(err)
	}
	for i := range operations {
		if err := encoder.Encode(operations[i]); err != nil {
			panic(err)
		}
	}
	return b.Bytes()
}

// decodeEpisode reads what encodeEpisode has written.
func decodeEpisode(text []byte) (c config, operations []operation, err error) {
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.DisallowUnknownFields()
		if c == (config{}) {
			err = decoder.Decode(&c)
		} else {
			var o operation
			err = decoder.Decode(&o)
			operations = append(operations, o)
		}
		if err != nil {
			return c, nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if c == (config{}) {
		return c, nil, fmt.Errorf("there is no configuration in the first line")
	}
	return c, operations, lines.Err()
}
