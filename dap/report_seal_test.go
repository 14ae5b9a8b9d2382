package dap

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/twofold-dap/twofold/internal/x25519"
)

// RFC 9180 Appendix A.1.1: base mode, the first encryption, with the ephemeral
// key that stands there.
func TestSealVector(t *testing.T) {
	decode := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	config := HpkeConfig{7, mandatorySuite.kem, mandatorySuite.kdf, mandatorySuite.aead, decode("3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d")}
	sealer, err := newHpkeSealer(&config, decode("4f6465206f6e2061204772656369616e2055726e"))
	if err != nil {
		t.Fatal(err)
	}
	ephemeral := [x25519.Size]byte(decode("52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736"))
	encs, dhs, ok := encapsulateWith([][x25519.Size]byte{ephemeral, ephemeral}, [][x25519.Size]byte{sealer.schedule.public, {}})
	if !ok[0] || ok[1] {
		t.Fatalf("usable: %v; want the first alone", ok)
	}
	plaintext := []byte("Beauty is truth, truth beauty")
	got, err := sealer.sealInPlace(&encs[0], &dhs[0], []byte("Count-0"), append(newSealBuffer(len(plaintext)), plaintext...))
	if err != nil || got.ConfigID != 7 ||
		!bytes.Equal(got.Enc, decode("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431")) ||
		!bytes.Equal(got.Payload, decode("f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a")) {
		t.Errorf("%x, %v", got, err)
	}
}

// sealReportsCase is a task with a Leader and a Helper of some suites.
type sealReportsCase struct {
	aad            InputShareAad
	leader, helper HpkeKeypair
	sealers        [2]*InputShareSealer
}

