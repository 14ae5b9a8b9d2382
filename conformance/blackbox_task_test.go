package conformance

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// wireTask is a task of the system under test, and all secrets of its
// participants.
type wireTask struct {
	system   *wireSystem
	id       [32]byte
	config   []byte // encoded TaskConfiguration
	taskprov bool
	header   http.Header // that requests about the task carry besides

	precision, minBatch uint64
	mode                byte
	vdaf                wireVDAF
	collector           wireKeypair
	verifyKey           []byte
	base                uint64 // a time well in the past, for reports
}

// taskOptions say what a task is like. The zero value is a sum in the
// time-interval mode with batches of at least one report.
type taskOptions struct {
	vdaf       *wireVDAF // nil: sums of measurements up to 2^20 - 1
	mode       byte
	minBatch   uint64
	precision  uint64
	extensions []byte
	taskprov   bool
	info       []byte // nil: random
	leaderURL  string // empty: the system's
	helperURL  string
	unknown    bool // the aggregators are not told of it
}

// taskLength is a task interval, from a task's base on, that is not over yet.
const taskLength = 1002

// newTask makes a task and tells both aggregators, unless it is to be unknown.
func (s *wireSystem) newTask(o taskOptions) *wireTask {
	s.t.Helper()
	if o.vdaf == nil {
		sum := sumVDAF(s.t, 1<<20-1)
		o.vdaf = &sum
	}
	o.mode = max(o.mode, modeTimeInterval)
	o.minBatch, o.precision = max(o.minBatch, 1), max(o.precision, 60)
	if o.info == nil {
		o.info = randomBytes(16)
	}
	if o.leaderURL == "" {
		o.leaderURL = s.leaderURL
	}
	if o.helperURL == "" {
		o.helperURL = s.helperURL
	}
	task := &wireTask{
		system: s, taskprov: o.taskprov,
		precision: o.precision, minBatch: o.minBatch, mode: o.mode, vdaf: *o.vdaf,
		collector: s.collector, verifyKey: randomBytes(o.vdaf.keySize),
		base: uint64(time.Now().Unix())/o.precision - 1000,
	}
	task.config = wire{}.vec8(o.info).vec16([]byte(o.leaderURL)).vec16([]byte(o.helperURL)).
		u64(o.precision).u64(o.minBatch).u8(o.mode).vec16(nil).
		u32(o.vdaf.kind).vec16(o.vdaf.config).vec16(o.extensions)
	task.id = taskprovTaskID(task.config)
	if o.taskprov {
		task.verifyKey = taskprovVerifyKey(s.t, verifyKeyInit, task.id, o.vdaf.keySize)
	} else {
		task.id[0] ^= 1
	}
	if !o.unknown {
		s.provision(task)
	}
	return task
}

// taskIntervalExtension is the task extension task_interval.
func taskIntervalExtension(start, duration uint64) []byte {
	return wireExtensions(wireExtension{1, wireInterval(start, duration)})
}

// verifyKeyInit is the aggregators' pre-shared secret.
var verifyKeyInit = []byte("0123456789abcdef0123456789ABCDEF")

// taskprovTaskID is the task ID of Taskprov Section 3.3.
func taskprovTaskID(config []byte) [32]byte {
	salt := sha256.Sum256([]byte("dap-taskprov task id"))
	return sha256.Sum256(append(salt[:], config...))
}

// taskprovVerifyKey is the verification key of Taskprov Section 3.4.
func taskprovVerifyKey(t testing.TB, init []byte, id [32]byte, size int) []byte {
	t.Helper()
	salt := sha256.Sum256([]byte("dap-taskprov"))
	prk, err := hkdf.Extract(sha256.New, init, salt[:])
	must(t, err)
	key, err := hkdf.Expand(sha256.New, prk, string(id[:]), size)
	must(t, err)
	return key
}

// taskprovHeader is the value of the DAP-Taskprov header.
func taskprovHeader(config []byte) string {
	return ":" + base64.StdEncoding.EncodeToString(config) + ":"
}

// provision tells both aggregators of a task.
func (s *wireSystem) provision(task *wireTask) {
	s.t.Helper()
	config, err := dap.DecodeTaskConfiguration(task.config)
	must(s.t, err)
	collector := dap.HpkeConfig{
		ID: dap.HpkeConfigID(task.collector.id), KemID: dap.HpkeKemID(task.collector.kem), KdfID: dap.HpkeKdfID(task.collector.kdf),
		AeadID: dap.HpkeAeadID(task.collector.aead), PublicKey: task.collector.publicKey,
	}
	common := aggregator.Task{
		ID: task.id, Config: config, EncodedConfig: task.config, VerifyKey: task.verifyKey,
		CollectorHpkeConfig: collector, Taskprov: task.taskprov,
	}
	atLeader, atHelper := common, common
	atLeader.Role, atHelper.Role = dap.RoleLeader, dap.RoleHelper
	atLeader.HelperToken, atLeader.CollectorTokenHash = []byte(leaderToken), sha256.Sum256([]byte(collectorToken))
	atHelper.LeaderTokenHash = sha256.Sum256([]byte(leaderToken))
	must(s.t, s.leader.AddTask(context.Background(), atLeader))
	must(s.t, s.helper.AddTask(context.Background(), atHelper))
}

