package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	analyst "github.com/twofold-dap/twofold/collector/wire"
	"github.com/twofold-dap/twofold/internal/processes"
)

const (
	// serviceChunks is in how many uploads the reports of a task come, serviceReports how many there are. As in
	// TestKilledServers each report has a bucket of its own.
	serviceChunks  = 12
	serviceReports = 240
	serviceBatch   = 20
	// serviceKills is how often the service is killed, at least.
	serviceKills = 8
)

// TestKilledCollector kills a real collector serve with SIGKILL at random moments, while reports come and batches
// become ready at a real Leader and Helper. Afterwards every report that was accepted is in exactly one result, and the Leader has made as many
// collection jobs as there are collections: nothing was asked for twice, and nothing is missing.
//
// CRASH_SEED=N repeats the moments of a run, as far as the machine does.
func TestKilledCollector(t *testing.T) {
	k := newKilledCollector(t)
	interval := k.newTask("interval", false)
	selected := k.newTask("selected", true)

	var uploads sync.WaitGroup
	for _, task := range []*servedTask{interval, selected} {
		uploads.Go(func() { k.uploadAll(task) })
	}
	uploaded := make(chan struct{})
	go func() { uploads.Wait(); close(uploaded) }()
	kills := k.killUntil(uploaded)
	if t.Failed() {
		return
	}
	k.start()
	for _, task := range []*servedTask{interval, selected} {
		k.checkTask(task)
	}
	if t.Failed() {
		return
	}
	t.Logf("%d kills; %d and %d of %d reports accepted, all in one result each", kills, interval.accepted, selected.accepted, serviceReports)
}

// killedCollector is one run.
type killedCollector struct {
	t      *testing.T
	random *rand.Rand
	system *processes.System
	server *processes.Server
	token  string
	http   *http.Client
}

// servedTask is a task, with what became of its reports.
type servedTask struct {
	processes.Task
	id       string
	accepted int
}

func newKilledCollector(t *testing.T) *killedCollector {
	t.Helper()
	seed := crashSeed(t)
	t.Logf("CRASH_SEED=%d", seed)
	c := &crash{t: t, seed: seed}
	c.start()
	addresses, err := processes.FreeAddresses(1)
	if err != nil {
		t.Fatal(err)
	}
	k := &killedCollector{
		t: t, random: rand.New(rand.NewPCG(seed, 5)), system: c.system, server: c.system.NewCollector(addresses[0]),
		http: &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}},
	}
	if k.token, err = k.system.NewAnalystToken(t.Context(), "test", "read"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return k
}

func (k *killedCollector) newTask(name string, leaderSelected bool) *servedTask {
	k.t.Helper()
	task, err := k.system.NewTask(k.t.Context(), processes.TaskSpec{
		Name: name, VDAF: fmt.Sprintf("histogram:length=%d", serviceReports), MinBatchSize: serviceBatch, Precision: time.Minute, LeaderSelected: leaderSelected,
	})
	if err == nil {
		err = k.system.Keep(k.t.Context(), task, "batch")
	}
	if err != nil {
		k.t.Fatal(err)
	}
	shown, err := k.system.Programs.Run(k.t.Context(), "collector", "task", "show", task.File, "--json")
	var object analyst.Task
	if err == nil {
		err = shown.Object(&object)
	}
	if err != nil {
		k.t.Fatal(err)
	}
	return &servedTask{Task: task, id: object.ID}
}

// uploadAll uploads the reports of a task, each chunk with times of a minute of its own: some minutes have enough for a batch, and
// some must be joined with the next.
func (k *killedCollector) uploadAll(task *servedTask) {
	sizes := []int{25, 12, 23, 8, 7, 30, 20, 25, 10, 30, 25, 25}
	began := time.Now().UTC().Truncate(time.Minute).Add(-time.Hour)
	next := 0
	for chunk := range serviceChunks {
		var rows strings.Builder
		rows.WriteString("bucket,when\n")
		for range sizes[chunk] {
			fmt.Fprintf(&rows, "%d,%s\n", next, began.Add(time.Duration(chunk)*time.Minute).Format(time.RFC3339))
			next++
		}
		path := fmt.Sprintf("%s.%d.csv", task.File, chunk)
		if err := os.WriteFile(path, []byte(rows.String()), 0o600); err != nil {
			k.t.Error(err)
			return
		}
		output, err := k.system.Programs.Run(k.t.Context(), "client", "upload", "--task", task.File, "--csv", path, "--column", "bucket", "--time-column", "when", "--json")
		var summary struct {
			Uploaded int `json:"uploaded"`
		}
		// A minute may be collected before all of its chunk is there; what comes then is refused, which is status 1.
		if _, refused := errors.AsType[*processes.CommandError](err); err == nil || refused {
			err = output.Object(&summary)
		}
		if err != nil {
			k.t.Error(err)
			return
		}
		task.accepted += summary.Uploaded
	}
	if next != serviceReports {
		k.t.Errorf("%d reports were sent", next)
	}
}

