package chart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var begin = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)

// batches makes n batches of width values, value i of batch k being f(k, i), each a day long.
func batches(n, width int, margin float64, f func(k, i int) float64) []Batch {
	made := make([]Batch, n)
	for k := range made {
		b := Batch{Start: begin.AddDate(0, 0, k), End: begin.AddDate(0, 0, k+1)}
		for i := range width {
			b.Values = append(b.Values, f(k, i))
			if margin > 0 {
				b.Margins = append(b.Margins, margin)
			}
		}
		made[k] = b
	}
	return made
}

func ramps(k, i int) float64 { return float64(100*i + 10*k - 20) }

// drawing is what an SVG says.
type drawing struct {
	texts []string // in their order
	paths int
	names map[string]bool // of elements and attributes
}

func render(t *testing.T, c Chart, look Look) drawing {
	t.Helper()
	var buffer bytes.Buffer
	if err := Write(&buffer, SVG, c, look); err != nil {
		t.Fatal(err)
	}
	d := drawing{names: map[string]bool{}}
	decoder := xml.NewDecoder(&buffer)
	element := ""
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return d
		}
		if err != nil {
			t.Fatalf("the SVG is not XML: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			element = token.Name.Local
			d.names[element] = true
			for _, a := range token.Attr {
				d.names[a.Name.Local] = true
			}
			if element == "path" {
				d.paths++
			}
		case xml.CharData:
			if element == "text" || element == "title" {
				d.texts = append(d.texts, string(token))
			}
		case xml.EndElement:
			element = ""
		}
	}
}

// TestKinds draws each kind of chart in each look as SVG, and in two looks as PNG, which takes long and has
// the same drawing.
func TestKinds(t *testing.T) {
	for name, results := range map[string]Results{
		"a number":             {Kind: Number, Unit: "reports", Batches: batches(30, 1, 9, ramps)},
		"a number, once":       {Kind: Number, Batches: batches(1, 1, 9, ramps)},
		"a number, always 0":   {Kind: Number, Batches: batches(4, 1, 0, func(int, int) float64 { return 0 })},
		"below 0":              {Kind: Number, Batches: batches(4, 1, 2, func(k, _ int) float64 { return -5 - float64(k) })},
		"a histogram":          {Kind: Distribution, Title: "Delays", Unit: "reports", Batches: batches(9, 10, 30, ramps)},
		"one bucket":           {Kind: Distribution, Batches: batches(1, 1, 0, ramps)},
		"256 buckets":          {Kind: Distribution, Unit: "reports", Batches: batches(8, 256, 30, ramps)},
		"10,000 buckets":       {Kind: Distribution, Batches: batches(2, 10_000, 0, ramps)},
		"buckets all 0":        {Kind: Distribution, Batches: batches(3, 50, 0, func(int, int) float64 { return 0 })},
		"several":              {Kind: Several, Batches: batches(6, 5, 20, ramps)},
		"many":                 {Kind: Several, Batches: batches(6, 33, 20, ramps)},
		"quantities":           {Kind: Quantities, Labels: []string{"minutes", "miles"}, Batches: batches(7, 3, 2, ramps)},
		"nothing":              {},
		"a batch of no values": {Kind: Several, Batches: batches(3, 0, 0, ramps)},
		"batches of no length": {Kind: Number, Batches: []Batch{{Start: begin, End: begin, Values: []float64{1}}, {Start: begin, End: begin, Values: []float64{2}}}},
		"uneven":               {Kind: Several, Batches: append(batches(2, 3, 1, ramps), batches(1, 1, 0, ramps)...)},
		"a century":            {Kind: Number, Batches: []Batch{{Start: begin, End: begin.AddDate(0, 0, 1), Values: []float64{1}}, {Start: begin.AddDate(100, 0, 0), End: begin.AddDate(100, 0, 1), Values: []float64{1e19}}}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, look := range []Look{{}, {Dark: true}, {Narrow: true}, {Dark: true, Narrow: true}} {
				for _, c := range []Chart{results.Newest(), results.OverTime()} {
					d := render(t, c, look)
					if d.names["style"] || d.names["script"] || d.names["image"] || len(d.texts) == 0 {
						t.Errorf("%+v: it has %v and the texts %q", look, d.names, d.texts)
					}
				}
			}
			checkPNG(t, results.Newest(), Look{})
			checkPNG(t, results.OverTime(), Look{Dark: true, Narrow: true})
		})
	}
}

