package dap

import (
	"bytes"
	stdhpke "crypto/hpke"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

type suiteIDs struct {
	kem  HpkeKemID
	kdf  HpkeKdfID
	aead HpkeAeadID
}

func (s suiteIDs) String() string { return fmt.Sprintf("%s, %s, %s", s.kem, s.kdf, s.aead) }

// allSuites returns every combination of algorithms that is supported.
func allSuites() (suites []suiteIDs) {
	for _, kem := range []HpkeKemID{HpkeKemX25519HkdfSha256, HpkeKemP256HkdfSha256, HpkeKemXWing} {
		for _, kdf := range []HpkeKdfID{HpkeKdfHkdfSha256, HpkeKdfHkdfSha384, HpkeKdfHkdfSha512} {
			for _, aead := range []HpkeAeadID{HpkeAeadAes128Gcm, HpkeAeadAes256Gcm, HpkeAeadChaCha20Poly1305} {
				suites = append(suites, suiteIDs{kem, kdf, aead})
			}
		}
	}
	return suites
}

var mandatorySuite = suiteIDs{HpkeKemX25519HkdfSha256, HpkeKdfHkdfSha256, HpkeAeadAes128Gcm}

func generate(t testing.TB, id HpkeConfigID, suite suiteIDs) HpkeKeypair {
	t.Helper()
	keypair, err := GenerateHpkeKeypair(id, suite.kem, suite.kdf, suite.aead)
	if err != nil {
		t.Fatal(err)
	}
	return keypair
}

func testInputShareAad(t testing.TB) InputShareAad {
	t.Helper()
	return InputShareAad{TaskID{1, 2, 3}, mustEncode(t, validTaskConfiguration()), layoutMetadata, []byte("public share")}
}

func testAggregateShareAad(t testing.TB) AggregateShareAad {
	t.Helper()
	return AggregateShareAad{TaskID{1, 2, 3}, mustEncode(t, validTaskConfiguration()), layoutCollect}
}

var testPlaintext = PlaintextInputShare{[]Extension{{7, []byte("private")}}, []byte("input share")}

func samePlaintext(a, b PlaintextInputShare) bool {
	x, errX := a.Encode()
	y, errY := b.Encode()
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func TestInputShareEverySuite(t *testing.T) {
	aad := testInputShareAad(t)
	for _, suite := range allSuites() {
		t.Run(suite.String(), func(t *testing.T) {
			keypair := generate(t, 42, suite)
			if err := keypair.Config.Validate(); err != nil || !keypair.Config.Supported() {
				t.Fatalf("the new configuration is not valid: %v", err)
			}
			ciphertext, err := SealInputShare(keypair.Config, RoleHelper, aad, testPlaintext)
			if err != nil {
				t.Fatal(err)
			}
			private, err := keypair.MarshalPrivate()
			if err != nil {
				t.Fatal(err)
			}
			stored, err := ParseHpkeKeypair(keypair.Config, private)
			if err != nil {
				t.Fatal(err)
			}
			for _, keypair := range []HpkeKeypair{keypair, stored} {
				got, err := OpenInputShare(keypair, RoleHelper, aad, ciphertext)
				if err != nil || !samePlaintext(got, testPlaintext) {
					t.Errorf("opens to another input share: %v", err)
				}
			}
		})
	}
}

func TestAggregateShareEverySuite(t *testing.T) {
	aad := testAggregateShareAad(t)
	for _, suite := range allSuites() {
		t.Run(suite.String(), func(t *testing.T) {
			keypair := generate(t, 42, suite)
			ciphertext, err := SealAggregateShare(keypair.Config, RoleLeader, aad, []byte("aggregate share"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := OpenAggregateShare(keypair, RoleLeader, aad, ciphertext)
			if err != nil || string(got) != "aggregate share" {
				t.Errorf("opens to %q, %v", got, err)
			}
		})
	}
}

// stdSuite returns the suite in Go's own crypto/hpke, an implementation that
// has nothing in common with ours.
func stdSuite(t *testing.T, config HpkeConfig) (stdhpke.KEM, stdhpke.KDF, stdhpke.AEAD) {
	t.Helper()
	kem, err := stdhpke.NewKEM(uint16(config.KemID))
	if err != nil {
		t.Fatal(err)
	}
	kdf, err := stdhpke.NewKDF(uint16(config.KdfID))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := stdhpke.NewAEAD(uint16(config.AeadID))
	if err != nil {
		t.Fatal(err)
	}
	return kem, kdf, aead
}

// What is sealed here opens there, with the info string and the associated data
// of the standard written out, and the other way round.
func TestInputShareAgainstOtherImplementation(t *testing.T) {
	aad := testInputShareAad(t)
	for _, suite := range allSuites() {
		t.Run(suite.String(), func(t *testing.T) {
			keypair := generate(t, 42, suite)
			private, err := keypair.MarshalPrivate()
			if err != nil {
				t.Fatal(err)
			}
			kem, kdf, aead := stdSuite(t, keypair.Config)
			for role, info := range map[Role]string{RoleLeader: "dap-18 input share\x01\x02", RoleHelper: "dap-18 input share\x01\x03"} {
				ciphertext, err := SealInputShare(keypair.Config, role, aad, testPlaintext)
				if err != nil {
					t.Fatal(err)
				}
				privateKey, err := kem.NewPrivateKey(private)
				if err != nil {
					t.Fatal(err)
				}
				recipient, err := stdhpke.NewRecipient(ciphertext.Enc, privateKey, kdf, aead, []byte(info))
				if err != nil {
					t.Fatal(err)
				}
				plaintext, err := recipient.Open(mustEncode(t, aad), ciphertext.Payload)
				if err != nil || !bytes.Equal(plaintext, mustEncode(t, testPlaintext)) {
					t.Fatalf("%s: opens to %x, %v", role, plaintext, err)
				}

				publicKey, err := kem.NewPublicKey(keypair.Config.PublicKey)
				if err != nil {
					t.Fatal(err)
				}
				enc, sender, err := stdhpke.NewSender(publicKey, kdf, aead, []byte(info))
				if err != nil {
					t.Fatal(err)
				}
				payload, err := sender.Seal(mustEncode(t, aad), mustEncode(t, testPlaintext))
				if err != nil {
					t.Fatal(err)
				}
				got, err := OpenInputShare(keypair, role, aad, HpkeCiphertext{42, enc, payload})
				if err != nil || !samePlaintext(got, testPlaintext) {
					t.Fatalf("%s: what the other implementation sealed: %v", role, err)
				}
			}
		})
	}
}

func TestAggregateShareAgainstOtherImplementation(t *testing.T) {
	aad := testAggregateShareAad(t)
	keypair := generate(t, 42, mandatorySuite)
	private, err := keypair.MarshalPrivate()
	if err != nil {
		t.Fatal(err)
	}
	kem, kdf, aead := stdSuite(t, keypair.Config)
	privateKey, err := kem.NewPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for role, info := range map[Role]string{RoleLeader: "dap-18 aggregate share\x02\x00", RoleHelper: "dap-18 aggregate share\x03\x00"} {
		ciphertext, err := SealAggregateShare(keypair.Config, role, aad, []byte("aggregate share"))
		if err != nil {
			t.Fatal(err)
		}
		recipient, err := stdhpke.NewRecipient(ciphertext.Enc, privateKey, kdf, aead, []byte(info))
		if err != nil {
			t.Fatal(err)
		}
		plaintext, err := recipient.Open(mustEncode(t, aad), ciphertext.Payload)
		if err != nil || string(plaintext) != "aggregate share" {
			t.Fatalf("%s: opens to %q, %v", role, plaintext, err)
		}
	}
}

// Everything that is authenticated makes a ciphertext useless when it changes.
func TestInputShareRefuses(t *testing.T) {
	for _, suite := range []suiteIDs{mandatorySuite,
		{HpkeKemP256HkdfSha256, HpkeKdfHkdfSha256, HpkeAeadAes256Gcm}, {HpkeKemXWing, HpkeKdfHkdfSha256, HpkeAeadChaCha20Poly1305}} {
		t.Run(suite.String(), func(t *testing.T) {
			aad := testInputShareAad(t)
			keypair, other := generate(t, 42, suite), generate(t, 42, suite)
			sealed, err := SealInputShare(keypair.Config, RoleLeader, aad, testPlaintext)
			if err != nil {
				t.Fatal(err)
			}
			flip := func(b []byte, i int) []byte {
				b = bytes.Clone(b)
				b[i] ^= 1
				return b
			}
			otherAad := func(change func(*InputShareAad)) InputShareAad {
				changed := aad
				change(&changed)
				return changed
			}
			tests := map[string]struct {
				keypair HpkeKeypair
				role    Role
				aad     InputShareAad
				sealed  HpkeCiphertext
				want    error
			}{
				"other key":             {other, RoleLeader, aad, sealed, ErrHpkeDecrypt},
				"other role":            {keypair, RoleHelper, aad, sealed, ErrHpkeDecrypt},
				"no aggregator":         {keypair, RoleCollector, aad, sealed, ErrNotAggregator},
				"task ID":               {keypair, RoleLeader, otherAad(func(a *InputShareAad) { a.TaskID[31] ^= 1 }), sealed, ErrHpkeDecrypt},
				"task configuration":    {keypair, RoleLeader, otherAad(func(a *InputShareAad) { a.TaskConfiguration = flip(a.TaskConfiguration, 1) }), sealed, ErrHpkeDecrypt},
				"report ID":             {keypair, RoleLeader, otherAad(func(a *InputShareAad) { a.Metadata.ReportID[0] ^= 1 }), sealed, ErrHpkeDecrypt},
				"time":                  {keypair, RoleLeader, otherAad(func(a *InputShareAad) { a.Metadata.Time++ }), sealed, ErrHpkeDecrypt},
				"extensions":            {keypair, RoleLeader, otherAad(func(a *InputShareAad) { a.Metadata.PublicExtensions = nil }), sealed, ErrHpkeDecrypt},
				"public share":          {keypair, RoleLeader, otherAad(func(a *InputShareAad) { a.PublicShare = nil }), sealed, ErrHpkeDecrypt},
				"config ID":             {keypair, RoleLeader, aad, HpkeCiphertext{43, sealed.Enc, sealed.Payload}, ErrHpkeUnknownConfigID},
				"first of enc":          {keypair, RoleLeader, aad, HpkeCiphertext{42, flip(sealed.Enc, 0), sealed.Payload}, ErrHpkeDecrypt},
				"last of enc":           {keypair, RoleLeader, aad, HpkeCiphertext{42, flip(sealed.Enc, len(sealed.Enc)-1), sealed.Payload}, ErrHpkeDecrypt},
				"short enc":             {keypair, RoleLeader, aad, HpkeCiphertext{42, sealed.Enc[1:], sealed.Payload}, ErrHpkeDecrypt},
				"long enc":              {keypair, RoleLeader, aad, HpkeCiphertext{42, append(bytes.Clone(sealed.Enc), 0), sealed.Payload}, ErrHpkeDecrypt},
				"enc of zeros":          {keypair, RoleLeader, aad, HpkeCiphertext{42, make([]byte, len(sealed.Enc)), sealed.Payload}, ErrHpkeDecrypt},
				"no enc":                {keypair, RoleLeader, aad, HpkeCiphertext{42, nil, sealed.Payload}, ErrHpkeDecrypt},
				"payload":               {keypair, RoleLeader, aad, HpkeCiphertext{42, sealed.Enc, flip(sealed.Payload, 3)}, ErrHpkeDecrypt},
				"short payload":         {keypair, RoleLeader, aad, HpkeCiphertext{42, sealed.Enc, sealed.Payload[:len(sealed.Payload)-1]}, ErrHpkeDecrypt},
				"payload without a tag": {keypair, RoleLeader, aad, HpkeCiphertext{42, sealed.Enc, sealed.Payload[:3]}, ErrHpkeDecrypt},
				"no payload":            {keypair, RoleLeader, aad, HpkeCiphertext{42, sealed.Enc, nil}, ErrHpkeDecrypt},
				"no key":                {HpkeKeypair{Config: keypair.Config}, RoleLeader, aad, sealed, ErrHpkePrivateKey},
			}
			for name, test := range tests {
				t.Run(name, func(t *testing.T) {
					got, err := OpenInputShare(test.keypair, test.role, test.aad, test.sealed)
					if !errors.Is(err, test.want) || got.Payload != nil || got.PrivateExtensions != nil {
						t.Errorf("error %v; want %v", err, test.want)
					}
				})
			}
		})
	}
}

func TestAggregateShareRefuses(t *testing.T) {
	aad := testAggregateShareAad(t)
	keypair := generate(t, 42, mandatorySuite)
	sealed, err := SealAggregateShare(keypair.Config, RoleHelper, aad, []byte("aggregate share"))
	if err != nil {
		t.Fatal(err)
	}
	otherTask, otherQuery := aad, aad
	otherTask.TaskID[0] ^= 1
	otherQuery.CollectionJobReq.Query.Config = []byte{0x0d}
	otherID := sealed
	otherID.ConfigID++
	for name, test := range map[string]struct {
		role   Role
		aad    AggregateShareAad
		sealed HpkeCiphertext
		want   error
	}{
		"other role":    {RoleLeader, aad, sealed, ErrHpkeDecrypt},
		"no aggregator": {RoleClient, aad, sealed, ErrNotAggregator},
		"task ID":       {RoleHelper, otherTask, sealed, ErrHpkeDecrypt},
		"query":         {RoleHelper, otherQuery, sealed, ErrHpkeDecrypt},
		"config ID":     {RoleHelper, aad, otherID, ErrHpkeUnknownConfigID},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := OpenAggregateShare(keypair, test.role, test.aad, test.sealed); !errors.Is(err, test.want) || got != nil {
				t.Errorf("error %v; want %v", err, test.want)
			}
		})
	}
	if _, err := SealAggregateShare(keypair.Config, RoleCollector, aad, nil); err != ErrNotAggregator {
		t.Errorf("sealed by the collector: %v", err)
	}
	if _, err := SealAggregateShare(keypair.Config, RoleLeader, AggregateShareAad{}, nil); err == nil {
		t.Error("sealed without a task configuration")
	}
}

// What opens and is no PlaintextInputShare is invalid_message, not a failed decryption.
func TestInputShareThatDoesNotDecode(t *testing.T) {
	aad := testInputShareAad(t)
	keypair := generate(t, 42, mandatorySuite)
	info, err := inputShareInfo(RoleLeader)
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := newHpkeSealer(&keypair.Config, info)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := sealer.seal(mustEncode(t, aad), append(mustEncode(t, testPlaintext), 0))
	if err != nil {
		t.Fatal(err)
	}
	_, err = OpenInputShare(keypair, RoleLeader, aad, sealed)
	wantDecodeError(t, err)
	if got := ReportErrorOf(err); got != ReportErrorInvalidMessage {
		t.Errorf("report error %v; want invalid_message", got)
	}
}

func TestReportErrorOf(t *testing.T) {
	for err, want := range map[error]ReportError{
		nil: 0, ErrHpkeUnknownConfigID: ReportErrorHpkeDecryptError, ErrHpkeDecrypt: ReportErrorHpkeDecryptError,
		&DecodeError{}: ReportErrorInvalidMessage, &EncodeError{}: ReportErrorInvalidMessage,
	} {
		if got := ReportErrorOf(err); got != want {
			t.Errorf("%v: %v; want %v", err, got, want)
		}
	}
}

func TestInputShareOpenerOfSeveralKeypairs(t *testing.T) {
	aad := testInputShareAad(t)
	var keypairs []HpkeKeypair
	for i, suite := range allSuites()[:4] {
		keypairs = append(keypairs, generate(t, HpkeConfigID(10+i), suite))
	}
	opener, err := NewInputShareOpener(keypairs, RoleLeader, aad.TaskID, aad.TaskConfiguration)
	if err != nil {
		t.Fatal(err)
	}
	for _, keypair := range keypairs {
		sealed, err := SealInputShare(keypair.Config, RoleLeader, aad, testPlaintext)
		if err != nil {
			t.Fatal(err)
		}
		got, err := opener.Open(aad.Metadata, aad.PublicShare, sealed)
		if err != nil || !samePlaintext(got, testPlaintext) {
			t.Errorf("configuration %d: %v", keypair.Config.ID, err)
		}
		sealed.ConfigID = 99
		if _, err := opener.Open(aad.Metadata, aad.PublicShare, sealed); err != ErrHpkeUnknownConfigID {
			t.Errorf("unknown configuration: %v", err)
		}
	}
	if _, err := NewInputShareOpener(append(keypairs, keypairs[0]), RoleLeader, aad.TaskID, aad.TaskConfiguration); err == nil {
		t.Error("two keypairs have the same ID")
	}
	if _, err := NewInputShareOpener(keypairs, RoleLeader, aad.TaskID, aad.TaskConfiguration[1:]); err == nil {
		t.Error("the task configuration does not decode")
	}
	if _, err := NewInputShareSealer(keypairs[0].Config, RoleClient, aad.TaskID, aad.TaskConfiguration); err != ErrNotAggregator {
		t.Errorf("sealing to a client: %v", err)
	}
}

// The race detector watches this one.
func TestInputShareConcurrently(t *testing.T) {
	aad := testInputShareAad(t)
	for _, suite := range []suiteIDs{mandatorySuite, {HpkeKemP256HkdfSha256, HpkeKdfHkdfSha256, HpkeAeadAes128Gcm}, {HpkeKemXWing, HpkeKdfHkdfSha256, HpkeAeadAes128Gcm}} {
		keypair := generate(t, 42, suite)
		private, err := keypair.MarshalPrivate()
		if err != nil {
			t.Fatal(err)
		}
		keypair, err = ParseHpkeKeypair(keypair.Config, private)
		if err != nil {
			t.Fatal(err)
		}
		sealer, err := NewInputShareSealer(keypair.Config, RoleLeader, aad.TaskID, aad.TaskConfiguration)
		if err != nil {
			t.Fatal(err)
		}
		opener, err := NewInputShareOpener([]HpkeKeypair{keypair}, RoleLeader, aad.TaskID, aad.TaskConfiguration)
		if err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		for i := range 4 {
			group.Go(func() {
				for j := range 10 {
					metadata := ReportMetadata{ReportID: ReportID{byte(i), byte(j)}}
					share := PlaintextInputShare{Payload: []byte{byte(i), byte(j)}}
					sealed, err := sealer.Seal(metadata, nil, share)
					if err != nil {
						t.Error(err)
						return
					}
					if got, err := opener.Open(metadata, nil, sealed); err != nil || !samePlaintext(got, share) {
						t.Errorf("opens to another input share: %v", err)
					}
				}
			})
		}
		group.Wait()
	}
}

func TestUnsupportedHpkeConfigs(t *testing.T) {
	good := generate(t, 1, mandatorySuite).Config
	for name, change := range map[string]func(*HpkeConfig){
		"KEM":  func(c *HpkeConfig) { c.KemID = 0x0011 },
		"KDF":  func(c *HpkeConfig) { c.KdfID = 0x0010 },
		"AEAD": func(c *HpkeConfig) { c.AeadID = 0xffff },
	} {
		t.Run(name, func(t *testing.T) {
			config := good
			change(&config)
			if config.Supported() {
				t.Error("Supported")
			}
			if err := config.Validate(); !errors.Is(err, ErrHpkeUnsupported) {
				t.Errorf("Validate: %v", err)
			}
			if _, err := GenerateHpkeKeypair(1, config.KemID, config.KdfID, config.AeadID); !errors.Is(err, ErrHpkeUnsupported) {
				t.Errorf("GenerateHpkeKeypair: %v", err)
			}
			if _, err := ParseHpkeKeypair(config, make([]byte, 32)); !errors.Is(err, ErrHpkeUnsupported) {
				t.Errorf("ParseHpkeKeypair: %v", err)
			}
			if _, err := SealInputShare(config, RoleLeader, testInputShareAad(t), testPlaintext); !errors.Is(err, ErrHpkeUnsupported) {
				t.Errorf("SealInputShare: %v", err)
			}
			if _, err := SealAggregateShare(config, RoleLeader, testAggregateShareAad(t), nil); !errors.Is(err, ErrHpkeUnsupported) {
				t.Errorf("SealAggregateShare: %v", err)
			}
		})
	}
}

func TestParseHpkeKeypairRefuses(t *testing.T) {
	for _, suite := range []suiteIDs{mandatorySuite, {HpkeKemP256HkdfSha256, HpkeKdfHkdfSha256, HpkeAeadAes128Gcm}, {HpkeKemXWing, HpkeKdfHkdfSha256, HpkeAeadAes128Gcm}} {
		keypair, other := generate(t, 1, suite), generate(t, 1, suite)
		private, err := keypair.MarshalPrivate()
		if err != nil {
			t.Fatal(err)
		}
		for name, call := range map[string]func() (HpkeKeypair, error){
			"short":            func() (HpkeKeypair, error) { return ParseHpkeKeypair(keypair.Config, private[1:]) },
			"empty":            func() (HpkeKeypair, error) { return ParseHpkeKeypair(keypair.Config, nil) },
			"long":             func() (HpkeKeypair, error) { return ParseHpkeKeypair(keypair.Config, append(bytes.Clone(private), 0)) },
			"other public key": func() (HpkeKeypair, error) { return ParseHpkeKeypair(other.Config, private) },
		} {
			if _, err := call(); err != ErrHpkePrivateKey {
				t.Errorf("%s, %s: %v; want ErrHpkePrivateKey", suite, name, err)
			}
		}
	}
	if _, err := (HpkeKeypair{}).MarshalPrivate(); err != ErrHpkePrivateKey {
		t.Errorf("a keypair without a key: %v", err)
	}
}

func TestChooseHpkeConfig(t *testing.T) {
	unsupported := HpkeConfig{ID: 1, KemID: 0x7777, KdfID: HpkeKdfHkdfSha256, AeadID: HpkeAeadAes128Gcm, PublicKey: []byte{1}}
	short := generate(t, 2, mandatorySuite).Config
	short.PublicKey = short.PublicKey[1:]
	smallOrder := generate(t, 3, mandatorySuite).Config
	smallOrder.PublicKey = make([]byte, 32) // every shared secret would be zero
	notOnCurve := generate(t, 4, suiteIDs{HpkeKemP256HkdfSha256, HpkeKdfHkdfSha256, HpkeAeadAes128Gcm}).Config
	notOnCurve.PublicKey = bytes.Clone(notOnCurve.PublicKey)
	notOnCurve.PublicKey[64] ^= 1
	good, second := generate(t, 5, allSuites()[8]).Config, generate(t, 6, mandatorySuite).Config

	got, err := HpkeConfigList{[]HpkeConfig{unsupported, short, smallOrder, notOnCurve, good, second}}.Choose()
	if err != nil || got.ID != good.ID {
		t.Errorf("chosen %d, %v; want %d", got.ID, err, good.ID)
	}
	for _, bad := range []HpkeConfig{short, smallOrder, notOnCurve} {
		if err := bad.Validate(); err != ErrHpkePublicKey {
			t.Errorf("configuration %d: %v; want ErrHpkePublicKey", bad.ID, err)
		}
		if _, err := SealInputShare(bad, RoleLeader, testInputShareAad(t), testPlaintext); err != ErrHpkePublicKey {
			t.Errorf("sealing to configuration %d: %v; want ErrHpkePublicKey", bad.ID, err)
		}
	}
	for _, list := range [][]HpkeConfig{nil, {unsupported, short, smallOrder, notOnCurve}} {
		if _, err := (HpkeConfigList{list}).Choose(); err != ErrNoSupportedHpkeConfig {
			t.Errorf("%v: %v; want ErrNoSupportedHpkeConfig", list, err)
		}
	}
}

// Secrets do not show, however they are printed, also within other values.
func TestSecretsRedactThemselves(t *testing.T) {
	keypair := generate(t, 1, mandatorySuite)
	private, err := keypair.MarshalPrivate()
	if err != nil {
		t.Fatal(err)
	}
	init := NewVerifyKeyInit()
	share := PlaintextInputShare{Payload: []byte("a secret input share")}
	aad := testInputShareAad(t)
	opener, err := NewInputShareOpener([]HpkeKeypair{keypair}, RoleLeader, aad.TaskID, aad.TaskConfiguration)
	if err != nil {
		t.Fatal(err)
	}
	type holder struct {
		Keypair HpkeKeypair
		Init    VerifyKeyInit
		keypair HpkeKeypair
		init    VerifyKeyInit
		opener  *InputShareOpener
	}
	within := holder{keypair, init, keypair, init, opener}
	var printed strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d", "%y"} {
		fmt.Fprintf(&printed, strings.Repeat(verb+"\n", 10), keypair, &keypair, opener, *opener, init, &init, share, &share, within, &within)
	}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&printed, nil), slog.NewJSONHandler(&printed, nil)} {
		slog.New(handler).Info("secrets", "keypair", keypair, "init", init, "share", share, "within", within)
	}
	if b, err := json.Marshal(within); err == nil {
		printed.Write(b)
	}
	for name, secret := range map[string][]byte{"private key": private, "verify key init": init.Bytes(), "input share": share.Payload} {
		for _, form := range []string{
			string(secret), fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), base64Of(secret),
			strings.Trim(fmt.Sprint(secret), "[]"), strings.Trim(fmt.Sprintf("%#v", secret), "[]byte{}"),
		} {
			if strings.Contains(printed.String(), form) {
				t.Errorf("the %s shows in:\n%s", name, printed.String())
			}
		}
	}
	if !strings.Contains(printed.String(), "redacted") {
		t.Error("nothing says that something was redacted")
	}
}
