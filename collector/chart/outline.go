package chart

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// outline is one batch of more values than there is room for bars with labels: their outline, by index.
type outline struct{ Results }

func (o outline) title() string { return o.Title }

func (o outline) height(s style) vg.Length { return s.width*0.3 + 110 }

func (o outline) draw(c draw.Canvas, s style) error {
	p := s.plot()
	p.Y.Label.Text = o.Unit
	p.X.Tick.Marker = o.marks(p, c.Size().X)
	steps := o.steps(func(i int) float64 { return o.Batches[0].value(i) })
	area, err := plotter.NewPolygon(append(plotter.XYs{{X: -0.5}}, append(steps, plotter.XY{X: float64(o.width()) - 0.5})...))
	if err != nil {
		return err
	}
	area.Color, area.LineStyle = s.fill, line(s.fill, 0)
	grid := plotter.NewGrid()
	grid.Vertical, grid.Horizontal = line(s.rule, 0), line(s.rule, 1)
	p.Add(grid, area)
	if o.Batches[0].Margins != nil {
		for _, sign := range []float64{-1, 1} {
			edge, err := plotter.NewLine(o.steps(func(i int) float64 { return o.Batches[0].value(i) + sign*o.Batches[0].margin(i) }))
			if err != nil {
				return err
			}
			edge.LineStyle = line(s.ink, 0.75)
			p.Add(edge)
		}
	}
	p.Y.Min = min(p.Y.Min, 0)
	if p.Y.Max <= 0 {
		p.Y.Max = 1
	}
	p.Draw(draw.Crop(c, margin, -margin, margin, -margin))
	return nil
}

// steps are the corners of a line that is level over each value.
func (o outline) steps(value func(i int) float64) (points plotter.XYs) {
	for i := range o.width() {
		points = append(points, plotter.XY{X: float64(i) - 0.5, Y: value(i)}, plotter.XY{X: float64(i) + 0.5, Y: value(i)})
	}
	return points
}

// marks labels as many values as there is room for, evenly.
func (o outline) marks(p *plot.Plot, width vg.Length) plot.ConstantTicks {
	widest := vg.Length(1)
	for i := range o.width() {
		widest = max(widest, p.X.Tick.Label.Width(o.label(i)))
	}
	return spaced(o.width(), max(2, int(width*0.75/(widest+16))), o.label)
}

// spaced marks at most that many of n places, the first among them and the others a whole number apart.
func spaced(n, most int, label func(int) string) (ticks plot.ConstantTicks) {
	for i := 0; i < n; i += (n + most - 1) / most {
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: label(i)})
	}
	return ticks
}
