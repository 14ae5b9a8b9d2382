package dap

import (
	"errors"
	"mime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/internal/fuzzing"
)

// What is an identifier of any kind prints as the text it was read from.
func FuzzIdentifiers(f *testing.F) {
	f.Add(NewTaskID().String())
	f.Add(NewReportID().String())
	f.Add(NewReportID().String() + "\n")
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, text string) {
		for kind, parse := range map[string]func() (string, error){
			"task ID":            func() (string, error) { id, err := ParseTaskID(text); return id.String(), err },
			"report ID":          func() (string, error) { id, err := ParseReportID(text); return id.String(), err },
			"batch ID":           func() (string, error) { id, err := ParseBatchID(text); return id.String(), err },
			"aggregation job ID": func() (string, error) { id, err := ParseAggregationJobID(text); return id.String(), err },
			"collection job ID":  func() (string, error) { id, err := ParseCollectionJobID(text); return id.String(), err },
			"aggregate share ID": func() (string, error) { id, err := ParseAggregateShareID(text); return id.String(), err },
			"checksum":           func() (string, error) { c, err := ParseChecksum(text); return c.String(), err },
		} {
			printed, err := parse()
			if _, typed := errors.AsType[*IdentifierError](err); err != nil && !typed {
				t.Fatalf("%s %q: an error of type %T", kind, text, err)
			}
			if err == nil && printed != text {
				t.Fatalf("%s %q prints as %q", kind, text, printed)
			}
		}
	})
}

// What a content type is taken for, it is: with parameters in any order, and its
// name in any case (RFC 9110 Section 8.3.1).
func FuzzMediaTypes(f *testing.F) {
	types := []MediaType{
		MediaTypeHpkeConfigList, MediaTypeUploadRequest, MediaTypeUploadErrors, MediaTypeAggregationJobInitReq,
		MediaTypeAggregationJobResp, MediaTypeAggregationJobContinueReq, MediaTypeCollectionJobReq, MediaTypeCollectionJobResp,
		MediaTypeAggregateShareReq, MediaTypeAggregateShare,
	}
	for _, mediaType := range types {
		f.Add(string(mediaType))
		f.Add(strings.ToUpper(string(mediaType)))
		f.Add(string(mediaType) + "; charset=utf-8")
	}
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, contentType string) {
		taken := 0
		for _, mediaType := range types {
			err := mediaType.Check(contentType)
			if _, typed := errors.AsType[*MediaTypeError](err); err != nil && !typed {
				t.Fatalf("%q: an error of type %T", contentType, err)
			}
			if err != nil {
				continue
			}
			taken++
			_, got, parseErr := mime.ParseMediaType(contentType)
			_, want, _ := mime.ParseMediaType(string(mediaType))
			if parseErr != nil || got["message"] != want["message"] {
				t.Fatalf("%q is taken for %q: %v", contentType, mediaType, parseErr)
			}
		}
		if taken > 1 {
			t.Fatalf("%q is %d media types", contentType, taken)
		}
	})
}

// What a batch mode's configuration decodes to makes the same configuration.
func FuzzBatchModes(f *testing.F) {
	interval := Interval{Start: 7, Duration: 2}
	query, selector := NewTimeIntervalQuery(interval), NewLeaderSelectedBatchSelector(NewBatchID())
	f.Add(uint8(query.BatchMode), query.Config, uint8(selector.BatchMode), selector.Config)
	selector = NewTimeIntervalBatchSelector(interval)
	f.Add(uint8(query.BatchMode), query.Config, uint8(selector.BatchMode), selector.Config)
	f.Add(uint8(BatchModeLeaderSelected), []byte{}, uint8(selector.BatchMode), selector.Config)
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, queryMode uint8, queryConfig []byte, selectorMode uint8, selectorConfig []byte) {
		query := Query{BatchMode(queryMode), queryConfig}
		selector := BatchSelector{BatchMode(selectorMode), selectorConfig}
		if interval, err := query.BatchInterval(); err == nil && string(NewTimeIntervalQuery(interval).Config) != string(queryConfig) {
			t.Fatalf("query %x is of the interval %v", queryConfig, interval)
		}
		if interval, err := selector.BatchInterval(); err == nil && string(NewTimeIntervalBatchSelector(interval).Config) != string(selectorConfig) {
			t.Fatalf("batch selector %x is of the interval %v", selectorConfig, interval)
		}
		if id, err := selector.BatchID(); err == nil && string(NewLeaderSelectedBatchSelector(id).Config) != string(selectorConfig) {
			t.Fatalf("batch selector %x is of the batch %v", selectorConfig, id)
		}
		for _, mode := range []BatchMode{BatchModeTimeInterval, BatchModeLeaderSelected} {
			if err := query.Check(mode); err == nil && query.BatchMode != mode {
				t.Fatalf("a query of batch mode %d passes for %d", queryMode, mode)
			}
			if err := CheckBatchSelector(mode, query, selector); err == nil && (query.BatchMode != mode || selector.BatchMode != mode) {
				t.Fatalf("a selector of batch mode %d for a query of batch mode %d passes for %d", selectorMode, queryMode, mode)
			}
		}
	})
}

