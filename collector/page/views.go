package page

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"time"

	"github.com/twofold-dap/twofold/collector/chart"
	"github.com/twofold-dap/twofold/collector/service"
)

//go:embed templates
var templateFiles embed.FS

// frame is what is on every page, and what only one has in Data.
type frame struct {
	Title string
	Here  string // the page's name, for the navigation
	Who   string // empty without a session
	Admin bool
	// Collects tells that who is logged in may collect.
	Collects bool
	CSRF     string
	Done     string // what the last form did
	Data     any
}

// titled is data that names its page.
type titled interface{ title() string }

func (s *server) frame(r *request, data any) frame {
	f := frame{
		Here: r.URL.Path, Who: r.who.Name, CSRF: r.csrf, Data: data,
		Admin: r.who.Scope.Allows(service.ScopeAdminister), Collects: r.who.Scope.Allows(service.ScopeCollect),
	}
	if !r.URL.Query().Has("live") { // the script, which looks how far a task is, does not take it away from who is to read it
		f.Done = r.session.told()
	}
	if named, ok := data.(titled); ok {
		f.Title = named.title()
	}
	return f
}

// views are the templates, one set for each page.
type views struct{ byName map[string]*template.Template }

func loadViews(files *static) (*views, error) {
	functions := template.FuncMap{
		"static": files.address, "number": number, "count": count, "coarse": coarse, "plural": plural,
		"when": when, "span": span, "iso": iso, "kind": kindWords, "share": share, "duration": duration, "reason": reasonWords,
		"field": field, "choice": choice, "label": label, "anchor": anchor,
	}
	v := &views{map[string]*template.Template{}}
	for _, name := range []string{"login", "tasks", "task", "result", "new", "plan", "error"} {
		t, err := template.New("frame.html").Funcs(functions).ParseFS(templateFiles, "templates/frame.html", "templates/parts.html", "templates/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("page: %w", err)
		}
		v.byName[name] = t
	}
	return v, nil
}

// write writes a page, all of it or an error.
func (v *views) write(w http.ResponseWriter, status int, name string, f frame) error {
	return v.execute(w, status, name, "frame.html", f)
}

// fragment writes a part of a page.
func (v *views) fragment(w http.ResponseWriter, status int, name string, f frame) error {
	return v.execute(w, status, name, "main", f)
}

func (v *views) execute(w http.ResponseWriter, status int, name, part string, f frame) error {
	var buffer bytes.Buffer
	if err := v.byName[name].ExecuteTemplate(&buffer, part, f); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(buffer.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(buffer.Bytes()) // who has gone is told nothing
	return nil
}

// plain writes the page of a problem of somebody without a session.
func (v *views) plain(w http.ResponseWriter, status int, problem string) {
	view := headings[status]
	view.Status, view.Problem = status, problem
	if err := v.write(w, status, "error", frame{Title: view.Heading, Data: view}); err != nil {
		http.Error(w, problem, status)
	}
}

func (v errorView) title() string { return v.Heading }

// number writes a number that may be there or not.
func number(x any) string {
	switch x := x.(type) {
	case *float64:
		return chart.FormatNumber(*x)
	case float64:
		return chart.FormatNumber(x)
	}
	return fmt.Sprint(x)
}

func iso(t time.Time) string { return t.UTC().Format(time.RFC3339) }
