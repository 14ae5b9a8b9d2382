package aggregator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/dp"
	"github.com/twofold-dap/twofold/vdaf/pingpong"
)

// preparedTask is a task with everything that its requests need, made once. It
// is immutable but for the cached opener, and many goroutines use it.
type preparedTask struct {
	Task
	topology    *pingpong.Topology
	vdafContext []byte
	// eager: the VDAF's only aggregation parameter is the empty one, so that
	// aggregation need not wait for the Collector (DAP Section 4.5.2).
	eager       bool
	memory      footprint
	interval    dap.Interval // of the extension task_interval
	hasInterval bool
	// mechanism and noise are nil unless the task has differential privacy.
	mechanism *dp.Mechanism
	noise     *noiseSource

	opener atomic.Pointer[cachedOpener]
}

// cachedOpener is an opener for the keys that it was made with.
type cachedOpener struct {
	keys   *keySet
	opener *dap.InputShareOpener
}

// taskTable holds tasks that were in use since the start.
type taskTable struct {
	mu    sync.RWMutex
	tasks map[dap.TaskID]*preparedTask
}

// maxPrepared is how many of them are kept at most.
const maxPrepared = 4096

// task returns a task from memory or from the store; an unknown one is a
// *dap.Error of type unrecognizedTask.
func (e *engine) task(ctx context.Context, id dap.TaskID) (*preparedTask, error) {
	e.tasks.mu.RLock()
	t := e.tasks.tasks[id]
	e.tasks.mu.RUnlock()
	if t != nil {
		return t, nil
	}
	stored, err := e.store.Task(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil, peerError(id, dap.ErrorTypeUnrecognizedTask, "no task with this ID is set up here")
	}
	if err != nil {
		return nil, err
	}
	if t, err = e.prepare(stored); err != nil {
		return nil, err
	}
	e.tasks.mu.Lock()
	defer e.tasks.mu.Unlock()
	if e.tasks.tasks == nil {
		e.tasks.tasks = make(map[dap.TaskID]*preparedTask)
	}
	if other := e.tasks.tasks[id]; other != nil {
		return other, nil
	}
	for other := range e.tasks.tasks {
		if len(e.tasks.tasks) < maxPrepared {
			break
		}
		e.tasks.tasks[other].forget()
		delete(e.tasks.tasks, other) // whichever it is, it can be prepared again
	}
	e.tasks.tasks[id] = t
	if t.noise != nil {
		t.noise.prepare()
	}
	return t, nil
}

// forget gives up what a prepared task holds beyond its own memory.
func (t *preparedTask) forget() {
	if t.noise != nil {
		t.noise.close()
	}
}

// prepare makes what the task's requests need, and checks everything about the
// task that must hold for them to succeed.
func (e *engine) prepare(task Task) (*preparedTask, error) {
	topology, err := e.vdaf(task.Config)
	if err != nil {
		return nil, &TaskError{Field: "vdaf", Problem: "cannot be used", Err: err}
	}
	if size := topology.Verifier().VerifyKeySize(); len(task.VerifyKey) != size {
		return nil, &TaskError{Field: "verification key", Problem: fmt.Sprintf("has %d bytes; the VDAF's has %d", len(task.VerifyKey), size)}
	}
	if size := topology.Verifier().NonceSize(); size != len(dap.ReportID{}) {
		return nil, &TaskError{Field: "vdaf", Problem: fmt.Sprintf("has nonces of %d bytes; DAP needs %d", size, len(dap.ReportID{}))}
	}
	t := &preparedTask{
		Task:        task,
		topology:    topology,
		vdafContext: dap.VdafContext(task.ID),
		eager:       topology.ValidAggParam(nil, nil) == nil,
		memory:      footprintOf(topology.Verifier()),
	}
	t.interval, t.hasInterval = task.Config.TaskInterval()
	if err := e.preparePrivacy(t); err != nil {
		return nil, err
	}
	return t, nil
}

// AddTask checks a task and stores it. Adding the same task again changes
// nothing. Its errors are a *TaskError, ErrExists (another task has this ID) and those of the store.
func (e *engine) AddTask(ctx context.Context, task Task) error {
	if err := e.checkTask(&task); err != nil {
		return err
	}
	prepared, err := e.prepare(task)
	if err != nil {
		return err
	}
	if err := e.checkMemory(prepared.topology); err != nil {
		return err
	}
	if task.AddedAt.IsZero() {
		task.AddedAt = e.now().UTC().Truncate(time.Second)
	}
	return e.store.PutTask(ctx, task)
}

// checkTask checks what does not depend on the VDAF.
func (e *engine) checkTask(task *Task) error {
	if task.Role != e.role {
		return &TaskError{Field: "role", Problem: fmt.Sprintf("%s; this aggregator is the %s", task.Role, e.role)}
	}
	if task.ID == (dap.TaskID{}) {
		return &TaskError{Field: "task ID", Problem: "missing"}
	}
	config, err := dap.DecodeTaskConfiguration(task.EncodedConfig)
	if err != nil {
		return &TaskError{Field: "task configuration", Problem: "does not decode", Err: err}
	}
	encoded, err := task.Config.Encode()
	if err != nil || !bytes.Equal(encoded, task.EncodedConfig) {
		return &TaskError{Field: "task configuration", Problem: "is not the encoded one", Err: err}
	}
	if err := config.Validate(); err != nil {
		return &TaskError{Field: "task configuration", Problem: "is not valid", Err: err}
	}
	if task.Taskprov && dap.TaskprovTaskID(task.EncodedConfig) != task.ID {
		return &TaskError{Field: "task ID", Problem: "is not the one that Taskprov derives from the task configuration; the configuration was altered"}
	}
	if own := ownEndpoint(config, e.role); e.endpoint != "" && own != e.endpoint {
		return &TaskError{Field: "task configuration", Problem: fmt.Sprintf("its %s is %q, but this aggregator is %q; make the task with this URL", e.role, own, e.endpoint)}
	}
	if err := task.CollectorHpkeConfig.Validate(); err != nil {
		return &TaskError{Field: "collector_hpke_config", Problem: "cannot be used", Err: err}
	}
	return e.checkCredentials(task)
}

// checkCredentials checks that the task has the tokens of its role, so that no
// request about it can go unauthenticated.
func (e *engine) checkCredentials(task *Task) error {
	zero := [32]byte{}
	switch {
	case e.role == dap.RoleLeader && len(task.HelperToken) == 0:
		return &TaskError{Field: "helper token", Problem: "missing; a Leader needs it to talk to the Helper"}
	case e.role == dap.RoleLeader && task.CollectorTokenHash == zero:
		return &TaskError{Field: "collector token", Problem: "missing; a Leader needs its hash to know the Collector"}
	case e.role == dap.RoleHelper && task.LeaderTokenHash == zero:
		return &TaskError{Field: "leader token", Problem: "missing; a Helper needs its hash to know the Leader"}
	}
	return nil
}

func ownEndpoint(config dap.TaskConfiguration, role dap.Role) string {
	if role == dap.RoleLeader {
		return config.LeaderAggregatorEndpoint
	}
	return config.HelperAggregatorEndpoint
}

// Tasks returns all tasks in the order in which they were added.
func (e *engine) Tasks(ctx context.Context) ([]Task, error) { return e.store.Tasks(ctx) }
