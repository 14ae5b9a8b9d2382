package simulation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing/synctest"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// deepEvery is after how many operations the stores check themselves.
const deepEvery = 64

// run does the operations, one after the other, and checks after each. It tells how many it did.
func (w *world) run(operations []operation) (done int) {
	var commits int64
	for i, o := range operations {
		if o.Kind == opDelete || o.Kind == opCollect || o.Kind == opRestore {
			w.beside.Wait()
		}
		if o.Beside {
			w.beside.Go(func() { w.execute(o) })
			continue
		}
		w.execute(o)
		w.beside.Wait()
		synctest.Wait()
		if now := w.leader.disk.commits.Load() + w.helper.disk.commits.Load(); now != commits || w.model.unchecked() {
			if w.check(i%deepEvery == deepEvery-1) {
				commits = now
			}
		}
		if _, found := w.firstViolation(); found {
			return i + 1
		}
	}
	return len(operations)
}

// unchecked tells whether there is something to compare though no store has changed.
func (m *model) unchecked() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.results)+len(m.refused)+len(m.overBudget) > 0
}

// execute does one operation.
func (w *world) execute(o operation) {
	switch o.Kind {
	case opUpload, opAgain:
		w.upload(o)
	case opElsewhere:
		w.upload(o)
	case opGarbage:
		w.garbage(o)
	case opAdvance:
		time.Sleep(time.Duration(o.For))
	case opCollect:
		w.collect(o)
	case opPoll:
		w.poll(w.requestOf(o))
	case opDelete:
		w.delete(w.requestOf(o))
	case opSkew:
		w.setClock(o.Side, time.Duration(o.For))
	case opRotate:
		w.rotate(o.Side)
	case opRestart, opCrash:
		w.restart(o.Side, o.Kind == opCrash)
	case opCopy:
		w.copySide(o.Side)
	case opRestore:
		w.restoreSide(o.Side)
	case opShelve, opRetry:
		w.operate(o)
	case opDisk:
		w.diskOf(o.Side).arm(o)
	case opNetwork:
		w.network.arm(o)
	default:
		w.violated(invariantRuns, "operation %q is unknown", o.Kind)
	}
}

func (w *world) diskOf(s side) *disk {
	if s == leader {
		return &w.leader.disk
	}
	return &w.helper.disk
}

func (w *world) setClock(s side, ahead time.Duration) {
	w.model.mu.Lock()
	defer w.model.mu.Unlock()
	w.noteClocks()
	w.model.skewed = w.model.skewed || ahead != 0
	if s == leader {
		w.leader.skew.Store(int64(ahead))
	} else {
		w.helper.skew.Store(int64(ahead))
	}
}

func (w *world) restart(s side, crash bool) {
	var err error
	if s == leader {
		err = w.leader.restart(crash)
	} else {
		err = w.helper.restart(crash)
	}
	if err != nil {
		w.violated(invariantRuns, "restart of the %s: %v", s, err)
	}
}

// rotate replaces an HPKE key. A failing disk may prevent it.
func (w *world) rotate(s side) {
	ctx := context.Background()
	var err error
	if s == leader {
		_, err = w.leader.engine().RotateHpkeKey(ctx, aggregator.MandatorySuite)
	} else {
		_, err = w.helper.engine().RotateHpkeKey(ctx, aggregator.MandatorySuite)
	}
	if err != nil && !errors.Is(err, aggregator.ErrUnavailable) {
		w.violated(invariantRuns, "a key of the %s is rotated: %v", s, err)
	}
}

// now is the current DAP time by the Leader's clock, which clients share.
func (w *world) now() dap.Time { return w.timeOf(w.leader.clock()) }

// versions returns the reports that an upload sends, made if need be.
func (w *world) versions(o operation) ([]*version, error) {
	leaderList, err := w.leader.engine().HpkeConfigList(context.Background())
	if err != nil {
		return nil, err
	}
	helperList, err := w.helper.engine().HpkeConfigList(context.Background())
	if err != nil {
		return nil, err
	}
	var versions []*version
	w.model.mu.Lock()
	defer w.model.mu.Unlock()
	for number := o.Number; number < o.Number+max(1, o.Count); number++ {
		t := w.now() + dap.Time(o.Offset)
		r := w.model.report(number, t)
		if o.Kind == opAgain && len(r.versions) > 0 {
			t = r.versions[0].at
		}
		v := r.version(t)
		if v == nil {
			v = &version{report: r, variant: variant{origin: r.origin, at: t, plan: o.Plan}}
			if v.encoded, err = w.client.report(v.variant, leaderList.Configs[0], helperList.Configs[0]); err != nil {
				return nil, err
			}
			r.versions = append(r.versions, v)
		}
		r.sending++
		versions = append(versions, v)
	}
	return versions, nil
}

