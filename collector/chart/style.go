package chart

import (
	"image/color"
	"strings"
	"unicode"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// margin is the space around a chart, in pixels.
const margin = 8

// style is a Look in colours and sizes. Lengths are in pixels of the SVG, which are points to the library.
type style struct {
	width                                    vg.Length
	size                                     vg.Length // of text
	narrow                                   bool
	paper, ink, quiet, rule, fill, band, low color.Color
}

func rgb(hex uint32) color.Color {
	return color.NRGBA{R: uint8(hex >> 16), G: uint8(hex >> 8), B: uint8(hex), A: 0xff}
}

func newStyle(look Look) style {
	s := style{width: 660, size: 13, narrow: look.Narrow}
	if look.Narrow {
		s.width = 340
	}
	if look.Dark {
		s.paper, s.ink, s.quiet, s.rule = rgb(0x1a222b), rgb(0xe8edf2), rgb(0xa9b5c1), rgb(0x33404d)
		s.fill, s.band, s.low = rgb(0x4fb3bf), color.NRGBA{0x4f, 0xb3, 0xbf, 0x48}, rgb(0x24313c)
	} else {
		s.paper, s.ink, s.quiet, s.rule = rgb(0xffffff), rgb(0x17212b), rgb(0x566270), rgb(0xe2e0d8)
		s.fill, s.band, s.low = rgb(0x1d7a86), color.NRGBA{0x1d, 0x7a, 0x86, 0x38}, rgb(0xe6f0f1)
	}
	return s
}

// text is a style of text, left-aligned on its base line.
func (s style) text(c color.Color, size vg.Length) text.Style {
	return text.Style{
		Color: c, Font: font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, size),
		Handler: text.Plain{Fonts: font.DefaultCache},
	}
}

func (s style) titleHeight(string) vg.Length { return s.size + 2 + 2*margin }

// line is a style of lines.
func line(c color.Color, width vg.Length) draw.LineStyle {
	return draw.LineStyle{Color: c, Width: width}
}

// plot returns an empty plot of this style: no lines at its axes, quiet labels.
func (s style) plot() *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	p.Title.TextStyle = s.text(s.ink, s.size)
	p.Title.TextStyle.XAlign = draw.XCenter
	p.Title.TextStyle.YAlign = draw.YTop
	p.Title.Padding = 4
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.LineStyle = line(s.rule, 0)
		axis.Padding = 0
		axis.Tick.LineStyle = line(s.rule, 0)
		axis.Tick.Length = 0
		axis.Tick.Marker = numbers{}
		for _, t := range []*text.Style{&axis.Label.TextStyle, &axis.Tick.Label} {
			x, y := t.XAlign, t.YAlign
			*t = s.text(s.quiet, s.size-1)
			t.XAlign, t.YAlign = x, y
		}
		axis.Label.Padding = 4
	}
	return p
}

// fit shortens a label to a width, with an ellipsis. What cannot stand in XML or would break the line is
// replaced, whoever wrote it.
func (s style) fit(label string, t text.Style, width vg.Length) string {
	label = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(label, "\uFFFD"))
	if t.Width(label) <= width {
		return label
	}
	runes := []rune(label)
	for n := len(runes) - 1; n > 0; n-- {
		if short := strings.TrimRight(string(runes[:n]), " ") + "…"; t.Width(short) <= width {
			return short
		}
	}
	return "…"
}
