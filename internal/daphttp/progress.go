package daphttp

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
)

// A Leader's answer to its Collector about a task's progress. It is an addition of ours to DAP
// (docs/divergences.md); the Leader writes it, and the collector library reads it.

// ProgressMediaType is the media type of a ProgressDocument.
const ProgressMediaType = "application/vnd.twofold.progress+json"

// MaxProgressBuckets is how many buckets a document has at most.
const MaxProgressBuckets = 1000

// MaxProgressBytes bounds an encoded document.
const MaxProgressBytes = 512 << 10

// CoarseCount is a number of reports in steps of the minimum batch size.
type CoarseCount struct {
	// AtLeast is the number rounded down to a multiple of the minimum batch size, FewerThan the next multiple.
	AtLeast   uint64 `json:"at_least"`
	FewerThan uint64 `json:"fewer_than"`
}

// ProgressDocument is the answer. Times are DAP's: numbers of time precisions since the Epoch.
type ProgressDocument struct {
	MinBatchSize uint64      `json:"min_batch_size"`
	Waiting      CoarseCount `json:"waiting"`
	Aggregated   CoarseCount `json:"aggregated"`
	Collected    CoarseCount `json:"collected"`
	// Rejected has DAP's names of report errors.
	Rejected map[string]CoarseCount `json:"rejected,omitempty"`
	// Next is the first interval that is ready; only of time-interval tasks, and absent if none is.
	Next *ProgressNext `json:"next,omitempty"`
	// ReadyBatches is how many batches are ready; only of leader-selected tasks.
	ReadyBatches uint64 `json:"ready_batches,omitempty"`
	// Buckets are in the order of time.
	Buckets []ProgressBucket `json:"buckets,omitempty"`
	// MoreFrom is where to go on, if there are more buckets.
	MoreFrom *uint64 `json:"more_from,omitempty"`
}

// ProgressNext is an interval, from Start up to but without End, with enough reports that are not collected. Around it
// the time from FreeFrom up to but without FreeUntil is not collected; 0 and absent are no bound.
type ProgressNext struct {
	Start     uint64  `json:"start"`
	End       uint64  `json:"end"`
	FreeFrom  uint64  `json:"free_from"`
	FreeUntil *uint64 `json:"free_until,omitempty"`
}

// ProgressBucket is a batch bucket: the time precision that begins at Time.
type ProgressBucket struct {
	Time       uint64      `json:"time"`
	Waiting    CoarseCount `json:"waiting"`
	Aggregated CoarseCount `json:"aggregated"`
}

// DecodeProgress decodes a Leader's answer and checks what it says. Members that it does not know are ignored.
func DecodeProgress(contentType string, body []byte) (d ProgressDocument, err error) {
	if name, _, err := mime.ParseMediaType(contentType); err != nil || name != ProgressMediaType {
		return d, fmt.Errorf("its Content-Type is %q; it must be %s", CleanText(contentType), ProgressMediaType)
	}
	if err := json.Unmarshal(body, &d); err != nil {
		return d, errors.New("it is not a progress document")
	}
	return d, d.check()
}

func (d *ProgressDocument) check() error {
	counts := []CoarseCount{d.Waiting, d.Aggregated, d.Collected}
	for _, count := range d.Rejected {
		counts = append(counts, count)
	}
	if len(d.Buckets) > MaxProgressBuckets || len(d.Rejected) > 256 {
		return errors.New("it has too many entries")
	}
	for i, b := range d.Buckets {
		if i > 0 && b.Time <= d.Buckets[i-1].Time {
			return errors.New("its buckets are not in the order of time")
		}
		counts = append(counts, b.Waiting, b.Aggregated)
	}
	for _, count := range counts {
		if count.FewerThan <= count.AtLeast {
			return errors.New("a number of reports is fewer than it is at least")
		}
	}
	if n := d.Next; n != nil && (n.Start >= n.End || n.FreeFrom > n.Start || n.FreeUntil != nil && *n.FreeUntil < n.End) {
		return errors.New("its next interval is none")
	}
	if d.MoreFrom != nil && (len(d.Buckets) == 0 || *d.MoreFrom <= d.Buckets[len(d.Buckets)-1].Time) {
		return errors.New("more of its buckets would begin before its last one")
	}
	return nil
}