// upload sends reports to the Leader.
func (w *world) upload(o operation) {
	versions, err := w.versions(o)
	if err != nil {
		w.violated(invariantRuns, "reports cannot be made: %v", err)
		return
	}
	var body []byte
	for _, v := range versions {
		body = append(body, v.encoded...)
	}
	var answer dap.UploadErrors
	expected := make([]dap.ReportError, len(versions))
	for i, v := range versions {
		expected[i] = w.refusal(v)
	}
	err = errNetwork
	if !w.leader.cut() {
		answer, err = w.leader.engine().Upload(context.Background(), w.id, body)
	}
	w.model.mu.Lock()
	defer w.model.mu.Unlock()
	w.uploaded(versions, expected, answer, err)
}

// refusal is the report error of a report that can never be accepted at the moment, or 0.
func (w *world) refusal(v *version) dap.ReportError {
	now := w.leader.clock()
	switch {
	case v.plan.How == cheatConfig && v.plan.meets(0):
		return dap.ReportErrorOutdatedConfig
	case w.Buckets > 0 && !w.interval.Contains(v.at):
		return dap.ReportErrorReportDropped
	case w.Buckets > 0 && w.interval.IsBefore(w.timeOf(now.Add(-clockSkew))):
		return dap.ReportErrorTaskExpired
	case v.at > w.timeOf(now.Add(clockSkew)):
		return dap.ReportErrorReportTooEarly
	case v.plan.How == cheatExtension:
		return dap.ReportErrorInvalidMessage
	case v.at < w.model.floor[0]:
		return dap.ReportErrorReportDropped
	}
	return 0
}

// uploaded enters the answer to an upload into the model, which is locked.
func (w *world) uploaded(versions []*version, expected []dap.ReportError, answer dap.UploadErrors, err error) {
	next := 0
	for i, v := range versions {
		r := v.report
		alone := r.sending == 1
		r.sending--
		switch {
		case err == nil:
			outcome := dap.ReportError(0)
			if next < len(answer.Status) && answer.Status[next].ID == r.id {
				outcome = answer.Status[next].Error
				next++
			}
			w.uploadedOne(r, v, expected[i], outcome, alone)
		case errors.Is(err, errNetwork), errors.Is(err, aggregator.ErrBusy):
		case errors.Is(err, aggregator.ErrUnavailable):
			if expected[i] == 0 {
				v.maybe = true
			}
		default:
			w.violated(invariantUpload, "an upload fails with %v", err)
		}
	}
	if err == nil && next != len(answer.Status) {
		w.violated(invariantUpload, "an upload is answered with %d errors, %d of them in the order of its reports", len(answer.Status), next)
	}
}

// uploadedOne enters the outcome of one report. alone: no other upload of it was under way.
func (w *world) uploadedOne(r *report, v *version, expected, outcome dap.ReportError, alone bool) {
	wrong := func(want string) {
		w.violated(invariantUpload, "report %d (%+v, time %d, now %d) is answered with %s; %s", r.number, v.plan, v.at, w.now(), outcome, want)
	}
	switch {
	case expected != 0:
		if outcome != expected {
			wrong("it must be " + expected.String())
		}
		if outcome == 0 && expected == dap.ReportErrorReportDropped {
			w.violated(invariantBelow, "report %d of time %d was accepted; the floor is %d", r.number, v.at, w.model.floor[0])
		}
	case outcome == 0:
		if r.accepted != nil && !r.forgettable(w.floorsNow()[0]) {
			wrong("it is a replay")
			return
		}
		if slices.ContainsFunc(w.model.closed, func(i dap.Interval) bool { return i.Contains(v.at) }) {
			wrong("its batch is closed")
		}
		r.accept(v)
	case outcome == dap.ReportErrorReportDropped && v.at < w.floorsNow()[0]:
	case outcome == dap.ReportErrorReportReplayed:
		if r.accepted == nil && !r.maybe() && alone {
			wrong("it is new")
		}
	case outcome == dap.ReportErrorBatchCollected && !w.LeaderSelected:
		if r.accepted != nil && alone && !r.forgettable(w.floorsNow()[0]) {
			wrong("it is a replay")
		}
		w.model.refused = append(w.model.refused, v.at)
	default:
		wrong("it must be accepted")
	}
}

