package api

import (
	"context"
	"net/http"

	"github.com/twofold-dap/twofold/dap"
)

// PrivacyRequest asks how private a task is, and what it has spent.
type PrivacyRequest struct {
	// Task is the task's ID, or its name if no other task has it.
	Task string `json:"task"`
	// Delta is the δ with which a level of ρ is shown as (ε, δ), above 0 and below 1; 0 stands for 1e-9.
	Delta float64 `json:"delta,omitempty"`
}

// OperatorPrivacy is the differential privacy of a task, and its ledger at this aggregator. Levels are exact: decimal
// numbers, or fractions.
type OperatorPrivacy struct {
	Task dap.TaskID `json:"task"`
	Name string     `json:"name,omitempty"`
	// Mechanism is "discrete-laplace", with levels of ε, or "discrete-gaussian", with levels of ρ.
	Mechanism string `json:"mechanism"`
	// Neighbours is "replace-one" or "remove-one".
	Neighbours string `json:"neighbours"`
	// Noise says in one line what each aggregator adds to each number of a result, StandardError how far both together
	// take it from the true number.
	Noise         string  `json:"noise"`
	StandardError float64 `json:"standard_error"`
	// Level is what the result of one batch costs one report in it, and so what a report has lost at most.
	Level            string `json:"level"`
	ReportsPerClient uint64 `json:"reports_per_client"`
	ReportsPerBatch  uint64 `json:"reports_per_batch"`
	MaxBatchSize     uint64 `json:"max_batch_size"`
	// Batches were collected here; AssumedBatches may have been besides, before the database was restored.
	Batches        uint64 `json:"batches"`
	AssumedBatches uint64 `json:"assumed_batches,omitempty"`
	// BatchesLeft is how many more the budget suffices for; absent if any number.
	BatchesLeft *uint64 `json:"batches_left,omitempty"`
	// Budget is what all results may cost one client, Spent what they have cost, and Left what is left.
	Budget string `json:"budget"`
	Spent  string `json:"spent"`
	Left   string `json:"left"`
	// With levels of ρ, EpsilonSpent and EpsilonBudget are Spent and Budget as ε for the δ Delta.
	Delta         float64 `json:"delta,omitempty"`
	EpsilonSpent  float64 `json:"epsilon_spent,omitempty"`
	EpsilonBudget float64 `json:"epsilon_budget,omitempty"`
}

// Privacy implements OperatorService.
func (c *OperatorClient) Privacy(ctx context.Context, request PrivacyRequest) (result OperatorPrivacy, err error) {
	err = c.do(ctx, http.MethodPost, "/privacy", request, &result)
	return result, err
}
