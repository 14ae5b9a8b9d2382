package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Axe checks the page with all of axe-core's rules for WCAG 2.2 A and AA and its best practices, and returns what
// violates them, one line each.
func (tab *Tab) Axe() []string {
	tab.t.Helper()
	type node struct {
		HTML           string `json:"html"`
		FailureSummary string `json:"failureSummary"`
	}
	type rule struct {
		ID    string `json:"id"`
		Help  string `json:"help"`
		Nodes []node `json:"nodes"`
	}
	Eval[bool](tab, tab.b.axe+"\n;true")
	result := Eval[struct {
		Violations []rule `json:"violations"`
		Passes     []rule `json:"passes"`
	}](tab, `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"]}).
		then(r => ({violations: r.violations, passes: r.passes.map(p => ({id: p.id}))}))`)
	if len(result.Passes) == 0 {
		tab.t.Fatal("axe-core has checked nothing")
	}
	var violations []string
	for _, v := range result.Violations {
		for _, n := range v.Nodes {
			violations = append(violations, fmt.Sprintf("%s (%s): %s: %s", v.ID, v.Help, n.HTML, strings.Join(strings.Fields(n.FailureSummary), " ")))
		}
	}
	return violations
}

// Photograph writes all of the page, as high as it is, to the directory of screenshots.
func (tab *Tab) Photograph(name string) {
	tab.t.Helper()
	directory := os.Getenv("TWOFOLD_SCREENSHOTS")
	if directory == "" {
		return
	}
	tab.WaitFor("all images are there", `[...document.images].every(i => i.complete && i.naturalWidth > 0)`)
	picture := func(ctx context.Context, target *chromedp.Target) ([]byte, error) {
		result, err := cdp.Call(ctx, target, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatPng, CaptureBeyondViewport: new(true)})
		return result.Data, err
	}
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, picture)
	if err != nil {
		tab.t.Fatalf("photographing %s: %v", name, err)
	}
	if err := os.MkdirAll(directory, 0o755); err != nil {
		tab.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(directory, name+".png"), png, 0o644); err != nil {
		tab.t.Fatal(err)
	}
}

// Overflow returns how many pixels the page is wider than its screen: nobody should have to move it sideways.
func (tab *Tab) Overflow() (pixels float64) {
	tab.t.Helper()
	return Eval[float64](tab, "document.documentElement.scrollWidth - document.documentElement.clientWidth")
}

// Check looks at the page with every screen: nothing sticks out, and nothing complains, and axe-core finds nothing, at either width and in
// either colours. It writes a screenshot of each.
func (tab *Tab) Check(name string) {
	tab.t.Helper()
	for _, screen := range Screens {
		tab.Look(screen)
		tab.Photograph(name + "-" + screen.Name)
		if screen.Dark != screen.Phone { // the layout depends on the width, and contrasts on the colours
			continue
		}
		for _, violation := range tab.Axe() {
			tab.t.Errorf("%s, %s: axe-core: %s", name, screen.Name, violation)
		}
		if over := tab.Overflow(); over > 0 {
			tab.t.Errorf("%s, %s: the page is %v pixels wider than the screen", name, screen.Name, over)
		}
	}
	tab.Look(Screens[0])
	for _, problem := range tab.Problems() {
		tab.t.Errorf("%s: the browser says: %s", name, problem)
	}
}