// garbage sends an upload that does not decode: a report, and a piece of one.
func (w *world) garbage(o operation) {
	versions, err := w.versions(operation{Kind: opUpload, Number: -1 - o.Number, Count: 1})
	if err != nil || w.leader.cut() {
		return
	}
	whole := versions[0].encoded
	_, err = w.leader.engine().Upload(context.Background(), w.id, slices.Concat(whole, whole[:len(whole)/2]))
	if e, ok := errors.AsType[*dap.Error](err); !ok || e.Type != dap.ErrorTypeInvalidMessage {
		w.violated(invariantUpload, "an upload that does not decode is answered with %v", err)
	}
}

// requestOf is the request of the collection that an operation names.
func (w *world) requestOf(o operation) *collectionJob {
	w.model.mu.Lock()
	defer w.model.mu.Unlock()
	for i := len(w.model.all) - 1; i >= 0; i-- {
		if j := w.model.all[i]; w.LeaderSelected || j.number == o.Number {
			return j
		}
	}
	return nil
}

// request encodes a CollectionJobReq.
func (w *world) request(interval dap.Interval, param int) []byte {
	req := dap.CollectionJobReq{Query: dap.NewLeaderSelectedQuery(), AggParam: w.encodeParam(param)}
	if !w.LeaderSelected {
		req.Query = dap.NewTimeIntervalQuery(interval)
	}
	body, err := req.Encode()
	if err != nil {
		panic(err)
	}
	return body
}

// collect creates the collection job that an operation names, or creates it again.
func (w *world) collect(o operation) {
	j := w.requestOf(o)
	if w.LeaderSelected && j != nil && j.over() {
		w.delete(j) // the same query gives the next batch only after this
		j = nil
	}
	if !w.LeaderSelected && o.Count == 0 {
		w.collectNothing()
		return
	}
	if j != nil && j.deleted {
		j = w.newJob(o.Number, j.interval, j.param)
	}
	if j == nil {
		var interval dap.Interval
		if !w.LeaderSelected {
			interval = dap.Interval{Start: w.now() + dap.Time(o.Offset), Duration: dap.Duration(o.Count)}
		}
		j = w.newJob(o.Number, interval, o.Param)
	}
	w.create(j)
}

// collectNothing asks for an interval that is none.
func (w *world) collectNothing() {
	if w.leader.cut() {
		return
	}
	query := dap.Query{BatchMode: dap.BatchModeTimeInterval, Config: make([]byte, 16)}
	body, err := dap.CollectionJobReq{Query: query, AggParam: w.encodeParam(1)}.Encode()
	if err != nil {
		return
	}
	_, err = w.leader.engine().CreateCollectionJob(context.Background(), w.id, body)
	if e, ok := errors.AsType[*dap.Error](err); !ok || e.Type != dap.ErrorTypeBatchInvalid && e.Type != dap.ErrorTypeInvalidMessage {
		w.violated(invariantCollection, "a collection of no interval is answered with %v", err)
	}
}

// newJob enters a collection job into the model, or finds the one with the same request.
func (w *world) newJob(number int, interval dap.Interval, param int) *collectionJob {
	request := w.request(interval, param)
	w.model.mu.Lock()
	defer w.model.mu.Unlock()
	if j := w.model.jobs[string(request)]; j != nil && !j.deleted {
		return j
	}
	j := &collectionJob{number: number, request: request, interval: interval, param: param, since: w.leader.clock()}
	w.model.jobs[string(request)] = j
	w.model.all = append(w.model.all, j)
	return j
}

