package page

import (
	"bytes"

	"github.com/twofold-dap/twofold/collector/chart"
	"github.com/twofold-dap/twofold/collector/service"
)

// chartResults turns results into what a chart is drawn from.
func chartResults(task service.Task, results []service.Result) chart.Results {
	kinds := map[service.Kind]chart.Kind{
		service.KindHistogram: chart.Distribution, service.KindMultihot: chart.Several, service.KindSumVec: chart.Quantities,
	}
	drawn := chart.Results{Kind: kinds[task.Kind], Labels: task.Labels, Unit: unit(task.Kind)}
	for _, result := range results {
		batch := chart.Batch{Start: result.Start, End: result.End}
		for _, value := range result.Values {
			batch.Values = append(batch.Values, value.Float())
			if value.Low != nil && value.High != nil {
				batch.Margins = append(batch.Margins, (*value.High-*value.Low)/2)
			}
		}
		drawn.Batches = append(drawn.Batches, batch)
	}
	return drawn
}

// unit is what a kind's numbers count.
func unit(kind service.Kind) string {
	switch kind {
	case service.KindSum, service.KindSumVec:
		return "sum"
	}
	return "reports"
}

// drawResult draws one result.
func (s *server) drawResult(r *request) error {
	task, collection, err := s.collection(r)
	if err != nil {
		return err
	}
	return r.draw(task.Name+", "+span(collection.Result.Start, collection.Result.End), chartResults(task, []service.Result{*collection.Result}), chart.Results.Newest)
}

// drawOverTime draws all results.
func (s *server) drawOverTime(r *request) error {
	task, err := s.task(r)
	if err != nil {
		return err
	}
	results, err := s.analyst.Results(r.Context(), task.ID, service.Filter{Limit: maxResults})
	if err != nil {
		return err
	}
	return r.draw(task.Name, chartResults(task, results), chart.Results.OverTime)
}

// draw sends a chart as the query wants it: ?dark and ?narrow for where it stands, and ?file for one to keep, with its title.
func (r *request) draw(title string, results chart.Results, which func(chart.Results) chart.Chart) error {
	query := r.URL.Query()
	disposition := ""
	if query.Has("file") {
		results.Title = title
		disposition = attachment(title, "svg")
	}
	var buffer bytes.Buffer
	if err := chart.Write(&buffer, chart.SVG, which(results), chart.Look{Dark: query.Has("dark"), Narrow: query.Has("narrow")}); err != nil {
		return err
	}
	return r.send("image/svg+xml", disposition, buffer.Bytes())
}
