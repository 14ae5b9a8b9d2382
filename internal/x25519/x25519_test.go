package x25519

import (
	"bytes"
	"crypto/ecdh"
	crand "crypto/rand"
	"encoding/hex"
	"flag"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/cloudflare/circl/dh/x25519"
	"pgregory.net/rapid"
)

var million = flag.Bool("million", false, "iterate a million times and not a thousand, as RFC 7748 Section 5.2 does")

// ways are all ways to compute shared secrets, also those that this machine
// would not choose: without their instructions the lanes go through the models.
var ways = []struct {
	name    string
	lanes   int
	compute func(scalars, publics, secrets [][Size]byte)
}{
	{"one", 1, one}, {"four lanes", 4, sharedSecrets4}, {"eight lanes", 8, sharedSecrets8},
}

func fromHex(t testing.TB, s string) (b [Size]byte) {
	t.Helper()
	decoded, err := hex.DecodeString(s)
	if err != nil || len(decoded) != Size {
		t.Fatalf("%q is not the hex of %d bytes: %v", s, Size, err)
	}
	return [Size]byte(decoded)
}

// alone returns the scalar that all lanes share.
func alone(private [Size]byte) [][Size]byte { return [][Size]byte{private} }

func random(t testing.TB) (b [Size]byte) {
	t.Helper()
	if _, err := crand.Read(b[:]); err != nil {
		t.Fatal(err)
	}
	return b
}

// circl computes one shared secret with circl.
func circl(private, public [Size]byte) (secret [Size]byte, ok bool) {
	ok = x25519.Shared((*x25519.Key)(&secret), (*x25519.Key)(&private), (*x25519.Key)(&public))
	return secret, ok
}

// standard computes one shared secret with Go's crypto/ecdh.
func standard(t testing.TB, private, public [Size]byte) (secret [Size]byte, ok bool) {
	t.Helper()
	privateKey, err := ecdh.X25519().NewPrivateKey(private[:])
	if err != nil {
		t.Fatal(err)
	}
	publicKey, err := ecdh.X25519().NewPublicKey(public[:])
	if err != nil {
		t.Fatal(err)
	}
	shared, err := privateKey.ECDH(publicKey)
	if err != nil {
		return secret, false
	}
	return [Size]byte(shared), true
}

// RFC 7748 Sections 5.2 and 6.1, in every lane.
func TestVectors(t *testing.T) {
	const base = "0900000000000000000000000000000000000000000000000000000000000000"
	const (
		alice, alicePublic = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a", "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
		bob, bobPublic     = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb", "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
		shared             = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
	)
	for _, vector := range [][3]string{
		{
			"a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
			"e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
			"c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
		}, {
			"4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
			"e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
			"95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
		},
		{alice, base, alicePublic}, {bob, base, bobPublic}, {alice, bobPublic, shared}, {bob, alicePublic, shared},
	} {
		scalar, u, want := fromHex(t, vector[0]), fromHex(t, vector[1]), fromHex(t, vector[2])
		for _, way := range ways {
			publics, secrets := make([][Size]byte, way.lanes), make([][Size]byte, way.lanes)
			for lane := range publics {
				publics[lane] = u
			}
			way.compute(alone(scalar), publics, secrets)
			for lane := range secrets {
				if secrets[lane] != want {
					t.Errorf("%s, lane %d: %x; want %x", way.name, lane, secrets[lane], want)
				}
			}
		}
	}
}

// The iterations of RFC 7748 Section 5.2, in every lane. The models, which are slow, do
// a hundred of them, and are compared with circl on the way.
func TestIterations(t *testing.T) {
	want := map[int]string{
		1:       "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079",
		1000:    "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51",
		1000000: "7c3911e0ab2586fd864497297e575e6f3bc601c0883c30df5f4dd2d24f665424",
	}
	iterations := 1000
	if *million {
		iterations = 1000000
	}
	for _, way := range ways {
		iterations := iterations
		if way.lanes == 4 && !hasAVX2 || way.lanes == 8 && !hasIFMA {
			iterations = 100
		}
		t.Run(way.name, func(t *testing.T) {
			k := [Size]byte{9}
			publics, secrets := make([][Size]byte, way.lanes), make([][Size]byte, way.lanes)
			for lane := range publics {
				publics[lane] = k
			}
			for i := 1; i <= iterations; i++ {
				way.compute(alone(k), publics, secrets)
				for lane := range secrets {
					if secrets[lane] != secrets[0] {
						t.Fatalf("iteration %d: lane %d has %x, lane 0 %x", i, lane, secrets[lane], secrets[0])
					}
				}
				if expected, _ := circl(k, publics[0]); i <= 1000 && secrets[0] != expected {
					t.Fatalf("iteration %d: %x; circl has %x", i, secrets[0], expected)
				}
				for lane := range publics {
					publics[lane] = k
				}
				k = secrets[0]
				if s, ok := want[i]; ok && k != fromHex(t, s) {
					t.Errorf("after %d iterations: %x; want %s", i, k, s)
				}
			}
		})
	}
}

