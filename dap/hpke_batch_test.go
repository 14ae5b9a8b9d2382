package dap

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cloudflare/circl/hpke"

	"github.com/twofold-dap/twofold/internal/x25519"
)

// RFC 9180 Appendix A.1.1: base mode, the first encryption.
func TestBatchOpenerVector(t *testing.T) {
	decode := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	private, err := hpke.KEM_X25519_HKDF_SHA256.Scheme().UnmarshalBinaryPrivateKey(decode("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8"))
	if err != nil {
		t.Fatal(err)
	}
	config := HpkeConfig{KemID: mandatorySuite.kem, KdfID: mandatorySuite.kdf, AeadID: mandatorySuite.aead}
	opener, err := newBatchOpener(&config, private, decode("4f6465206f6e2061204772656369616e2055726e"))
	if err != nil {
		t.Fatal(err)
	}
	enc := [x25519.Size]byte(decode("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431"))
	dhs, ok := opener.sharedSecrets([][x25519.Size]byte{enc, {}})
	if !ok[0] || ok[1] {
		t.Fatalf("usable: %v; want the first alone", ok)
	}
	payload := decode("f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a")
	got, err := opener.open(nil, &enc, &dhs[0], []byte("Count-0"), payload)
	if want := "Beauty is truth, truth beauty"; err != nil || string(got) != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	if got, err := opener.open(nil, &enc, &dhs[0], []byte("Count-1"), payload); err != ErrHpkeDecrypt || got != nil {
		t.Errorf("other associated data: %v; want ErrHpkeDecrypt", err)
	}
}

func TestHmacAndHkdf(t *testing.T) {
	suite := []byte("HPKE\x00\x20\x00\x01\x00\x01")
	random := rand.NewChaCha8([32]byte{1})
	take := func(n int) []byte {
		b := make([]byte, n)
		random.Read(b)
		return b
	}
	for keyLength := range sha256.BlockSize + 1 {
		for _, length := range []int{0, 1, 55, 56, 63, 64, 65, 127, 128, 300} {
			key, message := take(keyLength), take(length)
			mac := hmac.New(sha256.New, key)
			mac.Write(message)
			if got := hmacSha256(key, append(make([]byte, sha256.BlockSize), message...)); !hmac.Equal(got[:], mac.Sum(nil)) {
				t.Errorf("HMAC of %d bytes with a key of %d bytes differs from crypto/hmac's", length, keyLength)
			}
			ikm := append(append([]byte("HPKE-v1"), suite...), append([]byte("label"), message...)...)
			prk, err := hkdf.Extract(sha256.New, ikm, key)
			if err != nil {
				t.Fatal(err)
			}
			ours := labeledExtract(suite, key, "label", message)
			if !bytes.Equal(ours[:], prk) {
				t.Errorf("LabeledExtract of %d bytes with a salt of %d bytes differs from crypto/hkdf's", length, keyLength)
			}
			info := "\x00\x0cHPKE-v1" + string(suite) + "label" + string(message)
			okm, err := hkdf.Expand(sha256.New, prk, info, 12)
			if err != nil {
				t.Fatal(err)
			}
			if got := labeledExpand(suite, &ours, "label", message, 12); !bytes.Equal(got[:12], okm) {
				t.Errorf("LabeledExpand of %d bytes differs from crypto/hkdf's", length)
			}
		}
	}
}

// batchCase makes report shares, good ones and broken ones.
type batchCase struct {
	aad    InputShareAad
	keys   []HpkeKeypair
	opener *InputShareOpener
}

