package conformance

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/twofold-dap/twofold/client"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/processes"
)

// overloadOutcomes counts what became of requests.
type overloadOutcomes struct {
	mu         sync.Mutex
	statuses   map[int]int // by HTTP status; 0: no answer
	times      []time.Duration
	unhelpful  int // refusals without Retry-After
	firstError error
}

func (o *overloadOutcomes) add(status int, took time.Duration, retryAfter string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.statuses == nil {
		o.statuses = make(map[int]int)
	}
	o.statuses[status]++
	o.times = append(o.times, took)
	if (status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests) && retryAfter == "" {
		o.unhelpful++
	}
	if err != nil && o.firstError == nil {
		o.firstError = err
	}
}

// String implements fmt.Stringer.
func (o *overloadOutcomes) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.times) == 0 {
		return "no requests"
	}
	slices.Sort(o.times)
	at := func(part float64) time.Duration {
		return o.times[min(int(part*float64(len(o.times))), len(o.times)-1)].Round(100 * time.Microsecond)
	}
	text := fmt.Sprintf("%d requests, by status %v (0: no answer), time %s (p50), %s (p90), %s (p99), %s (longest)",
		len(o.times), o.statuses, at(0.5), at(0.9), at(0.99), at(1))
	if o.firstError != nil {
		text += fmt.Sprintf("; the first without an answer: %v", o.firstError)
	}
	return text
}

// overloadClient sends raw requests.
func overloadClient(connections int) *http.Client {
	return &http.Client{
		Timeout:   overloadPatience,
		Transport: &http.Transport{MaxConnsPerHost: connections, MaxIdleConnsPerHost: connections, ExpectContinueTimeout: overloadPatience},
	}
}

// post uploads a body once. It returns the HTTP status, and the upload's errors.
func (o *overloadOutcomes) post(ctx context.Context, c *http.Client, url string, body []byte) (int, dap.UploadErrors) {
	began := time.Now()
	status, retryAfter, failed, err := func() (int, string, dap.UploadErrors, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return 0, "", dap.UploadErrors{}, err
		}
		request.Header.Set("Content-Type", string(dap.MediaTypeUploadRequest))
		// A refusal comes before the body is read. Who is still sending it then may find the connection at its end, and no answer.
		request.Header.Set("Expect", "100-continue")
		response, err := c.Do(request)
		if err != nil {
			return 0, "", dap.UploadErrors{}, err
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK || len(answer) == 0 {
			return response.StatusCode, response.Header.Get("Retry-After"), dap.UploadErrors{}, err
		}
		failed, err := dap.DecodeUploadErrors(answer)
		return response.StatusCode, "", failed, err
	}()
	if ctx.Err() != nil {
		return 0, failed // it was we who gave up
	}
	o.add(status, time.Since(began), retryAfter, err)
	return status, failed
}

// overloadTask is a task and what the clients know of it.
type overloadTask struct {
	*overload
	task  processes.Task
	known client.Task
	url   string
	path  string
}

func (o *overload) newTask(name, vdaf string) overloadTask {
	o.Helper()
	task, err := o.system.NewTask(o.Context(), processes.TaskSpec{Name: name, VDAF: vdaf, MinBatchSize: 1, Precision: time.Hour})
	must(o.T, err)
	file, err := os.Open(task.File)
	must(o.T, err)
	defer file.Close()
	known, err := client.ReadTask(file)
	must(o.T, err)
	path := "/tasks/" + known.ID.String() + "/reports"
	return overloadTask{o, task, known, o.system.Leader.URL[:len(o.system.Leader.URL)-1] + path, path}
}

// overloadFlood is a task that more reports are uploaded to than the Leader can carry.
type overloadFlood struct {
	overloadTask
	bodies   [][]byte
	want     []uint64
	count    int
	accepted []bool // of the bodies; mu protects it
	mu       sync.Mutex
	client   *http.Client
	outcomes overloadOutcomes
}