func newSealReportsCase(t testing.TB, leader, helper suiteIDs) *sealReportsCase {
	t.Helper()
	c := &sealReportsCase{aad: testInputShareAad(t), leader: generate(t, 1, leader), helper: generate(t, 2, helper)}
	for i, to := range []struct {
		key  HpkeKeypair
		role Role
	}{{c.leader, RoleLeader}, {c.helper, RoleHelper}} {
		var err error
		if c.sealers[i], err = NewInputShareSealer(to.key.Config, to.role, c.aad.TaskID, c.aad.TaskConfiguration); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// unsealed returns n reports that differ in everything.
func (c *sealReportsCase) unsealed(n int) []UnsealedReport {
	reports := make([]UnsealedReport, n)
	for i := range reports {
		reports[i] = UnsealedReport{
			Metadata:    ReportMetadata{ReportID: NewReportID(), Time: Time(i)},
			PublicShare: bytes.Repeat([]byte{byte(i)}, 7*i),
			Leader:      PlaintextInputShare{Payload: bytes.Repeat([]byte{1, byte(i)}, 50*(i+1))},
			Helper:      PlaintextInputShare{PrivateExtensions: []Extension{{Type: 0xff00, Data: []byte{byte(i)}}}, Payload: []byte{2, byte(i)}},
		}
	}
	return reports
}

// check opens the reports at both Aggregators.
func (c *sealReportsCase) check(t testing.TB, unsealed []UnsealedReport, sealed []Report) {
	t.Helper()
	if len(sealed) != len(unsealed) {
		t.Fatalf("%d reports of %d", len(sealed), len(unsealed))
	}
	seen := map[string]bool{}
	for i, r := range sealed {
		u := unsealed[i]
		if r.Metadata.ReportID != u.Metadata.ReportID || r.Metadata.Time != u.Metadata.Time || !bytes.Equal(r.PublicShare, u.PublicShare) {
			t.Errorf("report %d: %+v of %+v", i, r.Metadata, u.Metadata)
		}
		aad := c.aad
		aad.Metadata, aad.PublicShare = u.Metadata, u.PublicShare
		leader, err := OpenInputShare(c.leader, RoleLeader, aad, r.LeaderEncryptedInputShare)
		if err != nil || !samePlaintext(leader, u.Leader) {
			t.Errorf("report %d: the Leader's share: %v, %v", i, leader, err)
		}
		helper, err := OpenInputShare(c.helper, RoleHelper, aad, r.HelperEncryptedInputShare)
		if err != nil || !samePlaintext(helper, u.Helper) {
			t.Errorf("report %d: the Helper's share: %v, %v", i, helper, err)
		}
		for _, enc := range [][]byte{r.LeaderEncryptedInputShare.Enc, r.HelperEncryptedInputShare.Enc} {
			if seen[string(enc)] {
				t.Errorf("report %d: an encapsulated key comes twice", i)
			}
			seen[string(enc)] = true
		}
	}
}

func TestSealReports(t *testing.T) {
	other := suiteIDs{HpkeKemP256HkdfSha256, HpkeKdfHkdfSha256, HpkeAeadAes128Gcm}
	for _, suites := range [][2]suiteIDs{{mandatorySuite, mandatorySuite}, {mandatorySuite, other}, {other, mandatorySuite}, {other, other}} {
		for _, n := range []int{0, 1, 2, 5, 9} {
			t.Run(fmt.Sprintf("%s; %s; %d", suites[0], suites[1], n), func(t *testing.T) {
				c := newSealReportsCase(t, suites[0], suites[1])
				unsealed := c.unsealed(n)
				sealed, err := SealReports(c.sealers[0], c.sealers[1], unsealed)
				if err != nil {
					t.Fatal(err)
				}
				c.check(t, unsealed, sealed)
			})
		}
	}
}

func TestSealReportsRefuses(t *testing.T) {
	c := newSealReportsCase(t, mandatorySuite, mandatorySuite)
	leader, helper := c.sealers[0], c.sealers[1]
	otherTask, err := NewInputShareSealer(c.helper.Config, RoleHelper, TaskID{1}, c.aad.TaskConfiguration)
	if err != nil {
		t.Fatal(err)
	}
	for name, sealers := range map[string][2]*InputShareSealer{"exchanged": {helper, leader}, "the same": {leader, leader}, "of another task": {leader, otherTask}} {
		if sealed, err := SealReports(sealers[0], sealers[1], c.unsealed(1)); !errors.Is(err, errSealers) || sealed != nil {
			t.Errorf("%s: %v, %v", name, sealed, err)
		}
	}

	unsealed := c.unsealed(3)
	unsealed[2].Helper.Payload = nil
	if sealed, err := SealReports(leader, helper, unsealed); sealed != nil {
		t.Errorf("an empty input share: %v", sealed)
	} else if problem, ok := errors.AsType[*EncodeError](err); !ok || problem.Field != "payload" {
		t.Errorf("an empty input share: %v", err)
	}

	// A public key of small order, which no Diffie-Hellman value may be made of.
	for _, small := range [][]byte{make([]byte, x25519.Size), append([]byte{1}, make([]byte, x25519.Size-1)...)} {
		config := c.helper.Config
		config.PublicKey = small
		sealer, err := NewInputShareSealer(config, RoleHelper, c.aad.TaskID, c.aad.TaskConfiguration)
		if err != nil {
			t.Fatal(err)
		}
		if sealed, err := SealReports(leader, sealer, c.unsealed(2)); !errors.Is(err, ErrHpkePublicKey) || sealed != nil {
			t.Errorf("a key of small order: %v, %v", sealed, err)
		}
		if _, err := sealer.Seal(c.aad.Metadata, nil, testPlaintext); !errors.Is(err, ErrHpkePublicKey) {
			t.Errorf("a key of small order: Seal: %v", err)
		}
	}
}

func TestSealReportsConcurrently(t *testing.T) {
	c := newSealReportsCase(t, mandatorySuite, mandatorySuite)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for n := range 5 {
				unsealed := c.unsealed(n)
				sealed, err := SealReports(c.sealers[0], c.sealers[1], unsealed)
				if err != nil {
					t.Error(err)
					return
				}
				c.check(t, unsealed, sealed)
			}
		})
	}
	group.Wait()
}

// BenchmarkSealReports is what both input shares of a report cost, of several
// sealed together.
func BenchmarkSealReports(b *testing.B) {
	c := newSealReportsCase(b, mandatorySuite, mandatorySuite)
	for _, n := range []int{1, 2, 4, 16} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			unsealed := c.unsealed(n)
			for i := range unsealed {
				unsealed[i].Leader.Payload = make([]byte, benchmarkShareSize)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := SealReports(c.sealers[0], c.sealers[1], unsealed); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/report")
		})
	}
}
