// Package browser drives Chromium in tests: pages are loaded as people see them, at the width of a desktop or a phone, light or
// dark, checked with axe-core, and photographed.
//
// Three environment variables say with what. Without the first two the tests that need a browser are skipped, and say so:
//
//	TWOFOLD_CHROMIUM     the chromium command
//	TWOFOLD_AXE          axe-core's axe.min.js
//	TWOFOLD_SCREENSHOTS  a directory that screenshots are written to; none are if it is empty
package browser

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// patience is how long a step may take: the machine may be busy with other tests.
const patience = 2 * time.Minute

// Browser is a Chromium process with a profile of its own.
type Browser struct {
	ctx context.Context
	axe string
}

// Start starts a browser, which ends with the test. The test is skipped if there is none.
func Start(t testing.TB) *Browser {
	t.Helper()
	command, axe := os.Getenv("TWOFOLD_CHROMIUM"), os.Getenv("TWOFOLD_AXE")
	if command == "" || axe == "" {
		t.Skip("this needs a browser: set TWOFOLD_CHROMIUM to the chromium command, and TWOFOLD_AXE to axe-core's axe.min.js")
	}
	script, err := os.ReadFile(axe)
	if err != nil {
		t.Fatalf("TWOFOLD_AXE: %v", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(command), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("hide-scrollbars", true),
	)
	allocator, endAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, endBrowser := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {}))
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits until the process is gone, so that its profile can be removed
		endBrowser()
		endAllocator()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("Chromium does not start: %v", err)
	}
	return &Browser{ctx: ctx, axe: string(script)}
}

// Screen is what somebody looks at a page with.
type Screen struct {
	Name          string
	Width, Height int64
	Dark, Phone   bool
}

// Screens are those that every page is looked at with.
var Screens = []Screen{
	{Name: "desktop-light", Width: 1280, Height: 800},
	{Name: "desktop-dark", Width: 1280, Height: 800, Dark: true},
	{Name: "phone-light", Width: 390, Height: 844, Phone: true},
	{Name: "phone-dark", Width: 390, Height: 844, Dark: true, Phone: true},
}

// Tab is an open page. Its cookies are its own.
type Tab struct {
	t   testing.TB
	b   *Browser
	ctx context.Context

	mu       sync.Mutex
	problems []string
	expected []string
}

// Tab opens an empty page in a session of its own. Downloads go to a directory.
func (b *Browser) Tab(t testing.TB, downloads string) *Tab {
	t.Helper()
	ctx, end := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(end)
	tab := &Tab{t: t, b: b, ctx: ctx}
	if err := chromedp.Listen(ctx, tab.listen); err != nil { // which opens the page
		t.Fatalf("opening a page: %v", err)
	}
	tab.Run("listening", call(log.Enable, cdp.Empty{}), call(runtime.Enable, cdp.Empty{}))
	if downloads != "" {
		tab.Run("choosing where downloads go", call(browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
			Behavior: browser.SetDownloadBehaviorBehaviorAllow, BrowserContextID: chromedp.FromContext(ctx).BrowserContextID, DownloadPath: downloads,
		}))
	}
	return tab
}

// listen keeps what the page complains about.
func (tab *Tab) listen(event any) {
	var problem string
	switch event := event.(type) {
	case *log.EventEntryAdded:
		if event.Entry.Level == log.EntryLevelError || event.Entry.Level == log.EntryLevelWarning {
			problem = event.Entry.Text + " (" + event.Entry.URL + ")"
		}
	case *runtime.EventExceptionThrown:
		problem = event.ExceptionDetails.Text
		if e := event.ExceptionDetails.Exception; e != nil {
			problem += " " + e.Description
		}
	case *runtime.EventConsoleAPICalled:
		if event.Type == runtime.ConsoleAPICalledTypeError || event.Type == runtime.ConsoleAPICalledTypeAssert {
			problem = "console." + string(event.Type)
			for _, a := range event.Args {
				problem += " " + string(a.Value)
			}
		}
	}
	if problem != "" {
		tab.mu.Lock()
		defer tab.mu.Unlock()
		tab.problems = append(tab.problems, problem)
	}
}