func (o *overload) newFlood(name, vdaf string, reports int) *overloadFlood {
	o.Helper()
	f := &overloadFlood{overloadTask: o.newTask(name, vdaf), want: make([]uint64, 100), count: reports / overloadRequest * overloadRequest, client: overloadClient(*overloadWorkers)}
	c, err := client.New[int](f.known, client.Options{})
	must(o.T, err)
	random := rand.New(rand.NewPCG(1, 2))
	now := time.Now()
	for range reports / overloadRequest {
		var request dap.UploadRequest
		for range overloadRequest {
			bucket := random.IntN(100)
			f.want[bucket]++
			report, err := c.Prepare(o.Context(), bucket, now)
			must(o.T, err)
			request.Reports = append(request.Reports, report)
		}
		body, err := request.Encode()
		must(o.T, err)
		f.bodies = append(f.bodies, body)
	}
	f.accepted = make([]bool, len(f.bodies))
	return f
}

// send uploads one of the bodies, and notes whether its reports are accepted, now or before.
func (f *overloadFlood) send(ctx context.Context, i int, outcomes *overloadOutcomes) int {
	status, failed := outcomes.post(ctx, f.client, f.url, f.bodies[i])
	if status != http.StatusOK {
		return status
	}
	for _, s := range failed.Status {
		if s.Error != dap.ReportErrorReportReplayed {
			f.Errorf("a report was rejected: %s", s.Error)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.accepted[i] = true
	return status
}

// measure returns how many requests a second the Leader answers to a few clients. Half of the reports
// are kept for the flood.
func (f *overloadFlood) measure() float64 {
	var outcomes overloadOutcomes
	bodies := make(chan int, len(f.bodies))
	for i := range len(f.bodies) / 2 {
		bodies <- i
	}
	close(bodies)
	began := time.Now()
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for i := range bodies {
				f.send(f.Context(), i, &outcomes)
			}
		})
	}
	clients.Wait()
	return float64(len(f.bodies)/2) / time.Since(began).Seconds()
}

// offer sends so many requests a second for the time of the test, as far as its workers are free, and
// returns how many it was.
func (f *overloadFlood) offer(perSecond float64) float64 {
	began := time.Now()
	next := make(chan int)
	var workers sync.WaitGroup
	for range *overloadWorkers {
		workers.Go(func() {
			for i := range next {
				f.send(f.Context(), i, &f.outcomes)
			}
		})
	}
	sent := 0
	for {
		passed := time.Since(began)
		if passed >= *overloadFor {
			break
		}
		if float64(sent) >= perSecond*passed.Seconds() {
			time.Sleep(time.Millisecond)
			continue
		}
		// The second half comes first: it is new.
		next <- (sent + len(f.bodies)/2) % len(f.bodies)
		sent++
	}
	offered := float64(sent) / time.Since(began).Seconds()
	close(next)
	workers.Wait()
	return offered
}

// finish uploads what was not accepted yet.
func (f *overloadFlood) finish() {
	for i := range f.bodies {
		for !f.accepted[i] {
			if f.send(f.Context(), i, new(overloadOutcomes)) != http.StatusOK {
				time.Sleep(20 * time.Millisecond)
			}
		}
	}
}

func (f *overloadFlood) check() {
	f.Helper()
	f.collect(f.task, "flood", f.want, f.count)
	if n := f.outcomes.unhelpful; n > 0 {
		f.Errorf("flood: %d refusals without Retry-After", n)
	}
	// A body that does not arrive in time is refused while it is sent: on a busy machine the connection may end before that is read.
	if n := f.outcomes.statuses[0]; n > len(f.outcomes.times)/50 {
		f.Errorf("flood: %d of %d requests without an answer: %v", n, len(f.outcomes.times), f.outcomes.firstError)
	}
	for status := range f.outcomes.statuses {
		if !slices.Contains([]int{0, http.StatusOK, http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusRequestTimeout}, status) {
			f.Errorf("flood: status %d", status)
		}
	}
}

