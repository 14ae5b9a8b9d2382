// Package measure reads measurements from text: columns of a CSV file, lines, or
// a single value.
//
// Measurements are secret: errors say where one stands and what is wrong with
// it, and do not repeat it.
package measure

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
)

// Row is the text of one measurement.
type Row struct {
	// Line is where it stands, from 1; 0 for a value that is not from a file.
	Line int
	// Cells are its parts, one for each column.
	Cells []string
	// Time is the text of the time column, if there is one.
	Time string
}

// InputError says what is wrong with a file as a whole.
type InputError struct{ Problem string }

func (e *InputError) Error() string { return "input: " + e.Problem }

// RowError says what is wrong with a row.
type RowError struct {
	Line    int    // 0 for a value that is not from a file
	Column  string // empty if the problem is not one column's
	Problem string
	Err     error // may be nil
}

func (e *RowError) Error() string {
	var b strings.Builder
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", e.Line)
	}
	if e.Column != "" {
		fmt.Fprintf(&b, "column %s: ", e.Column)
	}
	b.WriteString(e.Problem)
	return b.String()
}

// Unwrap returns Err.
func (e *RowError) Unwrap() error { return e.Err }

const maxLine = 1 << 20 // bytes of a line on standard input

// CSV reads the named columns of a CSV file with a heading (RFC 4180).
// timeColumn may be empty. It stops at the first error, an *InputError or a
// *RowError.
func CSV(r io.Reader, columns []string, timeColumn string) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		reader := csv.NewReader(withoutMark(r))
		reader.ReuseRecord = true
		heading, err := reader.Read()
		if err != nil {
			yield(Row{}, csvError(err, "it has no line with the names of the columns"))
			return
		}
		indices, timeIndex, err := findColumns(heading, columns, timeColumn)
		if err != nil {
			yield(Row{}, err)
			return
		}
		for {
			record, err := reader.Read()
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(Row{}, csvError(err, ""))
				return
			}
			line, _ := reader.FieldPos(0)
			row, err := pick(record, line, columns, indices, timeColumn, timeIndex)
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// withoutMark skips the byte order mark that some programs put first.
func withoutMark(r io.Reader) io.Reader {
	buffered := bufio.NewReader(r)
	if first, err := buffered.Peek(3); err == nil && string(first) == "\ufeff" {
		buffered.Discard(3)
	}
	return buffered
}

func csvError(err error, atEnd string) error {
	if parse, ok := errors.AsType[*csv.ParseError](err); ok {
		return &RowError{Line: parse.Line, Problem: "not CSV: " + parse.Err.Error()}
	}
	if errors.Is(err, io.EOF) {
		return &InputError{atEnd}
	}
	return &InputError{err.Error()}
}

func findColumns(heading, columns []string, timeColumn string) (indices []int, timeIndex int, err error) {
	find := func(column string) int {
		index := -1
		for i, name := range heading {
			if name == column && index >= 0 {
				err = &InputError{fmt.Sprintf("there are two columns %q; give each its own name", column)}
			} else if name == column {
				index = i
			}
		}
		if index < 0 {
			err = &InputError{fmt.Sprintf("there is no column %q; the file has %s", column, strings.Join(heading, ", "))}
		}
		return index
	}
	for _, column := range columns {
		if indices = append(indices, find(column)); err != nil {
			return nil, 0, err
		}
	}
	if timeIndex = -1; timeColumn != "" {
		timeIndex = find(timeColumn)
	}
	return indices, timeIndex, err
}

func pick(record []string, line int, columns []string, indices []int, timeColumn string, timeIndex int) (Row, error) {
	row := Row{Line: line, Cells: make([]string, len(indices))}
	for i, index := range indices {
		cell := strings.TrimSpace(record[index])
		if cell == "" {
			return Row{}, &RowError{Line: line, Column: columns[i], Problem: "the cell is empty; fill it in or leave the line out"}
		}
		row.Cells[i] = strings.Clone(cell)
	}
	if timeIndex >= 0 {
		if row.Time = strings.Clone(strings.TrimSpace(record[timeIndex])); row.Time == "" {
			return Row{}, &RowError{Line: line, Column: timeColumn, Problem: "the cell is empty; fill it in or leave the line out"}
		}
	}
	return row, nil
}

// Lines reads one measurement from each line. Empty lines are errors, but for
// none at all.
func Lines(r io.Reader) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		scanner := bufio.NewScanner(withoutMark(r))
		scanner.Buffer(nil, maxLine)
		line := 0
		for scanner.Scan() {
			line++
			text := strings.TrimSpace(scanner.Text())
			var err error
			if text == "" {
				err = &RowError{Line: line, Problem: "the line is empty; each line must hold a measurement"}
			}
			if !yield(Row{Line: line, Cells: []string{text}}, err) || err != nil {
				return
			}
		}
		if err := scanner.Err(); err != nil {
			yield(Row{}, &RowError{Line: line + 1, Problem: err.Error()})
		}
	}
}

// Value is a single measurement.
func Value(text string) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) { yield(Row{Cells: []string{strings.TrimSpace(text)}}, nil) }
}