func checkPNG(t *testing.T, c Chart, look Look) {
	t.Helper()
	var buffer bytes.Buffer
	if err := Write(&buffer, PNG, c, look); err != nil {
		t.Fatal(err)
	}
	config, err := png.DecodeConfig(&buffer)
	if err != nil {
		t.Fatal(err)
	}
	if s := newStyle(look); config.Width != int(s.width)*pngScale {
		t.Errorf("%+v: the PNG is %d pixels wide", look, config.Width)
	}
}

func TestBars(t *testing.T) {
	results := Results{Kind: Distribution, Title: "Delays", Unit: "reports", Labels: []string{"below 0", "0 to below 15", "15 or more"},
		Batches: []Batch{{Start: begin, End: begin.AddDate(0, 0, 1), Values: []float64{1234567, -2, 12.25}, Margins: []float64{3, 0, 4}}}}
	with := render(t, results.Newest(), Look{})
	for _, want := range []string{"Delays", "reports", "below 0", "0 to below 15", "15 or more", "1,234,567", "−2", "12.2"} {
		if !slices.Contains(with.texts, want) {
			t.Errorf("it says %q, and not %q", with.texts, want)
		}
	}
	if first, last := slices.Index(with.texts, "below 0"), slices.Index(with.texts, "15 or more"); first > last {
		t.Error("the labels are not in their order")
	}
	results.Batches[0].Margins = nil
	without := render(t, results.Newest(), Look{})
	if got := with.paths - without.paths; got != 2*3 {
		t.Errorf("the whiskers of two bars are %d lines; each has three", got)
	}
}

func TestBand(t *testing.T) {
	results := Results{Kind: Number, Batches: batches(5, 1, 9, ramps)}
	with := render(t, results.OverTime(), Look{})
	for i := range results.Batches {
		results.Batches[i].Margins = nil
	}
	if without := render(t, results.OverTime(), Look{}); with.paths != without.paths+1 {
		t.Errorf("%d paths with a band, %d without", with.paths, without.paths)
	}
}

func TestHeatMap(t *testing.T) {
	labels := []string{"first", "second", "third"}
	r := Results{Kind: Distribution, Labels: labels, Batches: batches(4, 3, 0, ramps)}
	d := render(t, r.OverTime(), Look{})
	// The paper, the shades of the legend, a cell for each value, and no line.
	if want := 1 + shades + 4*3; d.paths < want || d.paths > want+2 {
		t.Errorf("%d paths, want %d", d.paths, want)
	}
	for _, want := range append(labels, "20 Nov", "23 Nov") {
		if !slices.Contains(d.texts, want) {
			t.Errorf("it says %q, and not %q", d.texts, want)
		}
	}
	wide := Results{Kind: Several, Batches: batches(1, 3*maxRows-1, 0, ramps)}.OverTime().(heat)
	if n := wide.width(); n != maxRows || wide.label(1) != "3 … 5" || wide.label(maxRows-1) != "357 … 358" || wide.Batches[0].Values[1] != 280+380+480 {
		t.Errorf("neighbours are joined to %d rows, of which the second is %s with %v", n, wide.label(1), wide.Batches[0].Values[1])
	}
	r.Batches = batches(maxCells, 3, 0, ramps)
	if n := len(r.OverTime().(heat).Batches); n != maxCells/3 {
		t.Errorf("%d batches are drawn", n)
	}
}

