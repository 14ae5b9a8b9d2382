package service_test

import (
	"testing"
	"time"

	"github.com/twofold-dap/twofold/collector/service"
)

func draftOf(change func(*service.Draft)) service.Draft {
	d := service.Draft{
		Name: "delays", Leader: "https://leader.example/", Helper: "https://helper.example/", VDAF: "histogram:edges=0;15;60", MinBatchSize: 100, TimePrecision: time.Hour,
	}
	change(&d)
	return d
}

func TestPlan(t *testing.T) {
	s := service.New(nil, service.Options{HpkeConfig: keypair().Config, Logger: quiet})
	exact, err := s.Plan(t.Context(), draftOf(func(*service.Draft) {}))
	if err != nil || exact.StandardError != nil || exact.Task.Privacy != nil || exact.Task.Kind != service.KindHistogram || len(exact.Task.Labels) != 4 || exact.ReportBytes < 300 || exact.ReportBytes > 3000 {
		t.Errorf("exact: %+v, %v", exact, err)
	}
	private, err := s.Plan(t.Context(), draftOf(func(d *service.Draft) {
		d.Privacy = &service.PrivacyDraft{Level: "0.5", Budget: "2", ReportsPerClient: 8}
	}))
	if err != nil || private.StandardError == nil || *private.StandardError < 5 || *private.StandardError > 12 || *private.HalfWidth95 < *private.StandardError || private.Batches == nil || *private.Batches != 4 {
		t.Errorf("private: %+v, %v", private, err)
	}
	for field, change := range map[string]func(*service.Draft){
		"name":               func(d *service.Draft) { d.Name = "" },
		"vdaf":               func(d *service.Draft) { d.VDAF = "histogram" },
		"min_batch_size":     func(d *service.Draft) { d.MinBatchSize = 0 },
		"time_precision":     func(d *service.Draft) { d.TimePrecision = 0 },
		"labels":             func(d *service.Draft) { d.Labels = []string{"one"} },
		"schedule.every":     func(d *service.Draft) { d.Schedule.Every = "minute" },
		"schedule.delay":     func(d *service.Draft) { delay := -time.Second; d.Schedule.Delay = &delay },
		"privacy.level":      func(d *service.Draft) { d.Privacy = &service.PrivacyDraft{Level: "much", Budget: "1"} },
		"privacy.budget":     func(d *service.Draft) { d.Privacy = &service.PrivacyDraft{Level: "1", Budget: "0"} },
		"privacy.mechanism":  func(d *service.Draft) { d.Privacy = &service.PrivacyDraft{Level: "1", Budget: "1", Mechanism: "x"} },
		"privacy.neighbours": func(d *service.Draft) { d.Privacy = &service.PrivacyDraft{Level: "1", Budget: "1", Neighbours: "x"} },
		"privacy":            func(d *service.Draft) { d.Privacy = &service.PrivacyDraft{Level: "1", Budget: "0.5"} },
	} {
		_, err := s.Plan(t.Context(), draftOf(change))
		if e, ok := err.(*service.FieldError); !ok || e.Field != field || e.Problem == "" {
			t.Errorf("%s: %v", field, err)
		}
	}
}
