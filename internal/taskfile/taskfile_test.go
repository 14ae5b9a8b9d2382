package taskfile

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/dp"
	"github.com/twofold-dap/twofold/internal/fuzzing"
	"github.com/twofold-dap/twofold/internal/vdafspec"
)

func collectorConfig(t testing.TB) dap.HpkeConfig {
	t.Helper()
	keypair, err := dap.GenerateHpkeKeypair(7, dap.HpkeKemX25519HkdfSha256, dap.HpkeKdfHkdfSha256, dap.HpkeAeadAes128Gcm)
	if err != nil {
		t.Fatal(err)
	}
	return keypair.Config
}

func spec(t testing.TB, text string) vdafspec.Spec {
	t.Helper()
	s, err := vdafspec.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func draft(t testing.TB) Draft {
	return Draft{
		Name: "delays", Leader: "https://leader.example/dap/", Helper: "https://helper.example", Spec: spec(t, "histogram:edges=0;10;20"),
		TimePrecision: time.Hour, MinBatchSize: 100, BatchMode: dap.BatchModeTimeInterval, CollectorHpkeConfig: collectorConfig(t),
	}
}

func encoded(t testing.TB, d Draft) (File, string) {
	t.Helper()
	f, err := New(d)
	if err != nil {
		t.Fatal(err)
	}
	text, err := f.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return f, string(text)
}

func TestRoundTrip(t *testing.T) {
	drafts := map[string]func(*Draft){
		"edges":           func(*Draft) {},
		"labels":          func(d *Draft) { d.Labels = []string{"a", "b", "früh", "late \"one\""} },
		"own ID":          func(d *Draft) { d.OwnID = true },
		"leader-selected": func(d *Draft) { d.BatchMode = dap.BatchModeLeaderSelected },
		"interval": func(d *Draft) {
			d.Start, d.Duration = time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC), 90*24*time.Hour
		},
		"pure": func(d *Draft) { d.Privacy = private(dp.PureEpsilon) },
		"concentrated, in an interval": func(d *Draft) {
			d.Privacy = private(dp.ZeroConcentrated)
			d.Start, d.Duration = time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC), 90*24*time.Hour
		},
		"count":    func(d *Draft) { d.Spec = spec(t, "count") },
		"sum":      func(d *Draft) { d.Spec = spec(t, "sum:max=18446744069414584320") },
		"sumvec":   func(d *Draft) { d.Spec = spec(t, "sumvec:length=3,max=10") },
		"multihot": func(d *Draft) { d.Spec = spec(t, "multihot:length=3,max_weight=2") },
		"seconds":  func(d *Draft) { d.TimePrecision = 90 * time.Second },
	}
	for name, change := range drafts {
		t.Run(name, func(t *testing.T) {
			d := draft(t)
			change(&d)
			f, text := encoded(t, d)
			got, err := Decode([]byte(text))
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if !reflect.DeepEqual(got, f) {
				t.Errorf("got %+v\nwant %+v", got, f)
			}
			if !d.OwnID && f.ID != dap.TaskprovTaskID(f.Encoded) {
				t.Error("the ID is not that of Taskprov")
			}
		})
	}
}

func TestIDsDiffer(t *testing.T) {
	d := draft(t)
	a, _ := encoded(t, d)
	b, _ := encoded(t, d)
	if a.ID == b.ID {
		t.Error("two tasks of one draft have one ID")
	}
}

// TestAltered changes each field of a file to another good value.
func TestAltered(t *testing.T) {
	d := draft(t)
	d.Labels = []string{"a", "b", "c", "d"}
	d.Start, d.Duration = time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC), 24*time.Hour
	f, text := encoded(t, d)
	other, otherText := encoded(t, d)
	replace := map[string][2]string{
		"id":             {f.ID.String(), other.ID.String()},
		"name":           {"name = 'delays'", "name = 'delay'"},
		"vdaf edges":     {"edges=0;10;20", "edges=0;10;21"},
		"vdaf chunk":     {"chunk=2", "chunk=3"},
		"labels":         {"'b'", "'x'"},
		"leader":         {"leader.example/dap/", "leader.example/dap"},
		"helper":         {"https://helper.example", "https://evil.example"},
		"time_precision": {"'1h'", "'2h'"},
		"min_batch_size": {"min_batch_size = 100", "min_batch_size = 10"},
		"batch_mode":     {"time-interval", "leader-selected"},
		"start":          {"2026-01-31", "2026-02-01"},
		"duration":       {"'24h'", "'48h'"},
	}
	for name, r := range replace {
		t.Run(name, func(t *testing.T) {
			if strings.Count(text, r[0]) != 1 {
				t.Fatalf("%q is not in the file once:\n%s", r[0], text)
			}
			_, err := Decode([]byte(strings.Replace(text, r[0], r[1], 1)))
			if altered, ok := errors.AsType[*AlteredError](err); !ok || !strings.Contains(altered.Error(), "ID no longer matches") {
				t.Errorf("got %v, want an *AlteredError", err)
			}
		})
	}
	line := func(text, field string) string {
		for l := range strings.Lines(text) {
			if strings.HasPrefix(l, field+" = ") {
				return l
			}
		}
		t.Fatalf("there is no field %s", field)
		return ""
	}
	for _, field := range []string{"collector_hpke_config", "task_info"} {
		changed := otherText
		if field == "collector_hpke_config" {
			fresh := draft(t) // with another key
			_, changed = encoded(t, fresh)
		}
		_, err := Decode([]byte(strings.Replace(text, line(text, field), line(changed, field), 1)))
		if _, ok := errors.AsType[*AlteredError](err); !ok {
			t.Errorf("%s: got %v, want an *AlteredError", field, err)
		}
	}
	// Without labels the edges' names would be printed.
	labels := text[strings.Index(text, "labels = "):]
	labels = labels[:strings.Index(labels, "]")+2]
	if _, err := Decode([]byte(strings.Replace(text, labels, "", 1))); !isAltered(err) {
		t.Errorf("without labels: %v", err)
	}
}

