package conformance

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/client"
	"github.com/twofold-dap/twofold/collector"
	"github.com/twofold-dap/twofold/dap"
)

// decoded returns the task as the libraries take it.
func (task *wireTask) decoded() (dap.TaskID, dap.TaskConfiguration) {
	task.t().Helper()
	configuration, err := dap.DecodeTaskConfiguration(task.config)
	must(task.t(), err)
	return task.id, configuration
}

// keypair returns the Collector's keypair as the library takes it.
func (k wireKeypair) keypair(t testing.TB) dap.HpkeKeypair {
	t.Helper()
	private, err := k.private.MarshalBinary()
	must(t, err)
	config, err := dap.DecodeHpkeConfig(k.encode())
	must(t, err)
	keypair, err := dap.ParseHpkeKeypair(config, private)
	must(t, err)
	return keypair
}

// TestLibraries uploads with the client library and collects with the collector
// library, for every VDAF, with Taskprov and without.
func TestLibraries(t *testing.T) {
	s := newTaskprovSystem(t, systemOptions{})
	kind := func(kind uint32, config wire) wireVDAF {
		v := sumVDAF(t, 1)
		v.kind, v.config = kind, config
		return v
	}
	for _, taskprov := range []bool{true, false} {
		name := map[bool]string{true: ", Taskprov", false: ""}[taskprov]
		s.run(t, "count"+name, func(t *testing.T) {
			runLibraries(s, kind(1, nil), taskprov, []bool{true, false, true, true}, uint64(3))
		})
		s.run(t, "sum"+name, func(t *testing.T) {
			runLibraries(s, kind(2, wire{}.u64(1000)), taskprov, []uint64{1, 0, 1000, 500}, uint64(1501))
		})
		s.run(t, "sumvec"+name, func(t *testing.T) {
			runLibraries(s, kind(3, wire{}.u32(3).u64(100).u32(2)), taskprov, [][]uint64{{1, 2, 3}, {100, 0, 100}}, []uint64{101, 2, 103})
		})
		s.run(t, "histogram"+name, func(t *testing.T) {
			runLibraries(s, kind(4, wire{}.u32(5).u32(2)), taskprov, []int{0, 4, 4, 2}, []uint64{1, 0, 1, 0, 2})
		})
		s.run(t, "multihot"+name, func(t *testing.T) {
			runLibraries(s, kind(5, wire{}.u32(3).u32(2).u64(2)), taskprov, [][]bool{{true, true, false}, {false, true, false}}, []uint64{1, 2, 0})
		})
	}
}