// Expect says what pages may complain about: a part of the text, such as of an answer that is meant to have an error status.
func (tab *Tab) Expect(text string) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.expected = append(tab.expected, text)
}

// Problems returns what pages complained about since the last call, and were not expected to: refused resources, answers with an
// error status, exceptions.
func (tab *Tab) Problems() (problems []string) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	for _, p := range tab.problems {
		if !slices.ContainsFunc(tab.expected, func(text string) bool { return strings.Contains(p, text) }) {
			problems = append(problems, p)
		}
	}
	tab.problems = nil
	return problems
}

// WaitForProblem waits until a page complains with a text.
func (tab *Tab) WaitForProblem(text string) {
	tab.t.Helper()
	tab.WaitUntil("the browser says "+text, func() (bool, error) {
		tab.mu.Lock()
		defer tab.mu.Unlock()
		return slices.ContainsFunc(tab.problems, func(p string) bool { return strings.Contains(p, text) }), nil
	})
}

// Step is something to do with a page.
type Step = chromedp.Action[chromedp.Void]

// call is a command of the DevTools protocol as a step.
func call[P, R any](command cdp.Command[P, R], params P) Step {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, command, params)
		return chromedp.Void{}, err
	}
}

// Run takes steps, which fail the test when one fails or they take longer than a generous deadline.
func (tab *Tab) Run(what string, steps ...Step) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		tab.t.Fatalf("%s: %v; the page says:\n%s", what, err, tab.says())
	}
}

// says returns the text of the page as far as it can be had, for messages.
func (tab *Tab) says() string {
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("location.href + '\\n' + document.body.innerText"))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(text)
}

// Look makes the page be seen with a screen, from the next load on too.
func (tab *Tab) Look(s Screen) {
	tab.t.Helper()
	scheme := "light"
	if s.Dark {
		scheme = "dark"
	}
	tab.Run("looking with "+s.Name,
		call(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: s.Width, Height: s.Height, DeviceScaleFactor: 1, Mobile: s.Phone}),
		call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}}))
}

// Scripts lets the scripts of pages run, or not, from the next load on.
func (tab *Tab) Scripts(run bool) {
	tab.t.Helper()
	tab.Run("choosing whether scripts run", call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !run}))
}

// Open loads a page.
func (tab *Tab) Open(address string) {
	tab.t.Helper()
	tab.Run("opening "+address, chromedp.Navigate(address))
}

// Eval evaluates an expression of JavaScript, and waits for it if it is a promise.
func Eval[T any](tab *Tab, expression string) T {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		if len(expression) > 200 {
			expression = expression[:200] + "…"
		}
		tab.t.Fatalf("evaluating %s: %v; the page says:\n%s", expression, err, tab.says())
	}
	return value
}

// WaitFor waits until an expression of JavaScript is true, also over loads of other pages.
func (tab *Tab) WaitFor(what, expression string) {
	tab.t.Helper()
	tab.WaitUntil(what, func() (bool, error) {
		ctx, cancel := context.WithTimeout(tab.ctx, patience)
		defer cancel()
		return chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
	})
}

// TabTo presses the Tab key until the element that a selector finds has the focus.
func (tab *Tab) TabTo(selector string) {
	tab.t.Helper()
	const most = 200 // elements of a page
	found := fmt.Sprintf("document.activeElement.matches(%q)", selector)
	for range most {
		if Eval[bool](tab, found) {
			return
		}
		tab.Run("pressing Tab", chromedp.KeyEvent(kb.Tab))
	}
	tab.t.Fatalf("%s cannot be reached with the Tab key; the page says:\n%s", selector, tab.says())
}

// WaitUntil waits until something is so. An error, such as of a page that is being left, is not the end of it.
func (tab *Tab) WaitUntil(what string, is func() (bool, error)) {
	tab.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		so, err := is()
		if err == nil && so {
			return
		}
		if time.Now().After(deadline) {
			tab.t.Fatalf("waiting until %s: it is not so (%v); the page says:\n%s", what, err, tab.says())
		}
		select {
		case <-tab.ctx.Done():
			tab.t.Fatalf("waiting until %s: %v", what, tab.ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
