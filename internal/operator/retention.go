package operator

import (
	"fmt"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/internal/timespan"
)

// RetentionConfig says how long a server keeps what it has. Empty values are the defaults.
type RetentionConfig struct {
	Reports string `toml:"reports" comment:"How long reports are kept, such as 90d, or forever: what waits, the batches, and the report IDs by which a replay is\nrecognized. After that time they go, ALSO IF THEY WERE NOT COLLECTED, and reports that are as old are refused. Of a task that has\nended everything goes so long after its end."`
	Answers string `toml:"answers" comment:"How long an answer is kept for those who have not fetched or deleted it: a Leader's to collectors, a Helper's to\nits Leader."`
}

var defaultRetention = RetentionConfig{Reports: "90d", Answers: "90d"}

const keepForever = "forever"

// parseRetention reads "90d" or "forever", which is 0.
func parseRetention(field, text string) (time.Duration, error) {
	switch text {
	case "":
		text = defaultRetention.Reports
	case keepForever:
		return 0, nil
	}
	d, err := timespan.Parse(text)
	if err != nil {
		return 0, &ConfigError{Field: "retention." + field, Problem: fmt.Sprintf("%v; or forever", err)}
	}
	return d, nil
}

// retention is what the configuration says; check has found it right.
func (c *RetentionConfig) retention() (r aggregator.Retention, err error) {
	if r.Reports, err = parseRetention("reports", c.Reports); err != nil {
		return r, err
	}
	r.Answers, err = parseRetention("answers", c.Answers)
	return r, err
}