func runLibraries[M, R any](s *wireSystem, v wireVDAF, taskprov bool, measurements []M, want R) {
	s.t.Helper()
	task := s.newTask(taskOptions{vdaf: &v, taskprov: taskprov, unknown: taskprov, minBatch: 2})
	id, configuration := task.decoded()
	c, err := client.New[M](client.Task{ID: id, Configuration: configuration, Taskprov: taskprov}, client.Options{})
	must(s.t, err)
	at := time.Unix(int64(task.base*task.precision), 0)
	list := make([]client.Measurement[M], len(measurements))
	for i, m := range measurements {
		list[i] = client.Measurement[M]{Value: m, Time: at.Add(time.Duration(i) * time.Second)}
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	outcomes, err := c.Upload(ctx, list...)
	must(s.t, err)
	for i, o := range outcomes {
		if o.Status != client.StatusUploaded {
			s.t.Fatalf("report %d: %v", i, o)
		}
	}
	collect, err := collector.New[R](collector.Task{ID: id, Configuration: configuration, Taskprov: taskprov}, s.collector.keypair(s.t), collectorToken, collector.Options{})
	must(s.t, err)
	query, err := collect.IntervalQuery(at, at.Add(time.Duration(task.precision)*time.Second))
	must(s.t, err)
	job, state, err := collect.Create(ctx, query)
	must(s.t, err)
	eventually(s.t, "the batch is collected", func() bool {
		if state.Result == nil {
			state, err = collect.Poll(ctx, job)
			must(s.t, err)
		}
		return state.Result != nil
	})
	result := state.Result
	if result.ReportCount != uint64(len(measurements)) || !reflect.DeepEqual(result.Value, want) || !result.Start.Equal(at) {
		s.t.Errorf("%d reports from %v with the result %v; want %d from %v with %v", result.ReportCount, result.Start, result.Value, len(measurements), at, want)
	}
}

// TestClientReports opens what the client library has sealed, by hand (DAP Section
// 4.4.2.1), and compares two reports of the same measurement: nothing that is
// random is used twice.
func TestClientReports(t *testing.T) {
	s := newSystem(t, systemOptions{})
	keys := []wireKeypair{newWireKeypair(t, 3), newWireKeypair(t, 200)}
	var endpoints []string
	for _, k := range keys {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/ppm-dap;message=hpke-config-list")
			_, _ = w.Write(wire{}.vec16(k.encode()))
		}))
		defer server.Close()
		endpoints = append(endpoints, server.URL+"/a%7Eb") // not the form in which a URL library would write it
	}
	histogram := histogramVDAF(t, 5, 2)
	task := s.newTask(taskOptions{vdaf: &histogram, unknown: true, leaderURL: endpoints[0], helperURL: endpoints[1]})
	id, configuration := task.decoded()
	c, err := client.New[int](client.Task{ID: id, Configuration: configuration}, client.Options{})
	must(t, err)
	var opened [2][][]byte // per report: all that must differ
	for i := range opened {
		report, err := c.Prepare(t.Context(), 3, time.Unix(1_700_000_059, 0))
		must(t, err)
		encoded, err := report.Encode()
		must(t, err)
		r := readWire(t, "Report", encoded)
		got := wireReport{wireMetadata: wireMetadata{r.id(), r.u64(), r.vec16()}, publicShare: r.vec32()}
		ciphertexts := []wireCiphertext{r.ciphertext(), r.ciphertext()}
		r.end()
		if got.time != 1_700_000_059/60 || len(got.extensions) != 0 {
			t.Errorf("metadata %+v", got.wireMetadata)
		}
		opened[i] = [][]byte{got.id[:], got.publicShare}
		for j, k := range keys {
			plaintext := k.open(t, inputShareInfo(byte(roleLeader+j)), task.inputShareAad(got), ciphertexts[j])
			p := readWire(t, "PlaintextInputShare", plaintext)
			if extensions := p.vec16(); len(extensions) != 0 {
				t.Errorf("private extensions %x", extensions)
			}
			opened[i] = append(opened[i], p.vec32(), ciphertexts[j].enc)
			p.end()
		}
	}
	for k := range opened[0] {
		if len(opened[0][k]) == 0 || bytes.Equal(opened[0][k], opened[1][k]) {
			t.Errorf("part %d is the same in two reports", k)
		}
	}
}

