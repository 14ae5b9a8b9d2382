package conformance

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"testing"
)

// postedMessage is a valid message of one kind with the request that carries it.
type postedMessage struct {
	post func(body []byte) wireResponse
	body []byte
	// read reads the message, or its vectors at least.
	read func(r *wireReader)
	// valid are the lengths of the strict prefixes that are messages themselves.
	valid []int
}

// postedMessages are a message of each kind that is posted, all about one task. None
// was posted before.
func postedMessages(s *wireSystem) (*wireTask, map[string]postedMessage) {
	s.t.Helper()
	rounds := roundsVDAF(s.t, 4, false)
	task := s.newTask(taskOptions{vdaf: &rounds})
	report := func(r *wireReader) {
		r.raw(24)
		r.vec16()
		r.vec32()
		r.ciphertext()
	}
	collection := func(r *wireReader) {
		r.u8()
		r.vec16()
		r.vec32()
		r.vec16()
	}
	uploaded := task.reports(2, 1, 0)
	job := task.lead(nil, task.reports(2, 1, 1)...)
	init := job.initReq()

	running := task.lead(nil, task.reports(2, 1, 2)...)
	created := task.createAggregationJob(running.initReq())
	running.take(created)
	next := running.continueReq(1)
	oneLess := len(wireContinueReq(1, running.continues()[:1]...))

	aggregated := task.reports(2, 1, 3)
	task.aggregate(aggregated...)
	share := wireShareReq{
		collectionReq: task.collectionReq(task.interval(3, 1)), selector: task.interval(3, 1), count: 2, checksum: checksumOf(aggregated...),
	}
	return task, map[string]postedMessage{
		"UploadRequest": {task.upload, wireUpload(uploaded...), func(r *wireReader) {
			for r.more() {
				report(r)
				r.ciphertext()
			}
		}, []int{0, len(uploaded[0].encode())}},
		"AggregationJobInitReq": {task.createAggregationJob, init, func(r *wireReader) {
			r.u8()
			r.vec32()
			r.vec16()
			for r.more() {
				report(r)
				r.vec32()
			}
		}, []int{len(init) - len(job.inits[1])}},
		"AggregationJobContinueReq": {func(body []byte) wireResponse { return task.continueAggregationJob(created.location(), body) }, next, func(r *wireReader) {
			r.u16()
			for r.more() {
				r.raw(16)
				r.vec32()
			}
		}, []int{oneLess}},
		"CollectionJobReq": {task.createCollectionJob, task.collectionReq(task.interval(700, 1)), collection, nil},
		"AggregateShareReq": {task.createAggregateShare, share.encode(), func(r *wireReader) {
			collection(r)
			r.u8()
			r.vec16()
			r.raw(40)
		}, nil},
	}
}

// TestMalformedMessages posts every strict prefix of each kind of message, each
// with something after its end, and each with a vector that runs past the end.
// Nothing changes, and the message itself is accepted afterwards.
func TestMalformedMessages(t *testing.T) {
	s := newSystem(t, systemOptions{})
	task, messages := postedMessages(s)
	refused := func(m postedMessage, body []byte, what string) {
		if response := m.post(body); response.status/100 == 2 {
			s.t.Errorf("%s: accepted", what)
		} else {
			response.wantProblem("invalidMessage")
		}
	}
	for name, m := range messages {
		s.run(t, name, func(t *testing.T) {
			task.unchanged(func() {
				for n := range m.body {
					if !slices.Contains(m.valid, n) {
						refused(m, m.body[:n], fmt.Sprintf("the first %d of %d bytes", n, len(m.body)))
					}
				}
				for _, more := range [][]byte{{0}, {0xff}, make([]byte, 16), m.body[:len(m.body)-1]} {
					refused(m, append(bytes.Clone(m.body), more...), fmt.Sprintf("%d bytes more", len(more)))
				}
				r := readWire(t, name, m.body)
				m.read(r)
				r.end()
				for _, length := range r.lengths {
					for _, value := range []byte{0xff, 0x7f} {
						long := bytes.Clone(m.body)
						long[length[0]] = value
						refused(m, long, fmt.Sprintf("the length at %d begins with %x", length[0], value))
					}
				}
			})
			if response := m.post(m.body); response.status != http.StatusOK {
				t.Errorf("the message itself: status %d: %s", response.status, response.body)
			}
		})
	}
}

// TestChangedMessages posts each kind of message with each of its bytes changed. Whatever
// comes of it, it is no fault of the server; at the end of the test the databases are
// checked for broken invariants.
func TestChangedMessages(t *testing.T) {
	s := newSystem(t, systemOptions{})
	task, messages := postedMessages(s)
	for name, m := range messages {
		s.run(t, name, func(t *testing.T) {
			for i := range m.body {
				changed := bytes.Clone(m.body)
				changed[i] ^= 0x80
				if response := m.post(changed); response.status/100 == 5 {
					t.Errorf("byte %d changed: status %d: %s", i, response.status, response.body)
				}
			}
		})
	}
	task.settled()
}
