package main

import (
	"strings"
	"testing"
)

func TestReadLog(t *testing.T) {
	good := `time=x level=INFO msg=serving
time=x level=WARN msg="will be tried again" error="a \"b\""
time=x level=WARN msg="will be tried again" job=2
time=x level=WARN msg=late
`
	warnings, err := readLog(strings.NewReader(good))
	if err != nil || len(warnings) != 2 || warnings["will be tried again"] != 2 || warnings["late"] != 1 {
		t.Errorf("got %v, %v", warnings, err)
	}
	for _, bad := range []string{"panic: nil map", "WARNING: DATA RACE", "goroutine 7 [running]:", "time=x level=ERROR msg=lost", "fatal error: all asleep"} {
		if _, err := readLog(strings.NewReader(good + bad + "\n" + good)); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: got %v", bad, err)
		}
	}
}

func TestGauge(t *testing.T) {
	metrics := []byte("# TYPE go_goroutines gauge\ngo_goroutines 21\ngo_goroutines_total 5\n")
	if got, err := gauge(metrics, "go_goroutines"); err != nil || got != 21 {
		t.Errorf("got %d, %v", got, err)
	}
	if _, err := gauge(metrics, "go_threads"); err == nil {
		t.Error("a metric that is not there was found")
	}
}