func isAltered(err error) bool { _, ok := errors.AsType[*AlteredError](err); return ok }

func TestDecodeErrors(t *testing.T) {
	_, text := encoded(t, draft(t))
	for name, c := range map[string]struct{ from, to, mentions string }{
		"empty":           {text, "", "format"},
		"not TOML":        {text, "\x00\x01", "not a task file"},
		"another format":  {"twofold-task-1", "twofold-task-2", "twofold-task-1"},
		"unknown field":   {"min_batch_size", "max_batch_size", "max_batch_size is not a field"},
		"repeated field":  {"min_batch_size = 100", "min_batch_size = 100\nmin_batch_size = 100", "line"},
		"wrong type":      {"min_batch_size = 100", "min_batch_size = 'a'", "line"},
		"negative":        {"min_batch_size = 100", "min_batch_size = -1", "line"},
		"no batch size":   {"min_batch_size = 100", "min_batch_size = 0", "min_batch_size"},
		"no taskprov":     {"taskprov = true", "", "taskprov"},
		"bad precision":   {"'1h'", "'1y'", "time_precision"},
		"bad batch mode":  {"time-interval", "weekly", "batch_mode"},
		"bad VDAF":        {"chunk=2", "chunk=0", "chunk"},
		"bad URL":         {"https://helper.example", "helper.example", "helper_aggregator_endpoint"},
		"bad HPKE config": {"collector_hpke_config = '", "collector_hpke_config = 'AA", "collector_hpke_config"},
		"bad ID":          {"id = '", "id = '!", "id"},
		"bad task_info":   {"task_info = '", "task_info = '!", "task_info"},
		"no name":         {"name = 'delays'", "name = ''", "name"},
		"unprintable":     {"name = 'delays'", `name = "a\u0007b"`, "name"},
		"start alone":     {"min_batch_size", "start = '2026-01-31T00:00:00Z'\nmin_batch_size", "duration"},
		"far end":         {"min_batch_size", "start = '9999-12-31T00:00:00Z'\nduration = '48h'\nmin_batch_size", "year 9999"},
		"duration alone":  {"min_batch_size", "duration = '24h'\nmin_batch_size", "start"},
		"unaligned start": {"min_batch_size", "start = '2026-01-31T00:30:00Z'\nduration = '24h'\nmin_batch_size", "multiple of the time precision"},
		"labels":          {"min_batch_size", "labels = ['a']\nmin_batch_size", "labels"},
	} {
		_, err := Decode([]byte(strings.Replace(text, c.from, c.to, 1)))
		if err == nil || !strings.Contains(err.Error(), c.mentions) || isAltered(err) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.mentions)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: the error has several lines: %q", name, err)
		}
	}
	if _, err := Decode(make([]byte, MaxSize+1)); err == nil {
		t.Error("a file that is too large was taken")
	}
}

func TestResultLabels(t *testing.T) {
	d := draft(t)
	f, _ := encoded(t, d)
	if got := f.ResultLabels(); len(got) != 4 || got[0] != "below 0" {
		t.Errorf("labels %q", got)
	}
	d.Labels = []string{"w", "x", "y", "z"}
	f, _ = encoded(t, d)
	if got := f.ResultLabels(); !reflect.DeepEqual(got, d.Labels) {
		t.Errorf("labels %q", got)
	}
}

func TestNewErrors(t *testing.T) {
	for name, change := range map[string]func(*Draft){
		"precision": func(d *Draft) { d.TimePrecision = time.Millisecond },
		"URL":       func(d *Draft) { d.Leader = "ftp://x" },
		"batch":     func(d *Draft) { d.MinBatchSize = 0 },
		"labels":    func(d *Draft) { d.Labels = []string{"one"} },
		"key":       func(d *Draft) { d.CollectorHpkeConfig.PublicKey = []byte{1} },
	} {
		d := draft(t)
		change(&d)
		if _, err := New(d); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestTruncated(t *testing.T) {
	_, text := encoded(t, draft(t))
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, len(text)-2).Draw(t, "length")
		if _, err := Decode([]byte(text[:n])); err == nil {
			t.Fatalf("the first %d of %d bytes are a task file", n, len(text))
		}
	})
}

func FuzzDecode(f *testing.F) {
	d := draft(f)
	_, text := encoded(f, d)
	f.Add([]byte(text))
	d.OwnID = true
	d.Labels = []string{"a", "b", "c", "d"}
	_, text = encoded(f, d)
	f.Add([]byte(text))
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, text []byte) {
		file, err := Decode(text)
		if err != nil {
			return
		}
		again, err := file.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(again)
		if err != nil || !reflect.DeepEqual(back, file) {
			t.Fatalf("%+v came back as %+v, %v", file, back, err)
		}
	})
}
