package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The driver writes requests, a line each, and an implementation answers each
// with a line, "ok …" or "error …":
//
//	prepare type=histogram length=100 max=1 weight=0 chunk=11 reports=64
//	ok 1,0,2,…                      the aggregate result of those reports
//	report
//	ok <nonce> <public share> <Leader's input share> <Helper's input share>
//	trace nonce=… public=… leader=… helper=…
//	ok <Leader's verifier share> <Helper's verifier share> <verifier message>
//	measure step=shard by=batch ns=100000000
//	ok 6400 101234567               reports, and nanoseconds of CPU time
//
// Encoded messages are in hexadecimal, and "-" if they are empty.

// A step is what is measured.
type step string

const (
	stepShard      step = "shard"
	stepLeaderInit step = "leader-init" // verify_init, and encoding the Leader's verifier share
	stepLeaderRest step = "leader-rest" // verify_next with the Helper's encoded message
	stepHelperInit step = "helper-init"
	stepHelperRest step = "helper-rest" // verifier_shares_to_message, encoding the message, verify_next
	stepAggregate  step = "aggregate"   // adding output shares to an aggregate share
)

// measured are the steps in the order in which they are measured.
var measured = []step{stepShard, stepLeaderInit, stepLeaderRest, stepHelperInit, stepHelperRest, stepAggregate}

// by says how many reports an implementation gets at a time, if it can take
// several.
type by string

const (
	byBatch by = "batch"
	byOne   by = "one"
)

// request is a line of the driver: a verb and key=value pairs.
type request struct {
	verb   string
	fields map[string]string
}

func parseRequest(line string) (request, error) {
	words := strings.Fields(line)
	if len(words) == 0 {
		return request{}, fmt.Errorf("an empty request")
	}
	r := request{verb: words[0], fields: map[string]string{}}
	for _, word := range words[1:] {
		key, value, ok := strings.Cut(word, "=")
		if !ok {
			return request{}, fmt.Errorf("%q is not key=value", word)
		}
		r.fields[key] = value
	}
	return r, nil
}

func (r request) number(key string) (int, error) {
	text, ok := r.fields[key]
	if !ok {
		return 0, fmt.Errorf("%s is missing", key)
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s is %q and must be a number", key, text)
	}
	return n, nil
}

func prepareLine(w workload) string {
	return fmt.Sprintf("prepare type=%s length=%d max=%d weight=%d chunk=%d reports=%d", w.kind, w.length, w.max, w.weight, w.chunk, w.reports)
}

// workload reads what prepareLine wrote.
func (r request) workload() (workload, error) {
	w := workload{kind: r.fields["type"]}
	var maximum int
	for key, value := range map[string]*int{"length": &w.length, "max": &maximum, "weight": &w.weight, "chunk": &w.chunk, "reports": &w.reports} {
		n, err := r.number(key)
		if err != nil {
			return w, err
		}
		*value = n
	}
	w.max = uint64(maximum)
	return w, nil
}

func measureLine(s step, b by, d time.Duration) string {
	return fmt.Sprintf("measure step=%s by=%s ns=%d", s, b, d.Nanoseconds())
}

// parseMeasured reads the answer to measureLine as nanoseconds a report.
func parseMeasured(answer string) (float64, error) {
	var reports, nanoseconds uint64
	if _, err := fmt.Sscanf(answer, "%d %d", &reports, &nanoseconds); err != nil || reports == 0 {
		return 0, fmt.Errorf("the answer %.100q is not the number of reports and nanoseconds", answer)
	}
	return float64(nanoseconds) / float64(reports), nil
}
