package chart

import (
	"image/color"
	"math"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/palette"
	"gonum.org/v1/plot/palette/moreland"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// heat is values over time as a heat map: a row for each value, the first on top, and a column for each batch.
type heat struct{ Results }

const (
	legendHeight = 44
	shades       = 48
)

func (h heat) title() string { return h.Title }

// rowHeight is that of a row: lower when there are many.
func (h heat) rowHeight() vg.Length {
	return max(3, min(26, 900/vg.Length(h.width())))
}

func (h heat) height(s style) vg.Length {
	return max(h.rowHeight()*vg.Length(h.width()), 60) + legendHeight + 2*s.size + 4*margin
}

func (h heat) draw(c draw.Canvas, s style) error {
	colours, err := s.colours()
	if err != nil {
		return err
	}
	least, most := h.extremes()
	c = draw.Crop(c, margin, -margin, margin, -margin)
	legend := draw.Crop(c, 0, 0, c.Size().Y-legendHeight, 0)
	if err := h.drawLegend(legend, s, colours, least, most); err != nil {
		return err
	}
	c = draw.Crop(c, 0, 0, 0, -legendHeight-margin)

	p := s.plot()
	n, batches := h.width(), len(h.Batches)
	p.Y.Tick.Marker = spaced(n, max(1, int(c.Size().Y/(s.size+4))), func(i int) string { return s.fit(h.label(i), p.Y.Tick.Label, c.Size().X*0.4) })
	for i, t := range p.Y.Tick.Marker.Ticks(0, 0) {
		p.Y.Tick.Marker.(plot.ConstantTicks)[i].Value = float64(n-1) - t.Value
	}
	p.Y.Tick.Label.Color = s.ink
	layout := "2 Jan"
	if h.Batches[batches-1].End.Sub(h.Batches[batches-1].Start) < 24*time.Hour {
		layout = "15:04\n2 Jan"
	}
	p.X.Tick.Marker = spaced(batches, max(1, int(c.Size().X*0.6/70)), func(i int) string { return h.Batches[i].Start.UTC().Format(layout) })
	p.Add(heatMap(grid(h), colours, least, most))
	// A hair more than the cells, which the library leaves out when rounding puts them outside.
	p.X.Min, p.X.Max = -0.501, float64(batches)-0.499
	p.Y.Min, p.Y.Max = -0.501, float64(n)-0.499
	p.Draw(c)
	return nil
}

// drawLegend draws the shades with the least, the middle and the greatest value.
func (h heat) drawLegend(c draw.Canvas, s style, colours palette.Palette, least, most float64) error {
	p := s.plot()
	p.Y.Tick.Marker = plot.ConstantTicks(nil)
	p.X.Padding = 4
	p.X.Tick.Marker = plot.ConstantTicks{{Value: least, Label: short(least)}, {Value: (least + most) / 2, Label: h.Unit}, {Value: most, Label: short(most)}}
	p.Add(heatMap(ramp{least, most}, colours, least, most))
	half := (most - least) / (shades - 1) / 2
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = least-half*1.01, most+half*1.01, -0.501, 0.501
	width := min(c.Size().X, 320)
	p.Draw(draw.Crop(c, c.Size().X-width+12, -12, 0, 0))
	return nil
}

func (h heat) extremes() (least, most float64) {
	least, most = 0, math.Inf(-1)
	for _, b := range h.Batches {
		for i := range h.width() {
			least, most = min(least, b.value(i)), max(most, b.value(i))
		}
	}
	if most <= least {
		most = least + 1
	}
	return least, most
}

func heatMap(values plotter.GridXYZ, colours palette.Palette, least, most float64) *plotter.HeatMap {
	m := plotter.NewHeatMap(values, colours)
	m.Min, m.Max = least, most
	return m
}

// colours are shades of the fill, from the quietest, by their luminance.
func (s style) colours() (palette.Palette, error) {
	// The library wants the dark end first.
	dark, light := s.low, color.Color(rgb(0x9be3e9))
	reversed := false
	if r, _, _, _ := s.paper.RGBA(); r > 0x8000 {
		dark, light, reversed = rgb(0x073f47), s.low, true
	}
	shading, err := moreland.NewLuminance([]color.Color{dark, s.fill, light})
	if err != nil {
		return nil, err
	}
	shading.SetMin(0)
	shading.SetMax(1)
	if reversed {
		return palette.Reverse(shading).Palette(shades), nil
	}
	return shading.Palette(shades), nil
}

// grid is results as the library wants them. Rows count from below.
type grid struct{ Results }

func (g grid) Dims() (columns, rows int) { return len(g.Batches), g.width() }
func (g grid) X(column int) float64      { return float64(column) }
func (g grid) Y(row int) float64         { return float64(row) }
func (g grid) Z(column, row int) float64 { return g.Batches[column].value(g.width() - 1 - row) }

// ramp is a row of all shades.
type ramp struct{ least, most float64 }

func (ramp) Dims() (columns, rows int)   { return shades, 1 }
func (r ramp) X(column int) float64      { return r.least + (r.most-r.least)*float64(column)/(shades-1) }
func (ramp) Y(int) float64               { return 0 }
func (r ramp) Z(column, row int) float64 { return r.X(column) }