// overloadEnormous is a task whose reports have 16 million bytes.
type overloadEnormous struct {
	overloadTask
	reports []dap.Report
	sent    []bool // perhaps
	done    []bool
	client  *client.Client[[]uint64]
	want    []uint64
}

func (o *overload) newEnormous(name string, reports int) *overloadEnormous {
	o.Helper()
	const length = 100_000
	e := &overloadEnormous{overloadTask: o.newTask(name, fmt.Sprintf("sumvec:length=%d,max=1023", length)),
		sent: make([]bool, reports), done: make([]bool, reports), want: make([]uint64, length)}
	var err error
	e.client, err = client.New[[]uint64](e.known, client.Options{HTTP: overloadClient(2), Attempts: 1})
	must(o.T, err)
	for i := range reports {
		measurement := make([]uint64, length)
		for j := range measurement {
			measurement[j] = uint64((i + j) % 1024)
			e.want[j] += measurement[j]
		}
		report, err := e.client.Prepare(o.Context(), measurement, time.Now())
		must(o.T, err)
		e.reports = append(e.reports, report)
	}
	return e
}

// uploadAll uploads the reports until ctx ends, each as often as it takes. One that is a replay was accepted by a
// request whose answer was lost, which is also that of a request that ctx has ended.
func (e *overloadEnormous) uploadAll(ctx context.Context) {
	for i, report := range e.reports {
		for !e.done[i] && ctx.Err() == nil {
			outcomes, err := e.client.UploadReports(ctx, report)
			switch {
			case err != nil:
				e.sent[i] = true
				time.Sleep(50 * time.Millisecond)
			case len(outcomes) == 1 && (outcomes[0].Status == client.StatusUploaded || e.sent[i] && outcomes[0].Reason == dap.ReportErrorReportReplayed):
				e.done[i] = true
			default:
				e.Errorf("enormous: %v", outcomes)
				return
			}
		}
	}
}

func (e *overloadEnormous) check() {
	e.Helper()
	e.collect(e.task, "enormous", e.want, len(e.reports))
}

// overloadSmall is a task with one client that uploads a report at a time, and tries again
// what was refused.
type overloadSmall struct {
	overloadTask
	client   *client.Client[bool]
	accepted int
	outcomes overloadOutcomes
}

func (o *overload) newSmall(name string) *overloadSmall {
	o.Helper()
	s := &overloadSmall{overloadTask: o.newTask(name, "count")}
	var err error
	s.client, err = client.New[bool](s.known, client.Options{})
	must(o.T, err)
	_, err = s.client.Prepare(o.Context(), true, time.Now()) // it has the HPKE configurations before the load begins
	must(o.T, err)
	return s
}

// run uploads until ctx ends. A report that is begun is uploaded in any case.
func (s *overloadSmall) run(ctx context.Context) {
	c := overloadClient(1)
	for began := time.Now(); ctx.Err() == nil; {
		report, err := s.client.Prepare(s.Context(), true, time.Now())
		if err != nil {
			s.Error(err)
			return
		}
		body, err := dap.UploadRequest{Reports: []dap.Report{report}}.Encode()
		if err != nil {
			s.Error(err)
			return
		}
		for {
			if status, _ := s.outcomes.post(s.Context(), c, s.url, body); status == http.StatusOK {
				s.accepted++
				break
			}
			if time.Since(began) > *overloadFor+overloadPatience {
				s.Error("the small task does not get a report in")
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *overloadSmall) check() {
	s.Helper()
	s.collect(s.task, "small", []uint64{uint64(s.accepted)}, s.accepted)
	if s.accepted == 0 {
		s.Error("the small task has made no progress")
	}
	if n := s.outcomes.unhelpful; n > 0 {
		s.Errorf("small: %d refusals without Retry-After", n)
	}
}
