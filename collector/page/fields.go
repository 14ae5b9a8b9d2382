package page

import (
	"strings"

	"github.com/twofold-dap/twofold/collector/chart"
)

// fieldView is a field of a form, for its template.
type fieldView struct {
	Name, Label, Hint, Type, Mode, Value, Problem string
	Required                                      bool
}

// Described names the elements that describe the field.
func (f fieldView) Described() string {
	var by []string
	if f.Hint != "" {
		by = append(by, f.Name+"-hint")
	}
	if f.Problem != "" {
		by = append(by, f.Name+"-problem")
	}
	return strings.Join(by, " ")
}

// field returns the view of a field. options are type=T, mode=M (of the keyboard on a phone) and required.
func field(f form, name, label, hint string, options ...string) fieldView {
	v := fieldView{Name: name, Label: label, Hint: hint, Type: "text", Value: f.Get(name), Problem: f.Problem(name)}
	for _, option := range options {
		switch key, value, _ := strings.Cut(option, "="); key {
		case "type":
			v.Type = value
		case "mode":
			v.Mode = value
		case "required":
			v.Required = true
		}
	}
	return v
}

// choiceView is one of the choices of a field.
type choiceView struct {
	Name, Choice, Label, Hint string
	Checked                   bool
}

func choice(f form, name, choice, label, hint string) choiceView {
	return choiceView{name, choice, label, hint, f.Is(name, choice)}
}

// labels are the fields by which problems name them, where it is not their name with a capital.
var labels = map[string]string{
	"kind": "What is measured", "edges": "Boundaries", "length": "How many", "max": "The greatest number", "max_weight": "How many flags at most",
	"labels": "Names", "min_batch_size": "Reports in a batch, at least", "time_precision": "Times are rounded to", "batch_mode": "A batch is",
	"duration": "For how long", "start": "From", "end": "To", "every": "It is collected", "delay": "Wait for late reports", "level": "What one batch may tell",
	"budget": "What all batches may tell", "reports_per_client": "Reports of a person, in all", "reports_per_batch": "Reports of a person in one batch",
	"max_batch_size": "Reports in a batch, at most", "which": "Which reports",
}

// label is how a problem names a field.
func label(field string) string {
	if words, ok := labels[field]; ok {
		return words
	}
	return strings.TrimSuffix(sentence(strings.ReplaceAll(field, "_", " ")), ".")
}

// anchor is the element of a field, which a problem leads to.
func anchor(field string) string { return field }

// picture is a chart on a page, wide and narrow.
type picture struct {
	Source, Gist                             string
	Width, Height, NarrowWidth, NarrowHeight int
}

// pictureOf says where a chart is, how large, and what it shows.
func pictureOf(source, gist string, c chart.Chart) picture {
	p := picture{Source: source, Gist: gist}
	p.Width, p.Height = chart.Size(c, chart.Look{})
	p.NarrowWidth, p.NarrowHeight = chart.Size(c, chart.Look{Narrow: true})
	return p
}
