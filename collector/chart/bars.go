package chart

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// bars is one batch as horizontal bars, each with its label before and its number behind it.
type bars struct{ Results }

const (
	barPitch  = 26 // from one bar to the next
	barHeight = 16
)

func (b bars) title() string { return b.Title }

func (b bars) height(s style) vg.Length {
	h := vg.Length(b.width()*barPitch) + 2*margin + s.size + 8
	if b.Unit != "" {
		h += s.size + 6
	}
	return h
}

func (b bars) draw(c draw.Canvas, s style) error {
	batch, n := b.Batches[0], b.width()
	p := s.plot()
	// The first is on top. The axis counts from below.
	values := make(plotter.Values, n)
	ends := make(plotter.XYs, n) // where a bar's whisker ends
	labels := make([]plot.Tick, n)
	for i := range n {
		at := float64(n - 1 - i)
		values[n-1-i] = batch.value(i)
		ends[i] = plotter.XY{X: max(batch.value(i)+batch.margin(i), 0), Y: at}
		labels[i] = plot.Tick{Value: at, Label: s.fit(b.label(i), p.Y.Tick.Label, c.Size().X*0.4)}
	}
	p.Y.Tick.Marker = plot.ConstantTicks(labels)
	p.Y.Tick.Label.Color = s.ink
	p.Y.Min, p.Y.Max = -0.5, float64(n)-0.5
	p.Y.Padding = 6
	p.X.Label.Text = b.Unit

	chart, err := plotter.NewBarChart(values, barHeight)
	if err != nil {
		return err
	}
	chart.Horizontal, chart.Color, chart.LineStyle = true, s.fill, line(s.fill, 0)
	grid := plotter.NewGrid()
	grid.Vertical, grid.Horizontal = line(s.rule, 1), line(s.rule, 0)
	figures, err := b.figures(ends, s)
	if err != nil {
		return err
	}
	p.Add(grid, chart)
	if err := b.whiskers(p, s); err != nil {
		return err
	}
	p.Add(figures)
	b.scale(p, figures, c.Size().X, s)
	p.Draw(draw.Crop(c, margin, -margin, margin, -margin))
	return nil
}

// figures are the numbers behind the bars.
func (b bars) figures(ends plotter.XYs, s style) (*plotter.Labels, error) {
	texts := make([]string, len(ends))
	for i := range texts {
		texts[i] = FormatNumber(b.Batches[0].value(i))
	}
	labels, err := plotter.NewLabels(plotter.XYLabels{XYs: ends, Labels: texts})
	if err != nil {
		return nil, err
	}
	for i := range labels.TextStyle {
		labels.TextStyle[i] = s.text(s.ink, s.size-1)
		labels.TextStyle[i].YAlign = draw.YCenter
	}
	labels.Offset = vg.Point{X: 6, Y: 1}
	return labels, nil
}

// whiskers adds the error bars of those that have some.
func (b bars) whiskers(p *plot.Plot, s style) error {
	var at struct {
		plotter.XYs
		plotter.XErrors
	}
	batch, n := b.Batches[0], b.width()
	for i := range n {
		if m := batch.margin(i); m > 0 {
			at.XYs = append(at.XYs, plotter.XY{X: batch.value(i), Y: float64(n - 1 - i)})
			at.XErrors = append(at.XErrors, struct{ Low, High float64 }{m, m})
		}
	}
	if len(at.XYs) == 0 {
		return nil
	}
	whiskers, err := plotter.NewXErrorBars(at)
	if err != nil {
		return err
	}
	whiskers.LineStyle, whiskers.CapWidth = line(s.ink, 1.25), 7
	p.Add(whiskers)
	return nil
}

// scale makes room on the axis for the longest number at the end of the longest bar.
func (b bars) scale(p *plot.Plot, figures *plotter.Labels, width vg.Length, s style) {
	p.X.Min = min(p.X.Min, 0)
	if p.X.Max <= 0 {
		p.X.Max = 1
	}
	widest := vg.Length(0)
	for i, text := range figures.Labels {
		widest = max(widest, figures.TextStyle[i].Width(text))
	}
	beside := vg.Length(0)
	for _, t := range p.Y.Tick.Marker.Ticks(p.Y.Min, p.Y.Max) {
		beside = max(beside, p.Y.Tick.Label.Width(t.Label))
	}
	area := width - 2*margin - beside - 14
	room := float64((widest + 10) / max(area, 2*widest+20))
	p.X.Max += (p.X.Max - p.X.Min) * room / (1 - room)
	p.X.Tick.Marker = numbers{}
}