func newBatchCase(t testing.TB) *batchCase {
	t.Helper()
	c := &batchCase{aad: testInputShareAad(t), keys: []HpkeKeypair{generate(t, 1, mandatorySuite), generate(t, 2, mandatorySuite)}}
	for i, suite := range allSuites() {
		c.keys = append(c.keys, generate(t, HpkeConfigID(10+i), suite))
	}
	var err error
	if c.opener, err = NewInputShareOpener(c.keys, RoleHelper, c.aad.TaskID, c.aad.TaskConfiguration); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *batchCase) report(t testing.TB, key HpkeKeypair, random *rand.Rand) ReportShare {
	t.Helper()
	sealer, err := NewInputShareSealer(key.Config, RoleHelper, c.aad.TaskID, c.aad.TaskConfiguration)
	if err != nil {
		t.Fatal(err)
	}
	r := ReportShare{Metadata: c.aad.Metadata, PublicShare: make([]byte, random.IntN(2000))}
	r.Metadata.ReportID = NewReportID()
	share := PlaintextInputShare{testPlaintext.PrivateExtensions, append(r.Metadata.ReportID[:], make([]byte, random.IntN(3000))...)}
	if r.EncryptedInputShare, err = sealer.Seal(r.Metadata, r.PublicShare, share); err != nil {
		t.Fatal(err)
	}
	return r
}

// breakages are what can be wrong with a report share. The first is nothing.
var breakages = []func(r *ReportShare, random *rand.Rand){
	func(*ReportShare, *rand.Rand) {},
	func(r *ReportShare, _ *rand.Rand) { r.EncryptedInputShare.ConfigID = 99 },
	func(r *ReportShare, _ *rand.Rand) { r.EncryptedInputShare.ConfigID = 1 },
	func(r *ReportShare, _ *rand.Rand) { r.Metadata.Time++ },
	func(r *ReportShare, _ *rand.Rand) { r.PublicShare = append(r.PublicShare, 0) },
	func(r *ReportShare, _ *rand.Rand) { // does not encode
		r.Metadata.PublicExtensions = []Extension{{Data: make([]byte, 1<<16)}}
	},
	func(r *ReportShare, random *rand.Rand) { flipBit(r.EncryptedInputShare.Enc, random) },
	func(r *ReportShare, _ *rand.Rand) {
		r.EncryptedInputShare.Enc[len(r.EncryptedInputShare.Enc)-1] ^= 0x80
	},
	func(r *ReportShare, _ *rand.Rand) { clear(r.EncryptedInputShare.Enc) },
	func(r *ReportShare, _ *rand.Rand) { r.EncryptedInputShare.Enc = nil },
	func(r *ReportShare, _ *rand.Rand) { r.EncryptedInputShare.Enc = r.EncryptedInputShare.Enc[1:] },
	func(r *ReportShare, _ *rand.Rand) { r.EncryptedInputShare.Enc = append(r.EncryptedInputShare.Enc, 0) },
	func(r *ReportShare, random *rand.Rand) { flipBit(r.EncryptedInputShare.Payload, random) },
	func(r *ReportShare, _ *rand.Rand) { r.EncryptedInputShare.Payload = nil },
	func(r *ReportShare, _ *rand.Rand) { r.EncryptedInputShare.Payload = r.EncryptedInputShare.Payload[:15] },
	func(r *ReportShare, _ *rand.Rand) { r.EncryptedInputShare.Payload = r.EncryptedInputShare.Payload[:16] },
	func(r *ReportShare, _ *rand.Rand) { r.EncryptedInputShare.Payload = r.EncryptedInputShare.Payload[1:] },
}

func flipBit(b []byte, random *rand.Rand) { b[random.IntN(len(b))] ^= 1 << random.IntN(8) }

// checkAgainstOpen compares a batch with what Open does of each, also the errors.
func (c *batchCase) checkAgainstOpen(t testing.TB, reports []ReportShare) (opened int) {
	t.Helper()
	shares, errs := c.opener.OpenBatch(reports)
	if len(shares) != len(reports) || len(errs) != len(reports) {
		t.Fatalf("%d shares and %d errors of %d reports", len(shares), len(errs), len(reports))
	}
	for i, r := range reports {
		want, wantErr := c.opener.Open(r.Metadata, r.PublicShare, r.EncryptedInputShare)
		if fmt.Sprintf("%T %v", errs[i], errs[i]) != fmt.Sprintf("%T %v", wantErr, wantErr) || ReportErrorOf(errs[i]) != ReportErrorOf(wantErr) {
			t.Errorf("report %d of %d: error %v; Open has %v", i, len(reports), errs[i], wantErr)
		}
		if wantErr != nil {
			if shares[i].Payload != nil || shares[i].PrivateExtensions != nil {
				t.Errorf("report %d of %d has an error and an input share", i, len(reports))
			}
			continue
		}
		opened++
		if !samePlaintext(shares[i], want) {
			t.Errorf("report %d of %d: opens to another input share than with Open", i, len(reports))
		}
	}
	return opened
}

