package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/twofold-dap/twofold/collector/wire"
)

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadFlights(t *testing.T) {
	const heading = "departure_hour,other,delay_minutes,distance_miles\n"
	got, err := readFlights(writeFile(t, heading+"23,x,-5,1452\n0,y,171,30\n"))
	if want := []flight{{-5, 1452, 23}, {171, 30, 0}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	for text, mentions := range map[string]string{
		"":                              "names of the columns",
		"delay_minutes\n1\n":            "no column distance_miles",
		heading:                         "no flights",
		heading + "1,x,late,3\n":        "line 2: delay_minutes",
		heading + "1,x,2,3\n24,x,2,3\n": "line 3: departure_hour",
		heading + "1,x,2,-3\n":          "line 2: distance_miles",
		heading + "1,x,10001,3\n":       "line 2: delay_minutes",
		heading + "1,x,2\n":             "wrong number of fields",
	} {
		_, err := readFlights(writeFile(t, text))
		if _, ok := errors.AsType[*dataError](err); !ok || !strings.Contains(err.Error(), mentions) {
			t.Errorf("%q: got %v, want %q", text, err, mentions)
		}
	}
	if _, err := readFlights(filepath.Join(t.TempDir(), "none.csv")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestSample(t *testing.T) {
	flights, err := readFlights("../../examples/flights/flights.csv")
	if err != nil || len(flights) != 20_000 {
		t.Fatalf("%d flights, %v", len(flights), err)
	}
	d := &demo{}
	if got, err := d.flights(t.Context()); err != nil || len(got) != defaultReports {
		t.Errorf("by default there are %d, %v", len(got), err)
	}
	d.reports = 20_001
	if _, err := d.flights(t.Context()); err == nil || !strings.Contains(err.Error(), "--reports") {
		t.Errorf("more than there are: %v", err)
	}
	d = &demo{csv: writeFile(t, "delay_minutes,distance_miles,departure_hour\n1,2,3\n4,5,6\n7,8,9\n")}
	if got, err := d.flights(t.Context()); err != nil || len(got) != 3 {
		t.Errorf("a whole file is %d, %v", len(got), err)
	}
	d.reports = 2
	if got, err := d.flights(t.Context()); err != nil || !reflect.DeepEqual(got, []flight{{1, 2, 3}, {4, 5, 6}}) {
		t.Errorf("two of a file are %v, %v", got, err)
	}
}

// TestPlain compares the plain computations with results made by hand.
func TestPlain(t *testing.T) {
	flights := []flight{{-20, 100, 18}, {-15, 1000, 17}, {0, 30, 0}, {15, 2000, 23}, {16, 10, 5}, {61, 5, 19}, {180, 1, 1}, {179, 2, 2}}
	want := map[string][]uint64{
		"late":     {4},
		"distance": {3148},
		"delays":   {1, 1, 1, 2, 0, 0, 1, 0, 1, 1},
		"totals":   {451, 35, 3148},
		"kinds":    {2, 4, 3, 2, 3},
	}
	for _, q := range questions() {
		if got := q.plain(flights); !reflect.DeepEqual(got, want[q.name]) {
			t.Errorf("%s: got %v, want %v", q.name, got, want[q.name])
		}
		if q.names != nil && len(q.names) != len(want[q.name]) {
			t.Errorf("%s: %d names", q.name, len(q.names))
		}
	}
}

func TestRows(t *testing.T) {
	for _, q := range questions() {
		path := filepath.Join(t.TempDir(), "rows.csv")
		if err := writeRows(path, q.columns, []flight{{-20, 100, 18}, {61, 2000, 5}}, nil); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		want := map[string]string{
			"late":     "late\n0\n1\n",
			"distance": "distance_miles\n100\n2000\n",
			"delays":   "delay_minutes\n-20\n61\n",
			"totals":   "minutes_late,minutes_early,distance_miles\n0,20,100\n61,0,2000\n",
			"kinds":    "early,late,very_late,far,evening\n1,0,0,0,1\n0,1,1,1,0\n",
		}[q.name]
		if err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v", q.name, got, err)
		}
	}
}

func TestBars(t *testing.T) {
	var out bytes.Buffer
	for _, width := range []int{40, 80, 100} {
		out.Reset()
		drawHistogram(&printer{w: &out, width: width}, []string{"below 0", "0 or more"}, []uint64{1, 40_000}, 40_001)
		lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
		if len(lines) != 2 {
			t.Fatalf("%d lines", len(lines))
		}
		for _, line := range lines {
			if n := utf8.RuneCountInString(line); n > width {
				t.Errorf("a line of %d characters in a width of %d: %q", n, width, line)
			}
		}
	}
}

// fine returns outcomes with which nothing is wrong.
func fine() []outcome {
	all := questions()
	var outcomes []outcome
	for i := range all {
		o := outcome{question: &all[i], flights: 10, reportCount: 10, result: []uint64{1}, plain: []uint64{1},
			atUpload: map[string]uint64{}, atVerification: map[string]uint64{}}
		o.names = []string{"all"}
		if all[i].name == "totals" || all[i].name == "kinds" {
			o.names = all[i].names
			o.result, o.plain = make([]uint64, len(o.names)), make([]uint64, len(o.names))
		}
		if reason := o.question.cheat.reason.String(); o.question.cheat.atUpload {
			o.atUpload[reason] = cheats
		} else {
			o.atVerification[reason] = cheats
		}
		outcomes = append(outcomes, o)
	}
	return outcomes
}

func TestVerdict(t *testing.T) {
	if !allMatch(fine()) {
		t.Error("what is right was called wrong")
	}
	for name, spoil := range map[string]func(*outcome){
		"a result":              func(o *outcome) { o.result[0]++ },
		"a shorter result":      func(o *outcome) { o.result = nil },
		"a report too many":     func(o *outcome) { o.reportCount++ },
		"a report missing":      func(o *outcome) { o.reportCount-- },
		"a cheater not caught":  func(o *outcome) { o.atUpload, o.atVerification = nil, nil },
		"an honest one refused": func(o *outcome) { o.atVerification["report_dropped"]++ },
		"another reason": func(o *outcome) {
			o.atUpload, o.atVerification = nil, map[string]uint64{"invalid_message": cheats}
		},
		"at another time": func(o *outcome) { o.atUpload, o.atVerification = o.atVerification, o.atUpload },
	} {
		for i := range fine() {
			outcomes := fine()
			spoil(&outcomes[i])
			if allMatch(outcomes) {
				t.Errorf("%s of %s was not noticed", name, outcomes[i].question.name)
			}
			var out bytes.Buffer
			if show(&printer{w: &out, width: 80}, outcomes); !strings.Contains(out.String(), "✗") {
				t.Errorf("%s of %s does not show", name, outcomes[i].question.name)
			}
			out.Reset()
			if err := writeJSON(&out, outcomes, time.Second); err != nil || !strings.Contains(out.String(), `"match":false`) {
				t.Errorf("%s of %s is not in the object: %v", name, outcomes[i].question.name, err)
			}
		}
	}
}

func TestJSON(t *testing.T) {
	var out bytes.Buffer
	if err := writeJSON(&out, fine(), 12345*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if strings.Count(out.String(), "\n") != 1 {
		t.Error("it is not one line")
	}
	var got struct {
		Tasks   []map[string]any `json:"tasks"`
		Seconds float64          `json:"seconds"`
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || len(got.Tasks) != 5 || got.Seconds != 12.3 {
		t.Fatalf("got %s, %v", out.Bytes(), err)
	}
	want := map[string]any{"name": "distance", "vdaf": "sum:max=10000", "uploaded": 13.0, "rejected": 3.0, "report_count": 10.0, "match": true}
	if !reflect.DeepEqual(got.Tasks[1], want) {
		t.Errorf("got %v, want %v", got.Tasks[1], want)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"--reports", "0"}, {"--reports", "many"}, {"--nonsense"}, {"extra"}} {
		c := command(io.Discard, io.Discard)
		c.SetArgs(args)
		if status := exitStatus(io.Discard, c.ExecuteContext(t.Context())); status != exitUsage {
			t.Errorf("%v: exit status %d", args, status)
		}
	}
	if status := exitStatus(io.Discard, context.Canceled); status != exitFailed {
		t.Errorf("interrupted: exit status %d", status)
	}
}

// TestDepartures spreads flights over the days before today, each at its hour.
func TestDepartures(t *testing.T) {
	flights := make([]flight, 10)
	for i := range flights {
		flights[i].hour = i
	}
	now := time.Date(2026, 11, 30, 1, 2, 3, 0, time.UTC)
	for i, got := range departures(flights, now) {
		if want := time.Date(2026, 11, 25+i/2, i, 0, 0, 0, time.UTC); !got.Equal(want) {
			t.Errorf("flight %d departs at %s, want %s", i, got, want)
		}
	}
	path := filepath.Join(t.TempDir(), "rows.csv")
	if err := writeRows(path, []column{{"hour", func(f flight) int { return f.hour }}}, flights[:1], departures(flights, now)); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "hour,time\n0,2026-11-25T00:00:00Z\n" {
		t.Errorf("the rows are %q, %v", text, err)
	}
}

// TestServe leaves the whole system running, looks at its page, and stops it.
func TestServe(t *testing.T) {
	var people bytes.Buffer
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	looked := false
	d := &demo{reports: 100, forever: true, ready: func(a *analyst) {
		looked = true
		var tasks wire.Tasks
		if err := a.do(ctx, http.MethodGet, "/api/v1/tasks", nil, &tasks); err != nil || len(tasks.Tasks) != 5 {
			t.Errorf("there are %d tasks, %v", len(tasks.Tasks), err)
		}
		for _, task := range tasks.Tasks {
			if task.Results == 0 || task.Latest == nil || task.Latest.ReportCount == 0 {
				t.Errorf("%s has no result", task.Name)
			}
		}
		response, err := http.Get(a.address + "/")
		if err != nil {
			t.Error(err)
			return
		}
		defer response.Body.Close()
		if page, err := io.ReadAll(response.Body); err != nil || !strings.Contains(string(page), "<h1>Log in</h1>") {
			t.Errorf("the page is %.200s, %v", page, err)
		}
		stop()
	}}
	if err := d.execute(ctx, &people, nil); err != nil {
		t.Fatalf("%v; it said:\n%s", err, people.String())
	}
	if !looked || !strings.Contains(people.String(), "The analyst's page") || !strings.Contains(people.String(), "token") {
		t.Errorf("it said:\n%s", people.String())
	}
}
