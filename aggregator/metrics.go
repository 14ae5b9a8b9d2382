package aggregator

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/twofold-dap/twofold/dap"
)

const metricsNamespace = "twofold"

// leaderMetrics are a Leader's metrics.
type leaderMetrics struct {
	uploaded    prometheus.Counter
	refused     *prometheus.CounterVec // by report error, at upload
	rejected    *prometheus.CounterVec // by report error, at aggregation
	aggregated  prometheus.Counter
	jobs        *prometheus.CounterVec // by outcome: created, finished, restarted, quarantined, reactivated
	jobRetries  prometheus.Counter
	jobSeconds  prometheus.Histogram
	inFlight    prometheus.Gauge
	collections *prometheus.CounterVec // by outcome: created, finished, failed, deleted
}

func newLeaderMetrics(r prometheus.Registerer) (*leaderMetrics, error) {
	m := &leaderMetrics{
		uploaded:    counter("leader_reports_uploaded_total", "Reports that were accepted."),
		refused:     counters("leader_reports_refused_total", "Reports that were refused at upload.", "error"),
		rejected:    counters("leader_reports_rejected_total", "Accepted reports that were rejected at aggregation.", "error"),
		aggregated:  counter("leader_reports_aggregated_total", "Reports that were counted in a batch."),
		jobs:        counters("leader_aggregation_jobs_total", "Aggregation jobs by outcome.", "outcome"),
		jobRetries:  counter("leader_aggregation_job_retries_total", "Failed attempts of aggregation jobs that will be repeated."),
		jobSeconds:  seconds("leader_aggregation_job_seconds", "From the creation of an aggregation job to its end."),
		inFlight:    gauge("leader_aggregation_jobs_in_flight", "Aggregation jobs that hold memory now."),
		collections: counters("leader_collection_jobs_total", "Collection jobs by outcome.", "outcome"),
	}
	return m, register(r, m.uploaded, m.refused, m.rejected, m.aggregated, m.jobs, m.jobRetries, m.jobSeconds, m.inFlight, m.collections)
}

// helperMetrics are a Helper's metrics.
type helperMetrics struct {
	rejected        *prometheus.CounterVec // by report error
	aggregated      prometheus.Counter
	steps           *prometheus.CounterVec // by step: init, continue
	stepSeconds     prometheus.Histogram
	pending         prometheus.Gauge
	aggregateShares prometheus.Counter
}

func newHelperMetrics(r prometheus.Registerer) (*helperMetrics, error) {
	m := &helperMetrics{
		rejected:        counters("helper_reports_rejected_total", "Reports that were rejected.", "error"),
		aggregated:      counter("helper_reports_aggregated_total", "Reports that were counted in a batch."),
		steps:           counters("helper_aggregation_steps_total", "Steps of aggregation jobs that were computed.", "step"),
		stepSeconds:     seconds("helper_aggregation_step_seconds", "Time to compute and commit a step of an aggregation job."),
		pending:         gauge("helper_aggregation_steps_pending", "Steps that were accepted and are not computed yet."),
		aggregateShares: counter("helper_aggregate_shares_total", "Aggregate shares that were given."),
	}
	return m, register(r, m.rejected, m.aggregated, m.steps, m.stepSeconds, m.pending, m.aggregateShares)
}

// countResponses counts the reports that ended with a step's responses.
func (m *helperMetrics) countResponses(step HelperStep, stored []dap.VerifyResp) {
	rejected := uint64(0)
	for _, c := range step.Commits {
		if stored[c.Index].Type == dap.VerifyRespReject {
			rejected++
		}
	}
	m.aggregated.Add(float64(uint64(len(step.Commits)) - rejected))
	for _, r := range stored {
		if r.Type == dap.VerifyRespReject {
			m.rejected.WithLabelValues(r.Error.String()).Inc()
		}
	}
}

// waitingGauge shows the number of waiting reports when it is scraped.
func waitingGauge(value func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: metricsNamespace, Name: "leader_reports_waiting",
		Help: "Accepted reports that wait for an aggregation job, about.",
	}, value)
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Namespace: metricsNamespace, Name: name, Help: help})
}

func counters(name, help, label string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: metricsNamespace, Name: name, Help: help}, []string{label})
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: metricsNamespace, Name: name, Help: help})
}

func seconds(name, help string) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: metricsNamespace, Name: name, Help: help,
		Buckets: prometheus.ExponentialBuckets(0.005, 2, 18), // 5 ms to 11 minutes
	})
}

// register registers collectors; with a nil registerer it does nothing.
func register(r prometheus.Registerer, collectors ...prometheus.Collector) error {
	if r == nil {
		return nil
	}
	for _, c := range collectors {
		if err := r.Register(c); err != nil {
			return err
		}
	}
	return nil
}

func sinceSeconds(start, end time.Time) float64 { return max(0, end.Sub(start).Seconds()) }
