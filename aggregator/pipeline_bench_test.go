package aggregator_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/taskvdaf"
	"github.com/twofold-dap/twofold/store"
	"github.com/twofold-dap/twofold/vdaf"
)

// BenchmarkPipeline takes histogram reports (length 100) from encoded upload
// requests to committed on both sides, in one process with real stores. The reports are made
// before the clock starts.
func BenchmarkPipeline(b *testing.B) {
	const perRequest, uploaders = 200, 4
	p := newPipeline(b)
	requests := p.requests(b, b.N, perRequest)
	b.ResetTimer()
	start := time.Now()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range uploaders {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(requests) {
					return
				}
				refused, err := p.leader.Upload(context.Background(), p.id, requests[i])
				if err != nil || len(refused.Status) > 0 {
					b.Errorf("upload: %v, %d refused", err, len(refused.Status))
				}
			}
		})
	}
	wg.Wait()
	uploaded := time.Since(start)
	for {
		counts, err := p.leader.Counts(context.Background(), p.id)
		if err != nil {
			b.Fatal(err)
		}
		if counts.Aggregated == uint64(b.N) {
			break
		}
		if time.Since(start) > 10*time.Minute || counts.Quarantined > 0 || len(counts.Rejected) > 0 {
			b.Fatalf("not all are counted: %+v", counts)
		}
		time.Sleep(2 * time.Millisecond)
	}
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "reports/s")
	b.ReportMetric(float64(b.N)/uploaded.Seconds(), "uploads/s")
}

type pipeline struct {
	leader *aggregator.Leader
	id     dap.TaskID
	vdaf   *vdaf.Prio3Histogram
	seal   map[dap.Role]*dap.InputShareSealer
}

func newPipeline(b *testing.B) *pipeline {
	ctx := context.Background()
	ok := func(err error) {
		if err != nil {
			b.Helper()
			b.Fatal(err)
		}
	}
	vdafConfig, err := dap.Prio3HistogramConfig{Length: 100, ChunkLength: 10}.Encode()
	ok(err)
	config := dap.TaskConfiguration{
		TaskInfo: []byte("benchmark"), LeaderAggregatorEndpoint: "https://leader.example/", HelperAggregatorEndpoint: "https://helper.example/",
		TimePrecision: 3600, MinBatchSize: 100, BatchMode: dap.BatchModeTimeInterval, VdafType: dap.VdafTypePrio3Histogram, VdafConfiguration: vdafConfig,
	}
	encoded, err := config.Encode()
	ok(err)
	collector, err := dap.GenerateHpkeKeypair(1, dap.HpkeKemX25519HkdfSha256, dap.HpkeKdfHkdfSha256, dap.HpkeAeadAes128Gcm)
	ok(err)
	p := &pipeline{id: dap.NewTaskID(), seal: make(map[dap.Role]*dap.InputShareSealer)}
	p.vdaf, err = vdaf.NewPrio3Histogram(2, 100, 10)
	ok(err)
	task := aggregator.Task{
		ID: p.id, Config: config, EncodedConfig: encoded, VerifyKey: bytes.Repeat([]byte{1}, p.vdaf.VerifyKeySize()), CollectorHpkeConfig: collector.Config,
	}

	w := &world{TB: b}
	peer := &testPeer{w: w}
	common := aggregator.Config{VDAF: taskvdaf.Topology}
	helperStore, err := store.OpenHelper(filepath.Join(b.TempDir(), "helper.db"), storeKey, store.Options{Create: true})
	ok(err)
	helper, err := aggregator.NewHelper(aggregator.HelperConfig{Config: common, Store: helperStore})
	ok(err)
	peer.set(helper)
	leaderStore, err := store.OpenLeader(filepath.Join(b.TempDir(), "leader.db"), storeKey, store.Options{Create: true})
	ok(err)
	p.leader, err = aggregator.NewLeader(aggregator.LeaderConfig{Config: common, Store: leaderStore, Peer: peer})
	ok(err)
	stop := w.run(p.leader.Run)
	b.Cleanup(func() {
		stop()
		ok(leaderStore.Close())
		ok(helperStore.Close())
	})

	leaderKey, err := p.leader.AddHpkeKey(ctx, aggregator.MandatorySuite, 0)
	ok(err)
	helperKey, err := helper.AddHpkeKey(ctx, aggregator.MandatorySuite, 0)
	ok(err)
	for role, key := range map[dap.Role]dap.HpkeConfig{dap.RoleLeader: leaderKey, dap.RoleHelper: helperKey} {
		p.seal[role], err = dap.NewInputShareSealer(key, role, p.id, encoded)
		ok(err)
	}
	leaderTask, helperTask := task, task
	leaderTask.Role, leaderTask.HelperToken, leaderTask.CollectorTokenHash = dap.RoleLeader, []byte(leaderToken), sha256.Sum256([]byte(collectorToken))
	helperTask.Role, helperTask.LeaderTokenHash = dap.RoleHelper, sha256.Sum256([]byte(leaderToken))
	ok(p.leader.AddTask(ctx, leaderTask))
	ok(helper.AddTask(ctx, helperTask))
	return p
}

// requests makes n reports in upload requests of perRequest.
func (p *pipeline) requests(b *testing.B, n, perRequest int) [][]byte {
	now := dap.Time(time.Now().Unix() / 3600)
	requests := make([][]byte, (n+perRequest-1)/perRequest)
	var wg sync.WaitGroup
	limit := make(chan struct{}, 2)
	for i := range requests {
		limit <- struct{}{}
		wg.Go(func() {
			defer func() { <-limit }()
			var body []byte
			for k := i * perRequest; k < min(n, (i+1)*perRequest); k++ {
				var err error
				if body, err = p.report(k%100, now).AppendTo(body); err != nil {
					b.Error(err)
				}
			}
			requests[i] = body
		})
	}
	wg.Wait()
	return requests
}

func (p *pipeline) report(bucket int, now dap.Time) dap.Report {
	rnd := make([]byte, p.vdaf.RandSize())
	rand.Read(rnd)
	r := dap.Report{Metadata: dap.ReportMetadata{ReportID: dap.NewReportID(), Time: now}}
	public, shares, err := p.vdaf.Shard(dap.VdafContext(p.id), bucket, r.Metadata.ReportID[:], rnd)
	if err != nil {
		panic(err)
	}
	r.PublicShare = public
	if r.LeaderEncryptedInputShare, err = p.seal[dap.RoleLeader].Seal(r.Metadata, public, dap.PlaintextInputShare{Payload: shares[0]}); err != nil {
		panic(err)
	}
	if r.HelperEncryptedInputShare, err = p.seal[dap.RoleHelper].Seal(r.Metadata, public, dap.PlaintextInputShare{Payload: shares[1]}); err != nil {
		panic(err)
	}
	return r
}
