package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// flight is one row of the data.
type flight struct {
	delay    int // minutes; negative when it was early
	distance int // miles
	hour     int // of its departure, 0 to 23
}

// Bounds of what the tasks take. No flight comes near them.
const (
	maxDelay    = 10_000 // minutes, late or early
	maxDistance = 10_000 // miles
)

// dataError says what is wrong with the data.
type dataError struct {
	path    string
	line    int // 0 if it is the whole file
	problem string
}

func (e *dataError) Error() string {
	if e.line == 0 {
		return fmt.Sprintf("%s: %s", e.path, e.problem)
	}
	return fmt.Sprintf("%s: line %d: %s", e.path, e.line, e.problem)
}

// readFlights reads a CSV file with the columns of examples/flights.
func readFlights(path string) ([]flight, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	reader := csv.NewReader(file)
	reader.ReuseRecord = true
	heading, err := reader.Read()
	if err != nil {
		return nil, &dataError{path, 1, "the names of the columns cannot be read: " + err.Error()}
	}
	var places [3]int
	for i, name := range []string{"delay_minutes", "distance_miles", "departure_hour"} {
		if places[i] = slices.Index(heading, name); places[i] < 0 {
			return nil, &dataError{path, 1, fmt.Sprintf("there is no column %s; there are %s", name, strings.Join(heading, ", "))}
		}
	}
	var flights []flight
	for {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, &dataError{path, 0, err.Error()}
		}
		line, _ := reader.FieldPos(0)
		f, problem := parseFlight(record[places[0]], record[places[1]], record[places[2]])
		if problem != "" {
			return nil, &dataError{path, line, problem}
		}
		flights = append(flights, f)
	}
	if len(flights) == 0 {
		return nil, &dataError{path, 0, "there are no flights in it"}
	}
	return flights, nil
}

func parseFlight(delay, distance, hour string) (f flight, problem string) {
	for _, cell := range []struct {
		name, text  string
		least, most int
		value       *int
	}{
		{"delay_minutes", delay, -maxDelay, maxDelay, &f.delay},
		{"distance_miles", distance, 0, maxDistance, &f.distance},
		{"departure_hour", hour, 0, 23, &f.hour},
	} {
		n, err := strconv.Atoi(strings.TrimSpace(cell.text))
		if err != nil || n < cell.least || n > cell.most {
			return f, fmt.Sprintf("%s must be a whole number, %d to %d", cell.name, cell.least, cell.most)
		}
		*cell.value = n
	}
	return f, ""
}

// spread picks n of the flights, evenly from first to last: they are in the order
// of their times, and the first n would all be of the same days.
func spread(flights []flight, n int) []flight {
	picked := make([]flight, n)
	for i := range picked {
		picked[i] = flights[i*len(flights)/n]
	}
	return picked
}
