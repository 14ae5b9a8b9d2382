package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"time"
)

// report holds the figures.
type report struct {
	VDAF              string  `json:"vdaf"`
	Reports           int     `json:"reports"`
	Clients           int     `json:"clients"`
	ReportsPerRequest int     `json:"reports_per_request"`
	Processors        int     `json:"nproc"`
	HeldHelper        bool    `json:"held_helper"`
	ReportBytes       int     `json:"report_bytes"`
	UploadsPerSecond  float64 `json:"uploads_per_second"`
	// EndToEndPerSecond is from the first upload to the last commit on both sides; from the
	// Helper's start if it was held.
	EndToEndPerSecond float64 `json:"end_to_end_per_second"`
	Latency           latency `json:"request_latency_ms"`
	// PeerBytesPerReport is what the connections between Leader and Helper have carried, both
	// ways, with HTTP's headers.
	PeerBytesPerReport float64 `json:"peer_bytes_per_report"`
	Leader             role    `json:"leader"`
	Helper             role    `json:"helper"`
	Load               role    `json:"load"`
	// Waiting is the Leader's memory and disk while all reports waited for the Helper.
	Waiting *waiting `json:"waiting,omitempty"`
}

// latency holds percentiles of the time a request takes, in milliseconds.
type latency struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// role is what a process took of the machine. Memory is in MiB.
type role struct {
	CPUSecondsPerReport float64 `json:"cpu_seconds_per_report"`
	PeakMiB             float64 `json:"peak_rss_mib"`
	PeakAnonymousMiB    float64 `json:"peak_rss_anon_mib"`
	// DiskBytesPerReport is how much more of the disk the server's directory takes. A
	// database uses again what is free in it, so that much of the Leader's is for the
	// most reports that have waited at the same time.
	DiskBytesPerReport *float64 `json:"disk_bytes_per_report,omitempty"`
}

type waiting struct {
	Reports          uint64  `json:"reports"`
	PeakMiB          float64 `json:"peak_rss_mib"`
	PeakAnonymousMiB float64 `json:"peak_rss_anon_mib"`
	// DiskBytesPerReport is how much more of the disk the Leader's directory takes than without the
	// reports, free pages included, and DiskRatio that over a report's size.
	DiskBytesPerReport float64 `json:"disk_bytes_per_report"`
	DiskRatio          float64 `json:"disk_ratio"`
}

func (m *monitor) role(reports int) role {
	return role{
		CPUSecondsPerReport: round(float64(m.cpu().Microseconds())/float64(reports)) / 1e6,
		PeakMiB:             mebibytes(m.last.PeakResident),
		PeakAnonymousMiB:    mebibytes(m.peakAnonymous),
	}
}

func mebibytes(n int64) float64 { return round(float64(n) / (1 << 20)) }

func milliseconds(d time.Duration) float64 { return round(float64(d.Microseconds()) / 1000) }

// rate is how many a second.
func rate(n int, took time.Duration) float64 { return round(float64(n) / took.Seconds()) }

// round rounds to one decimal.
func round(x float64) float64 { return math.Round(10*x) / 10 }

func (r *report) writeJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

func (r *report) writeText(w io.Writer) {
	fmt.Fprintf(w, "\n%s: %d reports of %d bytes, %d clients, %d reports a request, %d processors\n",
		r.VDAF, r.Reports, r.ReportBytes, r.Clients, r.ReportsPerRequest, r.Processors)
	fmt.Fprintf(w, "  durable uploads      %10.0f reports/s\n", r.UploadsPerSecond)
	from := "from the first upload"
	if r.HeldHelper {
		from = "from the Helper's start"
	}
	fmt.Fprintf(w, "  committed by both    %10.0f reports/s, %s\n", r.EndToEndPerSecond, from)
	fmt.Fprintf(w, "  a request takes      %10.1f ms (p50), %.1f (p90), %.1f (p99), %.1f (longest)\n", r.Latency.P50, r.Latency.P90, r.Latency.P99, r.Latency.Max)
	fmt.Fprintf(w, "  Leader and Helper    %10.1f bytes a report between them\n", r.PeerBytesPerReport)
	fmt.Fprintf(w, "\n  %-8s %16s %14s %14s %18s\n", "", "CPU a report", "peak memory", "of it anon.", "disk a report")
	for _, line := range []struct {
		name string
		role role
	}{{"Leader", r.Leader}, {"Helper", r.Helper}, {"load", r.Load}} {
		fmt.Fprintf(w, "  %-8s %13.1f µs %10.1f MiB %10.1f MiB", line.name, 1e6*line.role.CPUSecondsPerReport, line.role.PeakMiB, line.role.PeakAnonymousMiB)
		if disk := line.role.DiskBytesPerReport; disk != nil {
			fmt.Fprintf(w, " %12.1f bytes", *disk)
		}
		fmt.Fprintln(w)
	}
	if r.Waiting != nil {
		fmt.Fprintf(w, "\n  While %d reports waited, the Leader held at most %.1f MiB, of it anonymous %.1f MiB.\n", r.Waiting.Reports, r.Waiting.PeakMiB, r.Waiting.PeakAnonymousMiB)
		fmt.Fprintf(w, "  On its disk each took %.1f bytes, %.2f times its size.\n", r.Waiting.DiskBytesPerReport, r.Waiting.DiskRatio)
	}
}
