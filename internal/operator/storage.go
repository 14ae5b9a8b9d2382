package operator

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/store"
)

// reportHealth logs how the database is doing.
func reportHealth(logger *slog.Logger) func(store.Health) {
	if logger == nil {
		return nil
	}
	ready := false
	return func(h store.Health) {
		switch {
		case h.State != store.StateReady:
			logger.Error("the database cannot be written", "state", h.State.String(), "problem", h.Problem, "remedy", h.Remedy)
		case ready:
			logger.Info("the database is written again")
		}
		ready = true // the first word is that it was opened
	}
}

// register makes a metric of it.
func (o *openOptions) register(s database) error {
	if o.metrics == nil {
		return nil
	}
	return o.metrics.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "twofold_storage_state", Help: "0: the database is ready; 1: the disk is full for uploads; 2: nothing can be written; 3: only a new start helps.",
	}, func() float64 { return float64(s.Health().State) }))
}

// operatorStorage is the health as operators see it.
func operatorStorage(h store.Health) api.OperatorStorage {
	result := api.OperatorStorage{State: h.State.String()}
	if h.State != store.StateReady {
		since := h.Since.UTC().Truncate(time.Second)
		result.Since, result.Problem, result.Remedy = &since, h.Problem.Error(), h.Remedy
	}
	return result
}
