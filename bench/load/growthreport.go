package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"time"
)

// growthFigures compare databases that have grown with empty ones.
type growthFigures struct {
	IDs            int `json:"report_ids"`
	WaitingReports int `json:"waiting_reports"`
	Buckets        int `json:"batch_buckets"`
	// Empty and Grown are the rounds of the same load.
	Empty []report `json:"empty"`
	Grown []report `json:"grown"`

	FillSeconds float64 `json:"fill_seconds"`
	// OpenBothSeconds is the opening of both databases in one process, LeaderStartSeconds from the Leader's start
	// to its first answer, LeaderStartAfterKillSeconds the same with its end by SIGKILL before.
	OpenBothSeconds             float64 `json:"open_both_seconds"`
	LeaderStartSeconds          float64 `json:"leader_start_seconds"`
	LeaderStartAfterKillSeconds float64 `json:"leader_start_after_kill_seconds"`
	// CollectSeconds is from the start of the Collector's command to its end.
	CollectSeconds float64 `json:"collect_seconds"`
	// LeaderPeakMiB is the most memory that the Leader has held, from its start to the end of the load.
	LeaderPeakMiB float64 `json:"leader_peak_rss_mib"`
	// WaitingDiskRatio is the disk that a report takes that waits, over its size, with free pages.
	WaitingDiskRatio float64 `json:"waiting_disk_ratio"`

	UploadsRatio  float64 `json:"uploads_ratio"`
	EndToEndRatio float64 `json:"end_to_end_ratio"`
}

func seconds(d time.Duration) float64 { return hundredths(d.Seconds()) }

func hundredths(x float64) float64 { return math.Round(100*x) / 100 }

// ratios fills in how fast the grown databases are, as a part of the empty ones' speed: medians.
func (f *growthFigures) ratios() {
	f.UploadsRatio = hundredths(median(f.Grown, uploadsOf) / median(f.Empty, uploadsOf))
	f.EndToEndRatio = hundredths(median(f.Grown, endToEndOf) / median(f.Empty, endToEndOf))
}

func uploadsOf(r *report) float64  { return r.UploadsPerSecond }
func endToEndOf(r *report) float64 { return r.EndToEndPerSecond }

func median(rounds []report, of func(*report) float64) float64 {
	values := make([]float64, len(rounds))
	for i := range rounds {
		values[i] = of(&rounds[i])
	}
	slices.Sort(values)
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}

func (f *growthFigures) writeJSON(w io.Writer) error { return json.NewEncoder(w).Encode(f) }

func (f *growthFigures) writeText(w io.Writer) {
	fmt.Fprintf(w, "\n%d report IDs, %d reports waiting, filled in %.0f s\n", f.IDs, f.WaitingReports, f.FillSeconds)
	fmt.Fprintf(w, "  %-34s %10s %10s\n", "", "empty", "grown")
	fmt.Fprintf(w, "  %-34s %10.0f %10.0f reports/s, %.2f of it\n", "durable uploads (median)", median(f.Empty, uploadsOf), median(f.Grown, uploadsOf), f.UploadsRatio)
	fmt.Fprintf(w, "  %-34s %10.0f %10.0f reports/s, %.2f of it\n", "committed by both (median)", median(f.Empty, endToEndOf), median(f.Grown, endToEndOf), f.EndToEndRatio)
	fmt.Fprintf(w, "  opening both databases             %10.2f s\n", f.OpenBothSeconds)
	fmt.Fprintf(w, "  the Leader's start                 %10.2f s, after SIGKILL %.2f s\n", f.LeaderStartSeconds, f.LeaderStartAfterKillSeconds)
	fmt.Fprintf(w, "  the Leader's memory, at most       %10.1f MiB\n", f.LeaderPeakMiB)
	fmt.Fprintf(w, "  collecting %6d batch buckets     %10.2f s\n", f.Buckets, f.CollectSeconds)
	fmt.Fprintf(w, "  disk of a waiting report           %10.2f times its size\n", f.WaitingDiskRatio)
}
