package page

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/browser"
)

// TestBrowserPages looks at every page in a real browser, with tasks of every kind and in many states.
func TestBrowserPages(t *testing.T) {
	b := browser.Start(t)
	f := sample()
	server := httptest.NewServer(handler(t, f))
	defer server.Close()
	tab := b.Tab(t, "")

	tab.Open(server.URL + "/tasks/new")
	tab.Check("login")
	tab.Expect("status of 401")
	tab.Run("logging in with a wrong token", chromedp.SendKeys(chromedp.CSS("#token"), "wrong\r"))
	tab.WaitFor("the login says so", `document.querySelector("[role=alert]")`)
	tab.Check("login-refused")
	tab.Run("logging in", chromedp.SendKeys(chromedp.CSS("#token"), adminToken+"\r"))
	tab.WaitFor("the form is there", `location.pathname == "/tasks/new" && document.querySelector(".missing")`)
	tab.Check("new")

	tab.Open(server.URL + "/")
	tab.Check("tasks")
	for i, task := range f.tasks {
		name := strings.Fields(strings.NewReplacer("<", "", "/", "").Replace("task-" + string(rune('a'+i)) + "-" + string(task.Kind)))[0]
		tab.Open(server.URL + taskPath(task.ID))
		tab.Check(name)
		charts := browser.Eval[int](tab, `document.querySelectorAll("figure img").length`)
		if (charts > 0) != (task.Results > 0) {
			t.Errorf("%s has %d charts and %d results", name, charts, task.Results)
		}
	}
	tab.Open(server.URL + taskPath(f.tasks[0].ID) + "/results/3")
	tab.Check("result")
	tab.Expect("status of 404")
	tab.Open(server.URL + "/nothing")
	tab.Check("not-found")
	f.tasks = nil
	tab.Open(server.URL + "/")
	tab.Check("empty")
}

// TestBrowserWithoutScripts reads a task, and previews and makes one, without JavaScript.
func TestBrowserWithoutScripts(t *testing.T) {
	b := browser.Start(t)
	f := sample()
	server := httptest.NewServer(handler(t, f))
	defer server.Close()
	tab := b.Tab(t, "")
	tab.Scripts(false)
	tab.Open(server.URL + "/login")
	tab.Run("logging in", chromedp.SendKeys(chromedp.CSS("#token"), adminToken+"\r"))
	tab.WaitFor("the tasks are there", `document.querySelector(".tasks")`)
	tab.Open(server.URL + taskPath(f.tasks[0].ID))
	tab.WaitFor("chart, table and batches are there", `document.querySelector("figure img").naturalWidth > 0 && document.querySelector("table.values").innerText.includes("1,054") && document.querySelector("#filling-batches").innerText.includes("Ready")`)
	tab.Photograph("without-scripts")
	tab.Open(server.URL + "/tasks/new")
	tab.Run("filling in", chromedp.SendKeys(chromedp.CSS("#name"), "plain"), chromedp.SendKeys(chromedp.CSS("#edges"), "1 2 3"), chromedp.Click(chromedp.CSS("button[name=preview]")))
	tab.WaitFor("the plan is there", `document.querySelector("#plan").innerText.includes("1,234 bytes")`)
	tab.Run("making it", chromedp.Click(chromedp.CSS(".plan button:not([name])")))
	tab.WaitFor("the task is there", `document.querySelector("h1").innerText == "plain"`)
	for _, problem := range tab.Problems() {
		t.Errorf("the browser says: %s", problem)
	}
}

// TestBrowserPolicy shows the Content-Security-Policy in force: a page that tries everything it forbids, and a task whose
// name and labels are scripts.
func TestBrowserPolicy(t *testing.T) {
	b := browser.Start(t)
	f := sample()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("the page has reached another server: %s %s", r.Method, r.URL)
	}))
	defer elsewhere.Close()
	mux := http.NewServeMux()
	mux.Handle("/", handler(t, f))
	mux.Handle("/hostile", Headers(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(strings.ReplaceAll(`<!doctype html><title>hostile</title>
<base href="ELSEWHERE/">
<style>#styled { position: fixed }</style>
<script>window.ran = "inline"</script>
<script src="ELSEWHERE/script.js"></script>
<link rel="stylesheet" href="ELSEWHERE/style.css">
<p id="styled" style="position: absolute">styled</p>
<a id="relative" href="/static/x">relative</a>
<button id="handler" onclick="window.ran = 'handler'">press</button>
<a id="javascript" href="javascript:window.ran = 'address'">press</a>
<iframe src="ELSEWHERE/frame"></iframe>
<object data="ELSEWHERE/object"></object>
<img src="ELSEWHERE/image.png" alt="">
<form action="ELSEWHERE/form" method="post"><button id="send">send</button></form>`, "ELSEWHERE", elsewhere.URL)))
	})))
	server := httptest.NewServer(mux)
	defer server.Close()
	tab := b.Tab(t, "")

	tab.Open(server.URL + "/hostile")
	tab.Run("pressing what is forbidden", chromedp.Click(chromedp.CSS("#handler")), chromedp.Click(chromedp.CSS("#javascript")), chromedp.Click(chromedp.CSS("#send")))
	got := browser.Eval[struct {
		Ran      string `json:"ran"`
		Position string `json:"position"`
		Address  string `json:"address"`
		Path     string `json:"path"`
	}](tab, `({ran: window.ran ?? "", position: getComputedStyle(document.getElementById("styled")).position, address: document.getElementById("relative").href, path: location.pathname})`)
	if got.Ran != "" || got.Position != "static" || got.Address != server.URL+"/static/x" || got.Path != "/hostile" {
		t.Errorf("the policy was broken: %+v", got)
	}
	for _, directive := range []string{"script-src", "style-src", "img-src", "base-uri", "form-action"} {
		tab.WaitForProblem(directive)
	}
	for _, problem := range tab.Problems() {
		t.Log("the browser says: " + problem)
	}

	tab.Open(server.URL + "/login")
	tab.Run("logging in", chromedp.SendKeys(chromedp.CSS("#token"), adminToken+"\r"))
	tab.WaitFor("the tasks are there", `document.querySelector(".tasks")`)
	for _, path := range []string{"/", taskPath(hostileTask(t, f)), taskPath(hostileTask(t, f)) + "/results/1"} {
		tab.Open(server.URL + path)
		shown := browser.Eval[struct {
			Scripts  int  `json:"scripts"`
			Handlers int  `json:"handlers"`
			Text     bool `json:"text"`
		}](tab, `({scripts: [...document.scripts].filter(s => !s.src).length, handlers: document.querySelectorAll("[onmouseover]").length, text: document.body.innerText.includes("<script>alert(1)</script>")})`)
		if shown.Scripts != 0 || shown.Handlers != 0 || !shown.Text {
			t.Errorf("%s: the hostile name is not just text: %+v", path, shown)
		}
	}
	for _, problem := range tab.Problems() {
		if !strings.Contains(problem, "/hostile") { // which may come late
			t.Errorf("the browser says: %s", problem)
		}
	}
}

func hostileTask(t *testing.T, f *fake) (id dap.TaskID) {
	t.Helper()
	for _, task := range f.tasks {
		if task.Name == hostile {
			return task.ID
		}
	}
	t.Fatal("there is no hostile task")
	return id
}
