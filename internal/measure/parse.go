package measure

import (
	"fmt"
	"iter"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/twofold-dap/twofold/client"
	"github.com/twofold-dap/twofold/internal/vdafspec"
)

// Parser makes a measurement of its parts. It returns what is wrong, and in which
// part, -1 if in none of them.
type Parser[M any] func(cells []string) (m M, cell int, problem string)

// ParseFlag reads a measurement of Prio3Count: 1 or true, 0 or false.
func ParseFlag(cells []string) (bool, int, string) {
	if problem := single(cells); problem != "" {
		return false, -1, problem
	}
	flag, ok := parseFlag(cells[0])
	if !ok {
		return false, 0, notAFlag
	}
	return flag, 0, ""
}

// ParseNumber reads a measurement of Prio3Sum.
func ParseNumber(cells []string) (uint64, int, string) {
	if problem := single(cells); problem != "" {
		return 0, -1, problem
	}
	n, err := strconv.ParseUint(cells[0], 10, 64)
	if err != nil {
		return 0, 0, notANumber
	}
	return n, 0, ""
}

// ParseNumbers reads a measurement of Prio3SumVec: a number in each cell, or
// several in one with ; between them.
func ParseNumbers(cells []string) ([]uint64, int, string) {
	parts, whole := split(cells)
	numbers := make([]uint64, len(parts))
	for i, part := range parts {
		var err error
		if numbers[i], err = strconv.ParseUint(strings.TrimSpace(part), 10, 64); err != nil {
			return nil, whole(i), notANumber
		}
	}
	return numbers, 0, ""
}

// ParseFlags reads a measurement of Prio3MultihotCountVec: a flag in each cell,
// or several in one with ; between them.
func ParseFlags(cells []string) ([]bool, int, string) {
	parts, whole := split(cells)
	flags := make([]bool, len(parts))
	for i, part := range parts {
		var ok bool
		if flags[i], ok = parseFlag(strings.TrimSpace(part)); !ok {
			return nil, whole(i), notAFlag
		}
	}
	return flags, 0, ""
}

// BucketParser returns the Parser of a histogram: of the index of a bucket, or,
// if it has edges, of any number.
func BucketParser(spec vdafspec.Spec) Parser[int] {
	return func(cells []string) (int, int, string) {
		if problem := single(cells); problem != "" {
			return 0, -1, problem
		}
		if spec.Edges == nil {
			bucket, err := strconv.ParseUint(cells[0], 10, 31)
			if err != nil {
				return 0, 0, "is not a bucket's index, a whole number from 0"
			}
			return int(bucket), 0, ""
		}
		value, err := strconv.ParseFloat(cells[0], 64)
		if err != nil || math.IsNaN(value) || math.IsInf(value, 0) {
			return 0, 0, "is not a number"
		}
		return spec.Bucket(value), 0, ""
	}
}

const (
	notANumber = "is not a whole number of 0 or more"
	notAFlag   = "is not a flag; write 1 or 0, or true or false"
)

func single(cells []string) string {
	if len(cells) != 1 {
		return fmt.Sprintf("%d columns are given; this task takes one", len(cells))
	}
	return ""
}

// split returns the parts of a vector, and in which cell each of them stands.
func split(cells []string) ([]string, func(int) int) {
	if len(cells) == 1 {
		return strings.Split(cells[0], ";"), func(int) int { return 0 }
	}
	return cells, func(i int) int { return i }
}

func parseFlag(text string) (bool, bool) {
	switch text {
	case "1", "true":
		return true, true
	case "0", "false":
		return false, true
	}
	return false, false
}

// parseTime reads a time as in RFC 3339, or seconds since the Epoch.
func parseTime(text string) (time.Time, string) {
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		if seconds < 0 || seconds > math.MaxInt32*1000 {
			return time.Time{}, "is not a time: seconds since 1970 are out of range"
		}
		return time.Unix(seconds, 0).UTC(), ""
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, "is not a time; write it as in RFC 3339, 2026-01-31T08:00:00Z, or as seconds since 1970"
	}
	return t.UTC(), ""
}

// Source says where measurements come from, for Read.
type Source struct {
	Rows iter.Seq2[Row, error]
	// Columns and TimeColumn are the names in errors; empty if there are none.
	Columns    []string
	TimeColumn string
	// Now is the time of the measurements if there is no time column.
	Now time.Time
}

// Read reads all measurements and checks each, so that the error of a bad one is
// known before anything is done with the others. It is an *InputError or a
// *RowError, which unwraps to the error of check.
func Read[M any](source Source, parse Parser[M], check func(client.Measurement[M]) error) ([]client.Measurement[M], error) {
	var measurements []client.Measurement[M]
	for row, err := range source.Rows {
		if err != nil {
			return nil, err
		}
		m := client.Measurement[M]{Time: source.Now}
		if source.TimeColumn != "" {
			var problem string
			if m.Time, problem = parseTime(row.Time); problem != "" {
				return nil, &RowError{Line: row.Line, Column: source.TimeColumn, Problem: problem}
			}
		}
		var cell int
		var problem string
		if m.Value, cell, problem = parse(row.Cells); problem != "" {
			return nil, &RowError{Line: row.Line, Column: columnName(source.Columns, cell), Problem: problem}
		}
		if err := check(m); err != nil {
			return nil, &RowError{Line: row.Line, Problem: err.Error(), Err: err}
		}
		measurements = append(measurements, m)
	}
	if len(measurements) == 0 {
		return nil, &InputError{"there are no measurements in it"}
	}
	return measurements, nil
}

func columnName(columns []string, cell int) string {
	if cell < 0 || cell >= len(columns) {
		return ""
	}
	return columns[cell]
}