// Each breakage of each suite's reports, beside good ones.
func TestOpenBatchRefuses(t *testing.T) {
	c := newBatchCase(t)
	random := rand.New(rand.NewPCG(1, 2))
	for n, breakIt := range breakages {
		for _, key := range []HpkeKeypair{c.keys[0], c.keys[2], c.keys[4], c.keys[11], c.keys[20]} {
			var reports []ReportShare
			for i := range 4 {
				reports = append(reports, c.report(t, key, random))
				if i%2 == 1 {
					breakIt(&reports[i], random)
				}
			}
			opened := c.checkAgainstOpen(t, reports)
			if want := 2; n > 0 && key.Config.ID != 1 && opened != want || n == 0 && opened != 4 {
				t.Errorf("breakage %d, configuration %d: %d reports open; want %d", n, key.Config.ID, opened, want)
			}
		}
	}
}

// Batches of every small size and a large one, of mixed keys, some reports broken.
func TestOpenBatchMixed(t *testing.T) {
	c := newBatchCase(t)
	random := rand.New(rand.NewPCG(3, 4))
	opened, total := 0, 0
	for _, n := range []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 100} {
		var reports []ReportShare
		for range n {
			key := c.keys[random.IntN(3)]
			if random.IntN(4) == 0 {
				key = c.keys[random.IntN(len(c.keys))]
			}
			r := c.report(t, key, random)
			if random.IntN(3) == 0 {
				breakages[random.IntN(len(breakages))](&r, random)
			}
			reports = append(reports, r)
		}
		opened, total = opened+c.checkAgainstOpen(t, reports), total+n
	}
	if opened < total/2 || opened == total {
		t.Errorf("%d of %d reports open; want most, and not all", opened, total)
	}
}

// What opens and is no PlaintextInputShare.
func TestOpenBatchDecodes(t *testing.T) {
	c := newBatchCase(t)
	info, err := inputShareInfo(RoleHelper)
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := newHpkeSealer(&c.keys[0].Config, info)
	if err != nil {
		t.Fatal(err)
	}
	for _, plaintext := range [][]byte{nil, {0}, append(mustEncode(t, testPlaintext), 0)} {
		sealed, err := sealer.seal(mustEncode(t, c.aad), plaintext)
		if err != nil {
			t.Fatal(err)
		}
		reports := []ReportShare{{c.aad.Metadata, c.aad.PublicShare, sealed}, c.report(t, c.keys[0], rand.New(rand.NewPCG(5, 6)))}
		if opened := c.checkAgainstOpen(t, reports); opened != 1 {
			t.Errorf("%d of two open; want one", opened)
		}
		_, errs := c.opener.OpenBatch(reports)
		if decodeError := (*DecodeError)(nil); !errors.As(errs[0], &decodeError) {
			t.Errorf("error %v; want a *DecodeError", errs[0])
		}
	}
}

// The race detector watches this one. No input share reaches into the next one,
// and none is the ciphertext's memory.
func TestOpenBatchConcurrently(t *testing.T) {
	c := newBatchCase(t)
	random := rand.New(rand.NewPCG(7, 8))
	var reports []ReportShare
	for range 11 {
		reports = append(reports, c.report(t, c.keys[0], random))
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			shares, errs := c.opener.OpenBatch(reports)
			for i := range shares {
				if errs[i] != nil {
					t.Errorf("report %d: %v", i, errs[i])
					return
				}
				if id := reports[i].Metadata.ReportID; !bytes.HasPrefix(shares[i].Payload, id[:]) {
					t.Errorf("report %d: another report's input share", i)
				}
				clear(shares[i].Payload)
				_ = append(shares[i].Payload, 1)
			}
		})
	}
	group.Wait()
}