// awkwardPublics are the points of small order, in all their encodings, and the
// edges of what a public key can be (RFC 7748 Section 5: what is not reduced and
// the most significant bit are accepted).
func awkwardPublics(t testing.TB) (publics [][Size]byte) {
	little := func(s string) [Size]byte { return fromHex(t, s) }
	publics = [][Size]byte{
		{}, {1}, {2}, {9}, // 0 and 1 have small orders
		little("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"), // of order 8
		little("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"), // of order 8
	}
	for last := 0xe0; last <= 0xff; last++ { // around p = 2^255 - 19, up to 2^255 - 1
		edge := little("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")
		edge[0] = byte(last)
		publics = append(publics, edge)
	}
	for i := range publics[:len(publics):len(publics)] {
		flagged := publics[i]
		flagged[31] |= 0x80
		publics = append(publics, flagged)
	}
	return publics
}

// Every way agrees with circl and with crypto/ecdh, about secrets and about
// which are refused, whatever the lane.
func TestAwkwardPublics(t *testing.T) {
	publics := awkwardPublics(t)
	for _, private := range [][Size]byte{{}, {255}, random(t), fromHex(t, "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff")} {
		for _, way := range ways {
			for at := 0; at < len(publics); at += way.lanes {
				group := publics[at:min(at+way.lanes, len(publics))]
				secrets := make([][Size]byte, len(group))
				way.compute(alone(private), group, secrets)
				for lane, got := range secrets {
					check(t, way.name, private, group[lane], got, !allZero(&got))
				}
			}
		}
	}
	zeros := 0
	for _, public := range publics {
		if _, ok := circl([Size]byte{1}, public); !ok {
			zeros++
		}
	}
	// 0, 1, p-1, p, p+1 and two of order eight, with either most significant bit.
	if zeros != 14 {
		t.Errorf("%d of the public keys have a small order; want 14", zeros)
	}
}

func check(t testing.TB, name string, private, public, got [Size]byte, ok bool) {
	t.Helper()
	if want, wantOK := circl(private, public); got != want || ok != wantOK {
		t.Errorf("%s, public key %x: %v; circl: %v, and another secret: %v", name, public, ok, wantOK, got != want)
	}
	if want, wantOK := standard(t, private, public); ok != wantOK || ok && got != want {
		t.Errorf("%s, public key %x: %v; crypto/ecdh: %v, and another secret: %v", name, public, ok, wantOK, got != want)
	}
}

// Batches of all small sizes, so that every way and every remainder is taken,
// with points of small order in between.
func TestSharedSecrets(t *testing.T) {
	awkward := awkwardPublics(t)
	for n := range 21 {
		private := random(t)
		publics, secrets, ok := make([][Size]byte, n), make([][Size]byte, n), make([]bool, n)
		for i := range publics {
			publics[i] = random(t)
			if (i+n)%5 == 0 {
				publics[i] = awkward[(i*7+n)%len(awkward)]
			}
			secrets[i], ok[i] = random(t), i%2 == 0 // all of it is overwritten
		}
		before, private2 := append([][Size]byte(nil), publics...), private
		SharedSecrets(&private, publics, secrets, ok)
		for i := range publics {
			if publics[i] != before[i] || private != private2 {
				t.Fatal("an input has changed")
			}
			check(t, fmt.Sprintf("%d of %d", i, n), private, publics[i], secrets[i], ok[i])
		}
	}
}

// pairs returns n pairs: the base point, points of small order and others.
func pairs(t testing.TB, n int) (privates, publics [][Size]byte) {
	awkward := awkwardPublics(t)
	privates, publics = make([][Size]byte, n), make([][Size]byte, n)
	for i := range publics {
		privates[i], publics[i] = random(t), random(t)
		switch (i + n) % 4 {
		case 0:
			publics[i] = BasePoint
		case 1:
			publics[i] = awkward[(i*7+n)%len(awkward)]
		}
	}
	return privates, publics
}

