package chart

import (
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// empty says that there is nothing to draw.
type empty struct{ Results }

func (e empty) title() string { return e.Title }

func (empty) height(style) vg.Length { return 80 }

func (empty) draw(c draw.Canvas, s style) error {
	t := s.text(s.quiet, s.size)
	t.XAlign, t.YAlign = draw.XCenter, draw.YCenter
	c.FillText(t, c.Center(), "no results yet")
	return nil
}