// create sends the request of a collection job.
func (w *world) create(j *collectionJob) {
	if w.leader.cut() {
		return
	}
	w.model.mu.Lock()
	isBelow := !w.LeaderSelected && !j.known && !j.tried && j.interval.Start < w.model.floor[0] && !w.model.mayStand(j)
	j.tried = true
	w.model.mu.Unlock()
	now := w.leader.clock()
	status, err := w.leader.engine().CreateCollectionJob(context.Background(), w.id, j.request)
	forgotten, named, state := w.forgotten(j, status, err), err == nil, err
	if named && !status.Ready {
		// A job that has failed is named all the same, and tells it when it is polled.
		var polled aggregator.CollectionStatus
		polled, state = w.leader.engine().PollCollectionJob(context.Background(), w.id, status.ID)
		status.Ready, status.Body = polled.Ready, polled.Body
	}
	w.model.mu.Lock()
	defer w.model.mu.Unlock()
	if isBelow && err == nil {
		w.violated(invariantBelow, "a collection of %v is accepted; the floor is %d", j.interval, w.model.floor[0])
	}
	if errors.Is(state, aggregator.ErrNotFound) {
		return // it is gone meanwhile
	}
	if forgotten {
		j = w.model.again(j, now)
	}
	if named {
		if j = w.model.identified(j, status.ID); !status.Ready && state == nil {
			j.since = now
		}
	}
	w.answered(j, status, state, !j.known)
}

// forgotten tells whether the answer to a collection job's request shows that the Leader has forgotten the job.
func (w *world) forgotten(j *collectionJob, status aggregator.CollectionStatus, err error) bool {
	_, refused := errors.AsType[*dap.Error](err)
	w.model.mu.Lock()
	other := err == nil && status.ID != j.id
	may := j.known && !j.deleted && (refused || other) && w.answerGone(j)
	w.model.mu.Unlock()
	if !may || other {
		return may
	}
	_, err = w.leader.engine().PollCollectionJob(context.Background(), w.id, j.id)
	return errors.Is(err, aggregator.ErrNotFound)
}

// again puts a new collection job in place of one that the Leader has forgotten.
func (m *model) again(j *collectionJob, now time.Time) *collectionJob {
	j.deleted = true
	other := &collectionJob{number: j.number, request: j.request, interval: j.interval, param: j.param, since: now, tried: true}
	m.jobs[string(j.request)] = other
	m.all = append(m.all, other)
	return other
}

// identified enters the ID with which a request for a collection job was answered, and
// returns the job: it may be one whose deletion has failed.
func (m *model) identified(j *collectionJob, id dap.CollectionJobID) *collectionJob {
	if j.known {
		if j.id != id {
			m.w.violated(invariantSameAnswer, "a collection job's request is answered with another job")
		}
		return j
	}
	for _, other := range m.all {
		if other.known && other.id == id {
			if !other.uncertain {
				m.w.violated(invariantSameAnswer, "collection job %s was deleted, and is there again", id)
			}
			return m.revived(j, other)
		}
	}
	j.id, j.known = id, true
	j.perhapsRestored = slices.ContainsFunc(m.all, func(other *collectionJob) bool {
		return other.restored && !other.known && bytes.Equal(other.request, j.request)
	})
	return j
}

// revived puts other, whose deletion has failed, in the place of j, which has turned out to be the same. The model is locked.
func (m *model) revived(j, other *collectionJob) *collectionJob {
	other.deleted, other.uncertain = false, false
	m.jobs[string(j.request)] = other
	m.all = slices.DeleteFunc(m.all, func(one *collectionJob) bool { return one == j })
	return other
}

// poll asks for a collection job's answer.
func (w *world) poll(j *collectionJob) {
	if j == nil || w.leader.cut() {
		return
	}
	w.model.mu.Lock()
	known, wasDeleted, now := j.known, j.deleted || j.deleting, w.leader.clock()
	w.model.mu.Unlock()
	if !known {
		return
	}
	status, err := w.leader.engine().PollCollectionJob(context.Background(), w.id, j.id)
	w.model.mu.Lock()
	defer w.model.mu.Unlock()
	if errors.Is(err, aggregator.ErrNotFound) {
		wasDeleted = wasDeleted || j.deleting
		if !wasDeleted && !j.deleted && w.answerGone(j) {
			j.deleted = true
		}
		if !wasDeleted && !j.deleted {
			w.violated(invariantSameAnswer, "collection job %s is gone", j.id)
		}
		return
	}
	if wasDeleted {
		return // it may have been deleted, or not
	}
	if err == nil && !status.Ready {
		j.since = now
	}
	w.answered(j, status, err, false)
}

