package dp

import (
	"fmt"
	"math"
	"math/big"
)

// Ledger is what a task has spent at one Aggregator. The zero value has spent nothing.
type Ledger struct {
	// Batches is how many batches have had a result with noise, or may have had.
	Batches uint64
}

// BudgetError says that a batch cannot be collected, because the task's budget does not suffice for it.
type BudgetError struct {
	Kind    Kind
	Batches uint64   // that were collected
	Spent   *big.Rat // by them
	Next    *big.Rat // what would be spent with one more
	Budget  *big.Rat
}

func (e *BudgetError) Error() string {
	s := e.Kind.Symbol()
	return fmt.Sprintf("dp: the privacy budget is spent: %d batches have cost a client %s = %s, one more would make it %s, and the task's budget is %s; make a new task to go on",
		e.Batches, s, e.Spent.RatString(), e.Next.RatString(), e.Budget.RatString())
}

// Charge returns the ledger with one more batch, or a *BudgetError. Batches must be disjoint, as those of DAP are.
func (l Ledger) Charge(p Parameters) (Ledger, error) {
	next := Ledger{Batches: l.Batches + 1}
	if next.Batches == 0 { // of 2^64 batches
		return l, &BudgetError{p.Kind, l.Batches, p.ClientLoss(l.Batches), p.ClientLoss(l.Batches), p.Budget}
	}
	if loss := p.ClientLoss(next.Batches); loss.Cmp(p.Budget) > 0 {
		return l, &BudgetError{p.Kind, l.Batches, p.ClientLoss(l.Batches), loss, p.Budget}
	}
	return next, nil
}

// Affordable returns how many batches the budget suffices for. unlimited: for any number, because a client's reports
// cannot be in more batches than it has paid for.
func (p *Parameters) Affordable() (batches uint64, unlimited bool) {
	low, high := uint64(0), uint64(math.MaxUint64) // low is affordable
	if p.ClientLoss(high).Cmp(p.Budget) <= 0 {
		return high, true
	}
	for high-low > 1 {
		if middle := low + (high-low)/2; p.ClientLoss(middle).Cmp(p.Budget) <= 0 {
			low = middle
		} else {
			high = middle
		}
	}
	return low, false
}

// ReportLoss returns what the results of that many disjoint batches tell about one report: the maximum over the
// batches, because a report is in one of them only. ε or ρ.
func (p *Parameters) ReportLoss(batches uint64) *big.Rat {
	if batches == 0 {
		return new(big.Rat)
	}
	return new(big.Rat).Set(p.Level)
}

// ClientLoss returns what the results of that many disjoint batches tell about one client at most: with ε,
// the number of its reports times the level; with ρ, the square of their number in each batch, added up over the batches, times
// the level. The worst that a client's reports can do is to be in as few batches as they may.
func (p *Parameters) ClientLoss(batches uint64) *big.Rat {
	perBatch, left := bigUint(p.ReportsPerBatch), bigUint(p.ReportsPerClient)
	full, rest := new(big.Int), new(big.Int)
	if p.ReportsPerBatch > 0 {
		full.QuoRem(left, perBatch, rest)
	}
	if available := bigUint(batches); full.Cmp(available) >= 0 {
		full, rest = available, new(big.Int)
	}
	if p.Kind == ZeroConcentrated {
		perBatch.Mul(perBatch, perBatch)
		rest.Mul(rest, rest)
	}
	total := full.Mul(full, perBatch)
	total.Add(total, rest)
	return new(big.Rat).Mul(p.Level, new(big.Rat).SetInt(total))
}

func bigUint(x uint64) *big.Int { return new(big.Int).SetUint64(x) }
