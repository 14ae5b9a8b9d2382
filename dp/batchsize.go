package dp

import "fmt"

// BatchSizeError says that a batch has more reports than the task's parameters allow: its result could wrap around the
// field.
type BatchSizeError struct {
	Reports, Max uint64
}

func (e *BatchSizeError) Error() string {
	return fmt.Sprintf("dp: the batch has %d reports, and with differential privacy the task's maximum is %d; collect a shorter interval", e.Reports, e.Max)
}

// CheckBatchSize returns a *BatchSizeError for a batch of more reports than MaxBatchSize.
func (p *Parameters) CheckBatchSize(reports uint64) error {
	if reports > p.MaxBatchSize {
		return &BatchSizeError{Reports: reports, Max: p.MaxBatchSize}
	}
	return nil
}