// Every public key with its own private key, in batches that take every remainder.
func TestPairs(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 4, 6, 9, 19, 64, 71} { // those of 64 share an inversion
		privates, publics := pairs(t, n)
		secrets, ok := make([][Size]byte, n), make([]bool, n)
		for i := range secrets {
			secrets[i], ok[i] = random(t), i%2 == 0 // all of it is overwritten
		}
		before := [2][][Size]byte{slices.Clone(privates), slices.Clone(publics)}
		Pairs(privates, publics, secrets, ok)
		if !slices.Equal(privates, before[0]) || !slices.Equal(publics, before[1]) {
			t.Fatal("an input has changed")
		}
		for i := range publics {
			check(t, fmt.Sprintf("%d of %d", i, n), privates[i], publics[i], secrets[i], ok[i])
		}
	}
}

// Every way, a group of lanes in each call, and, where there are lanes, all groups in one.
func TestPairsInEveryWay(t *testing.T) {
	const n = 77 // neither four nor eight lanes are full at the end, and not all groups share an inversion
	privates, publics := pairs(t, n)
	for _, way := range ways {
		secrets := make([][Size]byte, n)
		for at := 0; at < n; at += way.lanes {
			end := min(at+way.lanes, n)
			way.compute(privates[at:end], publics[at:end], secrets[at:end])
		}
		if way.lanes > 1 {
			together := make([][Size]byte, n)
			way.compute(privates, publics, together)
			if !slices.Equal(together, secrets) {
				t.Errorf("%s: all in one call give other secrets", way.name)
			}
		}
		for i := range publics {
			check(t, fmt.Sprintf("%s, %d of %d", way.name, i, n), privates[i], publics[i], secrets[i], !allZero(&secrets[i]))
		}
	}
}

// The scalars' bits are those of the clamped scalar, whatever the key's own are.
func TestScalarBits(t *testing.T) {
	ones, key := [Size]byte(bytes.Repeat([]byte{255}, Size)), random(t)
	for i := range 255 {
		want := uint64(key[i/8]>>(i%8)) & 1
		clamped := func(own uint64) uint64 {
			switch {
			case i < 3:
				return 0
			case i == 254:
				return 1
			}
			return own
		}
		if got := scalarBits([][Size]byte{key}, i); got != 255*clamped(want) {
			t.Errorf("bit %d of a scalar alone: %08b", i, got)
		}
		got := scalarBits([][Size]byte{{}, ones, key}, i) & 7
		if got != clamped(0)|clamped(1)<<1|clamped(want)<<2 {
			t.Errorf("bit %d of three scalars: %03b", i, got)
		}
	}
}

func TestSharedSecretsRandom(t *testing.T) {
	key := rapid.Custom(func(t *rapid.T) [Size]byte {
		return [Size]byte(rapid.SliceOfN(rapid.Byte(), Size, Size).Draw(t, "key"))
	})
	rapid.Check(t, func(r *rapid.T) {
		private := key.Draw(r, "private")
		publics := rapid.SliceOfN(key, 1, 9).Draw(r, "publics")
		for _, way := range ways {
			for at := 0; at < len(publics); at += way.lanes {
				group := publics[at:min(at+way.lanes, len(publics))]
				secrets := make([][Size]byte, len(group))
				way.compute(alone(private), group, secrets)
				for lane, got := range secrets {
					check(t, way.name, private, group[lane], got, !allZero(&got))
				}
			}
		}
	})
}

func TestSharedSecretsConcurrently(t *testing.T) {
	private, publics := random(t), make([][Size]byte, 11)
	for i := range publics {
		publics[i] = random(t)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			secrets, ok := make([][Size]byte, len(publics)), make([]bool, len(publics))
			for range 5 {
				SharedSecrets(&private, publics, secrets, ok)
				for i := range publics {
					check(t, "concurrently", private, publics[i], secrets[i], ok[i])
				}
			}
		})
	}
	group.Wait()
}

func TestPairsLengths(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("one private key for two public keys: no panic")
		}
	}()
	Pairs(make([][Size]byte, 1), make([][Size]byte, 2), make([][Size]byte, 2), make([]bool, 2))
}

func TestSharedSecretsLengths(t *testing.T) {
	for _, lengths := range [][3]int{{2, 1, 2}, {2, 2, 1}, {1, 2, 1}, {0, 0, 1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v: no panic", lengths)
				}
			}()
			SharedSecrets(new([Size]byte), make([][Size]byte, lengths[0]), make([][Size]byte, lengths[1]), make([]bool, lengths[2]))
		}()
	}
}
