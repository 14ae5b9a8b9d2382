package chart

import (
	"fmt"
	"io"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Chart is what Results make, to be written.
type Chart interface {
	// height returns how high the chart is, in pixels.
	height(s style) vg.Length
	draw(c draw.Canvas, s style) error
	title() string
}

// Format is how a chart is written.
type Format string

// The formats.
const (
	SVG Format = "svg"
	PNG Format = "png"
)

// Look says for whom a chart is drawn. The zero value is for paper and wide screens.
type Look struct {
	// Dark is for a dark page.
	Dark bool
	// Narrow is for a phone.
	Narrow bool
}

// pngScale is how many pixels of a PNG there are to one of the SVG, each way.
const pngScale = 2

// Write writes a chart. It returns an error of w, and none of its own but for a format that there is not.
func Write(w io.Writer, format Format, chart Chart, look Look) error {
	s := newStyle(look)
	wide, high := Size(chart, look)
	width, height := vg.Length(wide), vg.Length(high)
	var canvas interface {
		vg.CanvasSizer
		io.WriterTo
	}
	switch format {
	case SVG:
		canvas = vgsvg.NewWith(vgsvg.UseWH(width, height))
	case PNG:
		// A point is a pixel of the SVG: 72 of them are an inch.
		canvas = vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(72*pngScale))}
	default:
		return fmt.Errorf("chart: there is no format %q; take %q or %q", format, SVG, PNG)
	}
	if err := compose(draw.New(canvas), chart, s); err != nil {
		return err
	}
	if format == SVG {
		return writeSVG(w, canvas, chart.title())
	}
	_, err := canvas.WriteTo(w)
	return err
}

// compose draws the background, the title and the chart below it.
func compose(c draw.Canvas, chart Chart, s style) error {
	c.FillPolygon(s.paper, []vg.Point{c.Min, {X: c.Max.X, Y: c.Min.Y}, c.Max, {X: c.Min.X, Y: c.Max.Y}})
	if title := chart.title(); title != "" {
		style := s.text(s.ink, s.size+2)
		style.YAlign = draw.YTop
		c.FillText(style, vg.Point{X: c.Min.X + margin, Y: c.Max.Y - margin/2}, s.fit(title, style, c.Size().X-2*margin))
		c = draw.Crop(c, 0, 0, 0, -s.titleHeight(title))
	}
	return chart.draw(c, s)
}

// Size returns how wide and high the SVG of a chart is, in pixels.
func Size(chart Chart, look Look) (width, height int) {
	s := newStyle(look)
	h := chart.height(s)
	if title := chart.title(); title != "" {
		h += s.titleHeight(title)
	}
	return int(s.width), int(math.Ceil(float64(h)))
}
