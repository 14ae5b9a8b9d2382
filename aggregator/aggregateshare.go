package aggregator

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"

	"github.com/twofold-dap/twofold/dap"
)

// knownCollectionExtension: the standard defines no collection job extension
// (DAP Section 4.6.2), so that none is known.
func knownCollectionExtension(dap.CollectionJobExtensionType) bool { return false }

// CreateAggregateShare handles an encoded AggregateShareReq (DAP Section
// 4.6.4). From then on the batch is collected. The same request again gives the
// same answer. Its errors are a *dap.Error, ErrBusy and those of the store.
func (h *Helper) CreateAggregateShare(ctx context.Context, id dap.TaskID, body []byte) (AggregateShareStatus, error) {
	t, err := h.task(ctx, id)
	if err != nil {
		return AggregateShareStatus{}, err
	}
	progress, err := h.begin(id, body)
	if err != nil {
		return AggregateShareStatus{}, err
	}
	defer progress.end()

	shareID := dap.AggregateShareID(contentID("aggregate share", id, body))
	unlock, err := h.shares.lock(ctx, helperShareKey{id, shareID})
	if err != nil {
		return AggregateShareStatus{}, err
	}
	defer unlock()
	stored, err := h.store.AggregateShare(ctx, id, shareID)
	if err == nil {
		return shareStatus(stored), nil
	}
	if !errors.Is(err, ErrNotFound) {
		return AggregateShareStatus{}, err
	}
	ctx = context.WithoutCancel(ctx) // the Leader may give up waiting; what it asks for again is then there
	req, batch, err := decodeShareRequest(t, body)
	if err != nil {
		return AggregateShareStatus{}, err
	}
	record := AggregateShareRecord{
		ID: shareID, Task: id, RequestDigest: sha256.Sum256(body), Batch: batch,
		Count: req.ReportCount, Checksum: req.Checksum, CreatedAt: h.now().UTC(),
	}
	if record.Response, err = h.sealShare(ctx, t, req, batch); err != nil {
		return AggregateShareStatus{}, err
	}
	stored, err = h.store.PutAggregateShare(ctx, record)
	switch {
	case errors.Is(err, ErrBatchOverlap):
		return AggregateShareStatus{}, batchOverlap(id)
	case errors.Is(err, ErrConflict):
		return AggregateShareStatus{}, peerError(id, dap.ErrorTypeBatchMismatch, "reports were aggregated into the batch while it was collected")
	case err != nil:
		return AggregateShareStatus{}, privacyRefusal(id, err)
	}
	h.metrics.aggregateShares.Inc()
	h.log.Info("aggregate share given", "task", id, "reports", req.ReportCount)
	return shareStatus(stored), nil
}

// decodeShareRequest decodes an AggregateShareReq and finds its batch.
func decodeShareRequest(t *preparedTask, body []byte) (*dap.AggregateShareReq, Batch, error) {
	req, err := dap.DecodeAggregateShareReq(body)
	if err != nil {
		return nil, Batch{}, malformed(t.ID, err)
	}
	mode := t.Config.BatchMode
	if err := dap.CheckBatchSelector(mode, req.CollectionJobReq.Query, req.BatchSelector); err != nil {
		return nil, Batch{}, inTask(err, t.ID)
	}
	batch := Batch{Mode: mode}
	if mode == dap.BatchModeLeaderSelected {
		batch.BatchID, err = req.BatchSelector.BatchID()
	} else {
		batch.Interval, err = req.BatchSelector.BatchInterval()
	}
	if err != nil {
		return nil, Batch{}, inTask(err, t.ID)
	}
	return &req, batch, nil
}

// sealShare makes the checks that need the batch, in the order of DAP Section
// 4.6.4, and returns the encoded AggregateShare, with this Helper's noise if the task has differential privacy.
func (h *Helper) sealShare(ctx context.Context, t *preparedTask, req *dap.AggregateShareReq, batch Batch) ([]byte, error) {
	collected, err := h.store.Collected(ctx, t.ID, batch)
	if err != nil {
		return nil, err
	}
	if collected {
		return nil, batchOverlap(t.ID)
	}
	aggregate, err := h.store.ReadBatch(ctx, t.ID, batch, t.topology)
	if errors.Is(err, ErrConflict) {
		return nil, mixedParameters(t.ID)
	}
	if err != nil {
		return nil, err
	}
	if aggregate.Count < t.Config.MinBatchSize {
		return nil, batchTooSmall(t, aggregate.Count)
	}
	if !bytes.Equal(aggregate.AggParam, req.CollectionJobReq.AggParam) {
		return nil, otherParameter(t.ID)
	}
	if err := dap.CheckCollectionJobExtensions(req.CollectionJobReq.Extensions, knownCollectionExtension); err != nil {
		return nil, inTask(err, t.ID)
	}
	if aggregate.Count != req.ReportCount || aggregate.Checksum != req.Checksum {
		return nil, peerError(t.ID, dap.ErrorTypeBatchMismatch, "the Helper has %d reports in the batch, the Leader %d, or not the same ones", aggregate.Count, req.ReportCount)
	}
	if err := h.checkPrivacy(ctx, t, aggregate.Count); err != nil {
		return nil, err
	}
	share, err := t.noised(ctx, aggregate.Share)
	if err != nil {
		return nil, err
	}
	sealed, err := dap.SealAggregateShare(t.CollectorHpkeConfig, dap.RoleHelper, dap.AggregateShareAad{
		TaskID: t.ID, TaskConfiguration: t.EncodedConfig, CollectionJobReq: req.CollectionJobReq,
	}, share)
	if err != nil {
		return nil, err
	}
	return dap.AggregateShare{EncryptedAggregateShare: sealed}.Encode()
}

// PollAggregateShare returns an aggregate share that was given before; an unknown
// or deleted one is ErrNotFound.
func (h *Helper) PollAggregateShare(ctx context.Context, id dap.TaskID, shareID dap.AggregateShareID) (AggregateShareStatus, error) {
	if _, err := h.task(ctx, id); err != nil {
		return AggregateShareStatus{}, err
	}
	stored, err := h.store.AggregateShare(ctx, id, shareID)
	if err != nil {
		return AggregateShareStatus{}, err
	}
	return shareStatus(stored), nil
}

// DeleteAggregateShare forgets an answer (DAP Section 4.6.5). The batch stays
// collected. An unknown one is ErrNotFound.
func (h *Helper) DeleteAggregateShare(ctx context.Context, id dap.TaskID, shareID dap.AggregateShareID) error {
	if _, err := h.task(ctx, id); err != nil {
		return err
	}
	return h.store.DeleteAggregateShare(ctx, id, shareID)
}

func shareStatus(record AggregateShareRecord) AggregateShareStatus {
	return AggregateShareStatus{ID: record.ID, Ready: true, Body: record.Response}
}

func batchOverlap(id dap.TaskID) error {
	return peerError(id, dap.ErrorTypeBatchOverlap, "the batch overlaps one that was collected, or is being collected by another query")
}

func batchTooSmall(t *preparedTask, count uint64) error {
	return peerError(t.ID, dap.ErrorTypeInvalidBatchSize, "the batch has %d reports; the task's minimum is %d", count, t.Config.MinBatchSize)
}

func otherParameter(id dap.TaskID) error {
	return peerError(id, dap.ErrorTypeInvalidMessage, "the batch was aggregated with another aggregation parameter")
}

func mixedParameters(id dap.TaskID) error {
	return peerError(id, dap.ErrorTypeInvalidMessage, "parts of the batch were aggregated with different aggregation parameters; query them one by one")
}