// Extensions that pass are known, sorted and not repeated (DAP Sections 4.4.3 and 4.5.3.1).
func FuzzExtensions(f *testing.F) {
	f.Add([]byte{0, 1, 0, 2}, []byte{0, 3})
	f.Add([]byte{0, 2, 0, 1}, []byte{0, 1})
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, public, private []byte) {
		list := func(types []byte) (extensions []Extension) {
			for pair := range slices.Chunk(types, 2) {
				if len(pair) == 2 {
					extensions = append(extensions, Extension{Type: ExtensionType(pair[0])<<8 | ExtensionType(pair[1])})
				}
			}
			return extensions
		}
		known := func(e ExtensionType) bool { return e%2 == 1 }
		publicList, privateList := list(public), list(private)
		reason, unsupported := CheckReportExtensions(publicList, privateList, known)
		seen := map[ExtensionType]bool{}
		good := true
		for _, extensions := range [][]Extension{publicList, privateList} {
			for i, e := range extensions {
				good = good && known(e.Type) && !seen[e.Type] && (i == 0 || extensions[i-1].Type < e.Type)
				seen[e.Type] = true
			}
		}
		if passes := reason == 0; passes != good || passes && len(unsupported) > 0 {
			t.Fatalf("extensions %x and %x: %v, %v; good: %t", public, private, reason, unsupported, good)
		}
	})
}

// A keypair is one that the private key makes, or an error.
func FuzzParseHpkeKeypair(f *testing.F) {
	for i, suite := range benchmarkSuites {
		keypair := generate(f, HpkeConfigID(i), suite.suite)
		private, err := keypair.MarshalPrivate()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(mustEncode(f, keypair.Config), private)
	}
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, encoded, private []byte) {
		config, err := DecodeHpkeConfig(encoded)
		if err != nil {
			return
		}
		keypair, err := ParseHpkeKeypair(config, private)
		if err != nil {
			return
		}
		if err := config.Validate(); err != nil {
			t.Fatalf("a keypair of a configuration that is not valid: %v", err)
		}
		if _, err := keypair.MarshalPrivate(); err != nil {
			t.Fatal(err)
		}
	})
}

// An interval that passes has an end, and contains its first bucket alone of those around it.
func FuzzTimes(f *testing.F) {
	f.Add(uint64(10), uint64(2), uint64(3600), uint64(11))
	f.Add(^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0))
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, start, duration, precision, other uint64) {
		interval := Interval{Time(start), Duration(duration)}
		p, at := TimePrecision(precision), Time(other)
		if at.At(p).Before(time.Unix(0, 0)) {
			t.Fatalf("time %d is before the Epoch with a precision of %d", other, precision)
		}
		if d, err := Duration(duration).In(p); err == nil && d < 0 {
			t.Fatalf("%d units of %d seconds are %v", duration, precision, d)
		}
		if got, err := p.TimeOf(at.At(1)); err == nil && p != 0 && uint64(got) > other {
			t.Fatalf("time %d rounds up to %d", other, got)
		}
		end, err := interval.End()
		if interval.CheckWellFormed() != nil {
			return
		}
		if err != nil || end < interval.Start {
			t.Fatalf("%v ends at %d, %v", interval, end, err)
		}
		if n := count(interval.Contains(at), interval.IsAfter(at), interval.IsBefore(at)); n != 1 {
			t.Fatalf("time %d is %d of in, before and after %v", at, n, interval)
		}
		merged, err := interval.Merge(Interval{at, 1})
		if err == nil && (!merged.ContainsInterval(interval) || !merged.Contains(at)) {
			t.Fatalf("%v with %d is %v", interval, at, merged)
		}
	})
}

func count(flags ...bool) (n int) {
	for _, flag := range flags {
		if flag {
			n++
		}
	}
	return n
}
