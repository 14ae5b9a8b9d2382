package browser

import (
	"encoding/csv"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/twofold-dap/twofold/internal/browser"
	"github.com/twofold-dap/twofold/internal/processes"
)

const minBatchSize = 40

// measurements are what clients upload, and counts how many are in each range of the task.
var (
	edges  = []int{0, 15, 60}
	labels = []string{"below 0", "0 to below 15", "15 to below 60", "60 or more"}
	counts = []int{37, 52, 21, 10}
)

// writeMeasurements writes the measurements as a CSV file, at a time that is over.
func writeMeasurements(t *testing.T, at time.Time) (path string, total int) {
	t.Helper()
	values := []int{-3, edges[0], edges[1], edges[2]}
	var rows strings.Builder
	fmt.Fprintln(&rows, "minutes,time")
	for i, n := range counts {
		for range n {
			fmt.Fprintf(&rows, "%d,%s\n", values[i], at.Format(time.RFC3339))
		}
		total += n
	}
	path = filepath.Join(t.TempDir(), "measurements.csv")
	if err := os.WriteFile(path, []byte(rows.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, total
}

// TestJourney goes the whole way, with the keyboard only.
func TestJourney(t *testing.T) {
	b := browser.Start(t)
	dir := t.TempDir()
	programs, err := processes.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	system, err := processes.NewSystem(t.Context(), programs, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := system.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := system.ServeCollector(t.Context()); err != nil {
		t.Fatal(err)
	}
	token, err := system.NewAnalystToken(t.Context(), "analyst", "administer")
	if err != nil {
		t.Fatal(err)
	}
	downloads := t.TempDir()
	j := &journey{t, b.Tab(t, downloads), downloads, strings.TrimSuffix(system.Collector.URL, "/")}

	j.tab.Open(j.address + "/")
	j.tab.Check("journey-1-login")
	j.logIn(token)
	file := j.createTask(system)
	analystToken, err := system.Approve(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	j.enter("#token", analystToken+kb.Enter)
	j.tab.WaitFor("the token is kept", `document.body.innerText.includes("The token was stored")`)
	j.tab.Check("journey-4-approved")

	rows, total := writeMeasurements(t, time.Now().UTC().Add(-24*time.Hour).Truncate(time.Hour))
	if _, err := programs.Run(t.Context(), "client", "upload", "--task", file, "--csv", rows, "--column", "minutes", "--time-column", "time"); err != nil {
		t.Fatal(err)
	}
	// Nobody loads the page again: it shows by itself how the batch fills.
	j.tab.WaitFor("the batch is full", `document.querySelector("#filling-batches tbody")?.innerText.includes("Ready")`)
	j.tab.Check("journey-5-filled")
	j.collect(total)
	j.download(total)
	j.leave()
}

// journey is an analyst at a browser, who has a keyboard and no mouse.
type journey struct {
	t         *testing.T
	tab       *browser.Tab
	downloads string
	address   string
}

// goTo presses Tab until an element has the focus, and looks whether it can be seen that it has.
func (j *journey) goTo(selector string) {
	j.t.Helper()
	j.tab.TabTo(selector)
	if !browser.Eval[bool](j.tab, `getComputedStyle(document.activeElement).outlineStyle != "none"`) {
		j.t.Errorf("it cannot be seen that %s has the focus", selector)
	}
}

// enter types into a field, in place of what is in it.
func (j *journey) enter(selector, text string) {
	j.t.Helper()
	j.goTo(selector)
	j.tab.Run("emptying "+selector, chromedp.KeyEvent("a", chromedp.KeyModifiers(chromedp.ModifierCtrl)), chromedp.KeyEvent(kb.Delete))
	j.tab.Run("typing into "+selector, chromedp.KeyEvent(text))
}

// press presses a key at an element.
func (j *journey) press(selector, key string) {
	j.t.Helper()
	j.goTo(selector)
	j.tab.Run("pressing a key at "+selector, chromedp.KeyEvent(key))
}

func (j *journey) logIn(token string) {
	j.t.Helper()
	j.enter("#token", token+kb.Enter)
	j.tab.WaitFor("the tasks are there", `location.pathname == "/" && document.querySelector(".card.empty")`)
	j.tab.Check("journey-2-empty")
}

// createTask fills the form in, and returns the path of the task's file, which it has downloaded.
func (j *journey) createTask(system *processes.System) (file string) {
	j.t.Helper()
	j.press(`a[href="/tasks/new"]`, kb.Enter)
	j.tab.WaitFor("the form is there", `document.querySelector("#name")`)
	j.enter("#name", "delays")
	j.enter("#leader", system.Leader.URL)
	j.enter("#helper", system.Helper.URL)
	j.enter("#edges", "0, 15, 60")
	j.enter("#min_batch_size", strconv.Itoa(minBatchSize))
	j.press(`#every-hour`, kb.ArrowDown+kb.ArrowDown+kb.ArrowDown)
	j.tab.WaitFor("the plan is there", `document.querySelector("#plan dl")?.innerText.includes("bytes")`)
	j.tab.Check("journey-3-plan")
	j.press(`.plan button:not([name])`, kb.Enter)
	j.tab.WaitFor("the task is there", `document.querySelector("h1")?.innerText == "delays"`)
	j.press(`a[download][href$="/file"]`, kb.Enter)
	return j.downloaded("delays.task")
}

// downloaded waits for a file.
func (j *journey) downloaded(name string) (path string) {
	j.t.Helper()
	path = filepath.Join(j.downloads, name)
	j.tab.WaitUntil(name+" is there", func() (bool, error) {
		_, err := os.Stat(path)
		return err == nil, err
	})
	return path
}

// collect asks for the batch, waits for its result, and compares it with the measurements.
func (j *journey) collect(total int) {
	j.t.Helper()
	j.press(`form[action$="/collect"] button`, kb.Enter)
	j.tab.WaitFor("the result is there", `document.querySelector("table.values")`)
	j.tab.WaitFor("the chart is there", `(i => i && i.complete && i.naturalWidth > 0)(document.querySelector("figure img"))`)
	got := browser.Eval[[][]string](j.tab, `[...document.querySelectorAll("table.values tbody tr")].map(r => [...r.cells].slice(0, 2).map(c => c.innerText))`)
	var want [][]string
	for i, label := range labels {
		want = append(want, []string{label, strconv.Itoa(counts[i])})
	}
	if !slices.EqualFunc(got, want, slices.Equal) {
		j.t.Errorf("the table shows %q, want %q", got, want)
	}
	gist := browser.Eval[string](j.tab, `document.querySelector("figure img").alt`)
	if !strings.Contains(gist, fmt.Sprintf("%d reports", total)) || !strings.Contains(gist, "0 to below 15 with 52") {
		j.t.Errorf("who does not see the chart is told: %s", gist)
	}
	chart := browser.Eval[string](j.tab, `fetch(document.querySelector("figure img").currentSrc).then(a => a.text())`)
	for _, text := range append(slices.Clone(labels), "37", "52", "21", "10") {
		if !strings.Contains(chart, ">"+text+"<") {
			j.t.Errorf("the chart does not say %q", text)
		}
	}
	j.tab.Check("journey-6-result")
}

// download downloads the results, and compares them with the measurements.
func (j *journey) download(total int) {
	j.t.Helper()
	j.press(`a[download][href$="/results.csv"]`, kb.Enter)
	content, err := os.ReadFile(j.downloaded("delays.csv"))
	if err != nil {
		j.t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(content))).ReadAll()
	if err != nil || len(rows) != 1+len(labels) {
		j.t.Fatalf("the download is %q (%v)", content, err)
	}
	for i, label := range labels {
		if got := rows[i+1]; got[4] != strconv.Itoa(total) || got[5] != label || got[6] != strconv.Itoa(counts[i]) {
			j.t.Errorf("row %d is %q", i+1, got)
		}
	}
}

// leave looks at the rest, and logs out.
func (j *journey) leave() {
	j.t.Helper()
	where, err := url.Parse(browser.Eval[string](j.tab, "location.href"))
	if err != nil {
		j.t.Fatal(err)
	}
	j.tab.Open(j.address + where.Path + "/results/1")
	j.tab.Check("journey-7-one-result")
	j.tab.Open(j.address + "/")
	j.tab.Check("journey-8-tasks")
	j.press(`form[action="/logout"] button`, kb.Enter)
	j.tab.WaitFor("the login is there", `location.pathname == "/login"`)
	j.tab.Open(j.address + where.Path)
	if path := browser.Eval[string](j.tab, "location.pathname"); path != "/login" {
		j.t.Errorf("after the logout %s is shown", path)
	}
}