// start starts the service and waits until it answers.
func (k *killedCollector) start() {
	k.t.Helper()
	if err := k.server.Launch(); err != nil {
		k.t.Fatal(err)
	}
	k.eventually("the service answers", func() error { return k.get("/api/v1/tasks", &analyst.Tasks{}) })
}

// killUntil kills the service at random moments until done is closed, and at least serviceKills times.
func (k *killedCollector) killUntil(done <-chan struct{}) (kills int) {
	k.t.Helper()
	for over := false; !over || kills < serviceKills; {
		k.start()
		if k.t.Failed() {
			return kills
		}
		pause := time.NewTimer(time.Duration(k.random.IntN(700)) * time.Millisecond)
		<-pause.C
		if err := k.server.Kill(); err != nil {
			k.t.Error(err)
			return kills
		}
		kills++
		select {
		case <-done:
			over = true
		default:
		}
	}
	return kills
}

func (k *killedCollector) get(path string, answer any) error {
	request, err := http.NewRequestWithContext(k.t.Context(), http.MethodGet, strings.TrimSuffix(k.server.URL, "/")+path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+k.token)
	response, err := k.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", response.StatusCode, body)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(body, answer)
}

// eventually waits until f has no error.
func (k *killedCollector) eventually(what string, f func() error) {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), crashPatience)
	defer cancel()
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			k.t.Fatalf("%s: not in time: %v\nThe service's log ends with:\n%s", what, err, k.server.Log())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// checkTask checks that the results have each accepted report once, and that each collection was asked for once.
func (k *killedCollector) checkTask(task *servedTask) {
	k.t.Helper()
	var results analyst.Results
	k.eventually(task.Name+": all accepted reports are in the results", func() error {
		if err := k.get("/api/v1/tasks/"+task.id+"/results", &results); err != nil {
			return err
		}
		sum := uint64(0)
		for i := range results.Results {
			sum += results.Results[i].ReportCount
		}
		if sum < uint64(task.accepted) {
			return fmt.Errorf("%d of %d", sum, task.accepted)
		}
		return nil
	})
	counted := make([]int64, serviceReports)
	var sum int64
	for i := range results.Results {
		for bucket, v := range results.Results[i].Values {
			counted[bucket] += v.Value.Int64()
			sum += v.Value.Int64()
		}
	}
	for bucket, n := range counted {
		if n < 0 || n > 1 {
			k.t.Errorf("%s: report %d was counted %d times", task.Name, bucket, n)
		}
	}
	if sum != int64(task.accepted) {
		k.t.Errorf("%s: %d reports are counted, %d were accepted", task.Name, sum, task.accepted)
	}
	var collections analyst.Collections
	k.eventually(task.Name+": every collection is done", func() error {
		if err := k.get("/api/v1/tasks/"+task.id+"/collections", &collections); err != nil {
			return err
		}
		for _, c := range collections.Collections {
			if c.State != "done" {
				return fmt.Errorf("collection %d is %s: %s%s", c.Number, c.State, c.Problem, c.LastError)
			}
		}
		return nil
	})
	log, err := os.ReadFile(k.system.Leader.LogPath())
	if err != nil {
		k.t.Fatal(err)
	}
	created := 0
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, `msg="collection job created"`) && strings.Contains(line, task.id) {
			created++
		}
	}
	if created != len(collections.Collections) || created != len(results.Results) {
		k.t.Errorf("%s: the leader has made %d collection jobs, for %d collections with %d results", task.Name, created, len(collections.Collections), len(results.Results))
	}
	k.t.Logf("%s: %d collections", task.Name, created)
}