// answered enters an answer about a collection job into the model, which is locked.
func (w *world) answered(j *collectionJob, status aggregator.CollectionStatus, err error, creating bool) {
	switch failure, ok := errors.AsType[*dap.Error](err); {
	case err == nil && status.Ready:
		w.ready(j, status.Body)
	case err == nil:
		if j.answer != nil || j.failure != nil {
			w.violated(invariantSameAnswer, "a collection job that had its answer has none")
		}
	case ok:
		w.failed(j, failure, creating)
	case errors.Is(err, aggregator.ErrUnavailable), errors.Is(err, aggregator.ErrBusy):
	case errors.Is(err, aggregator.ErrNotFound) && j.deleted:
	default:
		w.violated(invariantCollection, "a collection job is answered with %v", err)
	}
}

// failed enters the failure of a collection job.
func (w *world) failed(j *collectionJob, failure *dap.Error, creating bool) {
	if j.answer != nil || j.failure != nil && (j.failure.Type != failure.Type || j.failure.Detail != failure.Detail) {
		w.violated(invariantSameAnswer, "a collection job had the answer %v, and now %v", j.failure, failure)
	}
	switch {
	case failure.Type == dap.ErrorTypeBatchOverlap && w.model.overlapped(j):
	case failure.Type == dap.ErrorTypeBatchOverlap && j.restored:
	case w.excused(j, failure):
	case failure.Type == dap.ErrorTypeBatchOverlap && w.hasSpent(j):
	case failure.Type == dap.ErrorTypeBatchInvalid && w.Budget > 0:
		w.model.overBudget = append(w.model.overBudget, failure)
		w.model.overAll++
	case failure.Type == dap.ErrorTypeInvalidMessage && w.AggParam:
	case failure.Type == dap.ErrorTypeBatchMismatch && len(w.model.shelved) > 0:
	default:
		w.violated(invariantCollection, "a collection job of %v fails with %v", j.interval, failure)
	}
	if !creating {
		j.failure = failure
	}
}

// ready enters the result of a collection job.
func (w *world) ready(j *collectionJob, body []byte) {
	if j.failure != nil || j.answer != nil && !bytes.Equal(j.answer, body) {
		w.violated(invariantSameAnswer, "a collection job has another answer than before")
	}
	if j.answer != nil {
		return
	}
	j.answer = body
	if j.before != nil {
		if !bytes.Equal(j.before, body) {
			w.violated(invariantSameAnswer, "a collection job has another answer than before the Leader was restored")
		}
		return
	}
	if err := w.openResult(j); err != nil {
		w.violated(invariantResult, "a collection job's answer does not open: %v", err)
		return
	}
	w.model.results = append(w.model.results, j)
}

// openResult decrypts a collection job's answer.
func (w *world) openResult(j *collectionJob) error {
	resp, err := dap.DecodeCollectionJobResp(j.answer)
	if err != nil {
		return err
	}
	req, err := dap.DecodeCollectionJobReq(j.request)
	if err != nil {
		return err
	}
	aad := dap.AggregateShareAad{TaskID: w.id, TaskConfiguration: w.encoded, CollectionJobReq: req}
	leaderShare, err := dap.OpenAggregateShare(keys().collector, dap.RoleLeader, aad, resp.LeaderEncryptedAggShare)
	if err != nil {
		return fmt.Errorf("the Leader's share: %w", err)
	}
	helperShare, err := dap.OpenAggregateShare(keys().collector, dap.RoleHelper, aad, resp.HelperEncryptedAggShare)
	if err != nil {
		return fmt.Errorf("the Helper's share: %w", err)
	}
	j.count, j.covers = resp.ReportCount, resp.Interval
	if w.private() {
		sum, err := w.unshardNoised(leaderShare, helperShare)
		j.sum = uint64(sum)
		return err
	}
	j.sum, err = w.unshard(req.AggParam, leaderShare, helperShare, resp.ReportCount)
	return err
}

// delete deletes a collection job.
func (w *world) delete(j *collectionJob) {
	if j == nil || w.leader.cut() {
		return
	}
	w.model.mu.Lock()
	known := j.known
	j.deleting = known
	w.model.mu.Unlock()
	if !known {
		return
	}
	err := w.leader.engine().DeleteCollectionJob(context.Background(), w.id, j.id)
	w.model.mu.Lock()
	defer w.model.mu.Unlock()
	switch {
	case err == nil:
	case errors.Is(err, aggregator.ErrUnavailable):
	case errors.Is(err, aggregator.ErrNotFound) && (j.deleted || w.answerGone(j)):
	default:
		w.violated(invariantCollection, "collection job %s is deleted: %v", j.id, err)
	}
	j.deleting, j.deleted, j.uncertain = false, true, errors.Is(err, aggregator.ErrUnavailable)
}