// TestHostileText draws names that try to leave their place.
func TestHostileText(t *testing.T) {
	hostile := []string{"</text><script>alert(1)</script>", `" onload="alert(1)`, "a\x00b\nc\u2028d\xff", strings.Repeat("long ", 200), "", "日本語 🛫", "]]>&amp;"}
	for _, kind := range []Kind{Distribution, Several, Quantities} {
		r := Results{Kind: kind, Title: hostile[0] + hostile[2], Unit: hostile[1], Labels: hostile, Batches: batches(3, len(hostile), 1, ramps)}
		for _, c := range []Chart{r.Newest(), r.OverTime()} {
			d := render(t, c, Look{Narrow: true})
			if d.names["script"] || d.names["onload"] {
				t.Errorf("kind %d: %v", kind, d.names)
			}
			for _, text := range d.texts {
				if len([]rune(text)) > 120 {
					t.Errorf("kind %d: a label of %d characters was not shortened", kind, len([]rune(text)))
				}
			}
		}
	}
}

func TestWriteErrors(t *testing.T) {
	c := Results{Kind: Number, Batches: batches(2, 1, 0, ramps)}.OverTime()
	if err := Write(io.Discard, "gif", c, Look{}); err == nil {
		t.Error("an unknown format was written")
	}
	broken := errors.New("broken")
	for _, f := range []Format{SVG, PNG} {
		if err := Write(failing{broken}, f, c, Look{}); !errors.Is(err, broken) {
			t.Errorf("%s: the error is %v", f, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// TestAtTheSameTime draws many charts at once, which share the library's fonts.
func TestAtTheSameTime(t *testing.T) {
	r := Results{Kind: Several, Labels: []string{"α", "b"}, Batches: batches(3, 4, 5, ramps)}
	var want bytes.Buffer
	if err := Write(&want, SVG, r.OverTime(), Look{}); err != nil {
		t.Fatal(err)
	}
	var drawing sync.WaitGroup
	for range 16 {
		drawing.Go(func() {
			var got bytes.Buffer
			if err := Write(&got, SVG, r.OverTime(), Look{}); err != nil || !bytes.Equal(got.Bytes(), want.Bytes()) {
				t.Errorf("a chart came out otherwise (%v)", err)
			}
		})
	}
	drawing.Wait()
}

func TestFormatNumber(t *testing.T) {
	for x, want := range map[float64]string{
		0: "0", 7: "7", -7: "−7", 1000: "1,000", 123456789: "123,456,789", -1234: "−1,234", 0.5: "0.5", 84.62: "84.6", 999.999: "1,000",
		1234.5: "1,234", 0.0123: "0.0123", -0.0000000001: "0", 12.04: "12",
	} {
		if got := FormatNumber(x); got != want {
			t.Errorf("%v is written %q, want %q", x, got, want)
		}
	}
}

func TestTimes(t *testing.T) {
	at := func(text string) float64 {
		parsed, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return float64(parsed.Unix())
	}
	for _, test := range []struct{ from, to, want string }{
		{"2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z", "00:00/20 Nov 06:00/20 Nov 12:00/20 Nov 18:00/20 Nov 00:00/21 Nov"},
		{"2026-11-20T05:00:00Z", "2026-11-24T00:00:00Z", "21 Nov 22 Nov 23 Nov 24 Nov"},
		{"2026-11-20T00:00:00Z", "2027-05-01T00:00:00Z", "Jan 2027 Mar 2027 May 2027"},
		{"2026-11-20T00:00:00Z", "2026-11-20T00:00:30Z", "00:00:00 00:00:10 00:00:20 00:00:30"},
		{"1990-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "Jan 1990 Jan 2000 Jan 2010 Jan 2020"},
	} {
		var got []string
		for _, tick := range (times{5}).Ticks(at(test.from), at(test.to)) {
			got = append(got, strings.ReplaceAll(tick.Label, "\n", "/"))
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s to %s: %q, want %q", test.from, test.to, got, test.want)
		}
	}
	if got := (times{3}).Ticks(at("2026-11-20T00:00:01Z"), at("2026-11-20T00:00:01Z")); len(got) != 1 {
		t.Errorf("a moment has the marks %s", fmt.Sprint(got))
	}
}