// TestLibrariesOptOut gives the libraries tasks that a participant must not take
// part in (DAP Section 4.2.2, Taskprov Section 3.5): nothing is ever sent.
func TestLibrariesOptOut(t *testing.T) {
	s := newSystem(t, systemOptions{})
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	defer server.Close()
	poplar := sumVDAF(t, 100)
	poplar.kind, poplar.config = 6, []byte{0, 16}
	for name, c := range map[string]struct {
		options taskOptions
		client  bool // of the Client alone
	}{
		"VDAF that is not implemented": {taskOptions{vdaf: &poplar}, false},
		"batch mode that there is not": {taskOptions{mode: 9}, false},
		"unrecognized task extension":  {taskOptions{extensions: wireExtensions(wireExtension{9, nil})}, false},
		"task that has ended":          {taskOptions{extensions: taskIntervalExtension(100, 100)}, true},
	} {
		s.run(t, name, func(t *testing.T) {
			c.options.taskprov, c.options.unknown = true, true
			c.options.leaderURL, c.options.helperURL = server.URL, server.URL
			id, configuration := s.newTask(c.options).decoded()
			if _, err := client.New[uint64](client.Task{ID: id, Configuration: configuration, Taskprov: true}, client.Options{}); err == nil {
				t.Error("the Client takes part in the task")
			}
			if c.client {
				return
			}
			_, err := collector.New[uint64](collector.Task{ID: id, Configuration: configuration, Taskprov: true}, s.collector.keypair(t), "token", collector.Options{})
			if err == nil {
				t.Error("the Collector takes part in the task")
			}
		})
	}
	if n := requests.Load(); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// TestCertificates puts servers with a certificate that proves nothing before
// each participant that is an HTTP client (DAP Section 3): it does not say a word
// to them.
func TestCertificates(t *testing.T) {
	s := newSystem(t, systemOptions{})
	var requests atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	trusting := server.Client()
	for name, c := range map[string]struct {
		url   string
		roots *x509.CertPool
		http  *http.Client
	}{
		"unknown authority": {server.URL + "/", nil, nil},
		"other host":        {strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/", pool, trusting},
	} {
		task := s.newTask(taskOptions{unknown: true, leaderURL: c.url, helperURL: c.url})
		id, configuration := task.decoded()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		refused := func(t *testing.T, err error) {
			t.Helper()
			if err == nil {
				t.Fatal("the server is trusted")
			}
		}
		s.run(t, "Client, "+name, func(t *testing.T) {
			participant, err := client.New[uint64](client.Task{ID: id, Configuration: configuration}, client.Options{HTTP: c.http})
			must(t, err)
			_, err = participant.Prepare(ctx, 1, time.Now())
			refused(t, err)
		})
		s.run(t, "Collector, "+name, func(t *testing.T) {
			participant, err := collector.New[uint64](collector.Task{ID: id, Configuration: configuration}, s.collector.keypair(t), "token", collector.Options{HTTP: c.http})
			must(t, err)
			_, _, err = participant.Create(ctx, participant.NextQuery())
			refused(t, err)
		})
		s.run(t, "Leader, "+name, func(t *testing.T) {
			peer := api.NewPeer(api.PeerOptions{RootCAs: c.roots})
			defer peer.Close()
			_, err := peer.CreateAggregationJob(t.Context(), &aggregator.Task{ID: id, Config: configuration, HelperToken: []byte("token")}, []byte{0})
			refused(t, err)
			var unknown x509.UnknownAuthorityError
			var host x509.HostnameError
			if !errors.As(err, &unknown) && !errors.As(err, &host) {
				t.Errorf("the error is %v", err)
			}
		})
	}
	if n := requests.Load(); n != 0 {
		t.Errorf("%d requests", n)
	}
	s.run(t, "a good one", func(t *testing.T) {
		peer := api.NewPeer(api.PeerOptions{RootCAs: pool})
		defer peer.Close()
		_, configuration := s.newTask(taskOptions{unknown: true, helperURL: server.URL}).decoded()
		_, err := peer.CreateAggregationJob(t.Context(), &aggregator.Task{Config: configuration, HelperToken: []byte("token")}, []byte{0})
		if requests.Load() != 1 {
			t.Errorf("%d requests: %v", requests.Load(), err)
		}
	})
}

// TestClientAborts gives the Client answers about HPKE configurations with which it
// must not go on (DAP Section 4.4.1): nothing is uploaded.
func TestClientAborts(t *testing.T) {
	s := newSystem(t, systemOptions{})
	good := newWireKeypair(t, 3).encode()
	unsupported := newWireKeypair(t, 4).wireHpkeConfig
	unsupported.kem = 0x7777
	other := newWireKeypair(t, 5).wireHpkeConfig
	other.aead = 0xffff // of RFC 9180: export only
	short := newWireKeypair(t, 6).wireHpkeConfig
	short.publicKey = short.publicKey[1:]
	const mediaType = "application/ppm-dap;message=hpke-config-list"
	for name, c := range map[string]struct {
		status    int
		mediaType string
		body      []byte
	}{
		"empty list":               {200, mediaType, wire{}.vec16(nil)},
		"no body":                  {200, mediaType, nil},
		"truncated list":           {200, mediaType, wire{}.vec16(good)[:20]},
		"trailing bytes":           {200, mediaType, wire{}.vec16(good).u8(0)},
		"list that ends too early": {200, mediaType, wire{}.vec16(good[:len(good)-1])},
		"other media type":         {200, "application/ppm-dap;message=upload-errors", wire{}.vec16(good)},
		"no media type":            {200, "", wire{}.vec16(good)},
		"error":                    {404, mediaType, wire{}.vec16(good)},
		"no supported algorithms":  {200, mediaType, wire{}.vec16(append(unsupported.encode(), other.encode()...))},
		"public key of no point":   {200, mediaType, wire{}.vec16(short.encode())},
	} {
		s.run(t, name, func(t *testing.T) {
			var uploads atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet {
					uploads.Add(1)
				}
				w.Header()["Content-Type"] = []string{c.mediaType}
				w.WriteHeader(c.status)
				_, _ = w.Write(c.body)
			}))
			defer server.Close()
			for _, at := range []int{atLeader, atHelper} {
				endpoints := []string{s.leaderURL, s.helperURL}
				endpoints[at] = server.URL
				id, configuration := s.newTask(taskOptions{unknown: true, leaderURL: endpoints[0], helperURL: endpoints[1]}).decoded()
				participant, err := client.New[uint64](client.Task{ID: id, Configuration: configuration}, client.Options{Attempts: 1})
				must(t, err)
				if _, err = participant.Upload(t.Context(), client.Measurement[uint64]{Value: 1, Time: time.Now()}); err == nil {
					t.Error("the Client goes on")
				}
			}
			if n := uploads.Load(); n != 0 {
				t.Errorf("%d uploads", n)
			}
		})
	}
}