// t is the test, or the subtest, that is running.
func (task *wireTask) t() testing.TB { return task.system.t }

// leaderPath and helperPath are the URLs of a task's resources.
func (task *wireTask) leaderPath(path string) string {
	return strings.TrimSuffix(task.system.leaderURL, "/") + "/tasks/" + task.idText() + "/" + path
}

func (task *wireTask) helperPath(path string) string {
	return strings.TrimSuffix(task.system.helperURL, "/") + "/tasks/" + task.idText() + "/" + path
}

func (task *wireTask) idText() string { return base64.RawURLEncoding.EncodeToString(task.id[:]) }

// vdafContext is the application context of DAP Section 4.4.2.1.
func (task *wireTask) vdafContext() []byte { return append([]byte("dap-18"), task.id[:]...) }

// reportOptions say what a report is like.
type reportOptions struct {
	measurement uint64
	at          uint64                     // time, after the task's base
	absolute    bool                       // at is the time itself
	id          [16]byte                   // zero: random
	public      []byte                     // public extensions
	private     [2][]byte                  // private extensions, Leader's and Helper's
	tamper      func(shares [][]byte)      // changes the input shares before they are sealed
	payloads    [2][]byte                  // in place of the encoded PlaintextInputShares, if not nil
	aad         func(aad []byte) []byte    // changes the associated data
	change      func(r *wireReport)        // changes the report when it is done
	config      func(c *wireHpkeConfig)    // changes the HPKE configurations
	config2     [2]func(c *wireHpkeConfig) // the Leader's, the Helper's
}

// report makes a report as a Client does (DAP Section 4.4.2.1).
func (task *wireTask) report(o reportOptions) wireReport {
	task.t().Helper()
	r := wireReport{wireMetadata: wireMetadata{id: o.id, time: task.base + o.at, extensions: o.public}, measurement: o.measurement}
	if o.absolute {
		r.time = o.at
	}
	if r.id == ([16]byte{}) {
		r.id = [16]byte(randomBytes(16))
	}
	publicShare, shares, err := task.vdaf.shard(task.vdafContext(), o.measurement, r.id[:])
	must(task.t(), err)
	if o.tamper != nil {
		o.tamper(shares)
	}
	r.publicShare, r.leaderShare = publicShare, shares[0]
	aad := task.inputShareAad(r)
	if o.aad != nil {
		aad = o.aad(aad)
	}
	for i, at := range []*wireCiphertext{&r.leader, &r.helper} {
		plaintext := []byte(wire{}.vec16(o.private[i]).vec32(shares[i]))
		if o.payloads[i] != nil {
			plaintext = o.payloads[i]
		}
		config := task.system.configs[i]
		for _, change := range []func(*wireHpkeConfig){o.config, o.config2[i]} {
			if change != nil {
				change(&config)
			}
		}
		*at = wireSeal(task.t(), config, inputShareInfo(byte(roleLeader+i)), aad, plaintext)
	}
	if o.change != nil {
		o.change(&r)
	}
	return r
}

// inputShareAad is an InputShareAad.
func (task *wireTask) inputShareAad(r wireReport) []byte {
	return wire{}.raw(task.id[:]).raw(task.config).metadata(r.wireMetadata).vec32(r.publicShare)
}

// reports makes n reports at that time, with the measurements first, first + 1 and so on.
func (task *wireTask) reports(n int, first, at uint64) []wireReport {
	task.t().Helper()
	reports := make([]wireReport, n)
	for i := range reports {
		reports[i] = task.report(reportOptions{measurement: first + uint64(i), at: at})
	}
	return reports
}

// interval is the query for a time-interval batch, after the task's base.
func (task *wireTask) interval(start, duration uint64) []byte {
	return wireQuery(modeTimeInterval, wireInterval(task.base+start, duration))
}

// collectionReq is a CollectionJobReq without an aggregation parameter.
func (task *wireTask) collectionReq(query []byte) []byte { return wireCollectionReq(query, nil, nil) }

// result decrypts the aggregate shares of an answer and adds them up (DAP Section 4.6.6).
func (task *wireTask) result(c wireCollection, collectionReq, aggParam []byte) []uint64 {
	task.t().Helper()
	shares := [][]byte{
		task.openAggregateShare(roleLeader, collectionReq, c.leader),
		task.openAggregateShare(roleHelper, collectionReq, c.helper),
	}
	result, err := task.vdaf.unshard(aggParam, shares, c.count)
	must(task.t(), err)
	return result
}

// openAggregateShare decrypts an aggregate share (DAP Section 4.6.7).
func (task *wireTask) openAggregateShare(server byte, collectionReq []byte, c wireCiphertext) []byte {
	task.t().Helper()
	aad := wire{}.raw(task.id[:]).raw(task.config).raw(collectionReq)
	return task.collector.open(task.t(), aggregateShareInfo(server), aad, c)
}

// checksumOf is the checksum of a batch of these reports (DAP Section 4.5.4.3).
func checksumOf(reports ...wireReport) (checksum [32]byte) {
	for _, r := range reports {
		for i, b := range sha256.Sum256(r.id[:]) {
			checksum[i] ^= b
		}
	}
	return checksum
}

func sumOf(reports ...wireReport) (sum uint64) {
	for _, r := range reports {
		sum += r.measurement
	}
	return sum
}
