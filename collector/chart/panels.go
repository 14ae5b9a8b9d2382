package chart

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// panels is values over time: a line with a band for each, all with the same axis of time. Several have one
// scale, and Quantities each its own.
type panels struct {
	Results
	values []int
}

const panelHeight = 170

func (p panels) title() string { return p.Title }

// grid returns how many columns and rows there are.
func (p panels) grid(s style) (columns, rows int) {
	columns = 3
	switch {
	case s.narrow || len(p.values) == 1:
		columns = 1
	case len(p.values) == 2 || len(p.values) == 4:
		columns = 2
	}
	return columns, (len(p.values) + columns - 1) / columns
}

func (p panels) height(s style) vg.Length {
	_, rows := p.grid(s)
	if len(p.values) == 1 && !s.narrow {
		return 300
	}
	return vg.Length(rows*panelHeight) + 2*margin
}

func (p panels) draw(c draw.Canvas, s style) error {
	columns, rows := p.grid(s)
	plots := make([][]*plot.Plot, rows)
	for i := range plots {
		plots[i] = make([]*plot.Plot, columns)
	}
	tiles := draw.Tiles{Rows: rows, Cols: columns, PadX: 20, PadY: 18, PadTop: margin, PadBottom: margin, PadLeft: margin, PadRight: margin}
	least, most := math.Inf(1), math.Inf(-1)
	for k, i := range p.values {
		one, err := p.one(i, c.Size().X/vg.Length(columns), s)
		if err != nil {
			return err
		}
		plots[k/columns][k%columns] = one
		least, most = min(least, one.Y.Min), max(most, one.Y.Max)
	}
	for k := range p.values {
		if p.Kind == Several {
			plots[k/columns][k%columns].Y.Min, plots[k/columns][k%columns].Y.Max = least, most
		}
	}
	for j, row := range plot.Align(plots, tiles, c) {
		for i, canvas := range row {
			if plots[j][i] != nil {
				plots[j][i].Draw(canvas)
			}
		}
	}
	return nil
}

// one is the panel of value i.
func (p panels) one(i int, width vg.Length, s style) (*plot.Plot, error) {
	panel := s.plot()
	if len(p.values) > 1 {
		panel.Title.Text = s.fit(p.label(i), panel.Title.TextStyle, width-60)
	} else {
		panel.Y.Label.Text = p.Unit
	}
	panel.X.Tick.Marker = times{max(3, int(width/75))}
	points := make(plotter.XYs, len(p.Batches))
	for k, batch := range p.Batches {
		points[k] = plotter.XY{X: batch.middle(), Y: batch.value(i)}
	}
	grid := plotter.NewGrid()
	grid.Vertical, grid.Horizontal = line(s.rule, 0), line(s.rule, 1)
	panel.Add(grid)
	if err := p.addBand(panel, i, s); err != nil {
		return nil, err
	}
	curve, dots, err := plotter.NewLinePoints(points)
	if err != nil {
		return nil, err
	}
	curve.LineStyle = line(s.fill, 2)
	dots.GlyphStyle = draw.GlyphStyle{Color: s.fill, Radius: 3, Shape: draw.CircleGlyph{}}
	if len(points) > 60 {
		dots.Radius = 1.5
	}
	panel.Add(curve, dots)
	p.scale(panel)
	return panel, nil
}

// addBand adds the band of value i, and for a single batch, which has no width, a whisker.
func (p panels) addBand(panel *plot.Plot, i int, s style) error {
	n := len(p.Batches)
	band := make(plotter.XYs, 2*n)
	some := false
	for k, batch := range p.Batches {
		x, y, m := batch.middle(), batch.value(i), batch.margin(i)
		band[k], band[2*n-1-k] = plotter.XY{X: x, Y: y + m}, plotter.XY{X: x, Y: y - m}
		some = some || m > 0
	}
	if !some {
		return nil
	}
	if n > 1 {
		polygon, err := plotter.NewPolygon(band)
		if err != nil {
			return err
		}
		polygon.Color, polygon.LineStyle = s.band, line(s.fill, 0)
		panel.Add(polygon)
		return nil
	}
	m := p.Batches[0].margin(i)
	whisker, err := plotter.NewYErrorBars(struct {
		plotter.XYs
		plotter.YErrors
	}{plotter.XYs{{X: p.Batches[0].middle(), Y: p.Batches[0].value(i)}}, plotter.YErrors{{Low: m, High: m}}})
	if err != nil {
		return err
	}
	whisker.LineStyle, whisker.CapWidth = line(s.ink, 1.25), 8
	panel.Add(whisker)
	return nil
}

// scale begins the axis of values at 0, and leaves some room around the curve: at its sides half a batch.
func (p panels) scale(panel *plot.Plot) {
	panel.Y.Min = min(panel.Y.Min, 0)
	if panel.Y.Max <= panel.Y.Min {
		panel.Y.Max = panel.Y.Min + 1
	}
	panel.Y.Max += (panel.Y.Max - panel.Y.Min) * 0.08
	first, last := p.Batches[0], p.Batches[len(p.Batches)-1]
	panel.X.Min, panel.X.Max = float64(first.Start.Unix()), float64(last.End.Unix())
	for _, batch := range p.Batches {
		panel.X.Min, panel.X.Max = min(panel.X.Min, float64(batch.Start.Unix())), max(panel.X.Max, float64(batch.End.Unix()))
	}
	if panel.X.Max <= panel.X.Min {
		panel.X.Max = panel.X.Min + 1
	}
}
