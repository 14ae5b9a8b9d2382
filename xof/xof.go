// Package xof implements XofTurboShake128 (VDAF Section 6.2.1): seeds in, bytes
// and field elements out, one stream or four side by side.
//
// A stream is made from a seed and a domain separation tag (FormatDST and the
// application context), absorbs the binder string in as many pieces as the
// caller likes, and is then read. Two readings of one stream, whatever their sizes,
// give consecutive parts of the same output.
//
// # Secrets
//
// Seeds, binders and outputs are secret. Which bytes they are steers no branch
// and no memory index, except that rejection sampling reveals which
// candidates were out of the field's range, as it does by construction in the
// standard. Lengths are public. Streams and seeds redact themselves when
// printed.
package xof

import (
	"encoding/binary"
	"fmt"
	"log/slog"

	"github.com/twofold-dap/twofold/field"
)

const (
	// Version is VERSION, the wire version of the VDAF standard (VDAF Section 2).
	Version = 18
	// SeedSize is SEED_SIZE, the usual length of a seed in bytes (VDAF Section
	// 6.2.1).
	SeedSize = 32
	// MaxSeedSize is the largest length of a seed in bytes.
	MaxSeedSize = 255
	// MaxDSTSize is the largest length of a domain separation tag in bytes.
	MaxDSTSize = 65535
	// DSTPrefixSize is the length in bytes of what FormatDST returns.
	DSTPrefixSize = 8
)

// Seed is a seed of the usual length. It is secret, and prints as a
// placeholder.
type Seed [SeedSize]byte

const redacted = "[redacted]"

// String returns a placeholder.
func (Seed) String() string { return redacted }

// GoString returns a placeholder.
func (Seed) GoString() string { return redacted }

// Format prints a placeholder for every verb.
func (Seed) Format(f fmt.State, _ rune) { redact(f) }

// LogValue logs a placeholder.
func (Seed) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText encodes a placeholder, so that no encoder of text or JSON shows the
// seed.
func (Seed) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// redact prints a placeholder. What an error in writing to a fmt.State means is for fmt
// to say.
func redact(f fmt.State) { _, _ = f.Write([]byte(redacted)) }

// FormatDST returns the start of a domain separation tag (format_dst, VDAF Section 6.2.3):
// the version, the class of the algorithm that uses the output, its identifier, and
// the usage. Callers append the application context.
func FormatDST(class uint8, algorithm uint32, usage uint16) [DSTPrefixSize]byte {
	var dst [DSTPrefixSize]byte
	dst[0] = Version
	dst[1] = class
	binary.BigEndian.PutUint32(dst[2:], algorithm)
	binary.BigEndian.PutUint16(dst[6:], usage)
	return dst
}

// SizeError is the error of starting a stream with a seed or a domain
// separation tag of a length that XofTurboShake128 does not take.
type SizeError struct {
	What string // "seed" or "domain separation tag"
	Got  int    // bytes
	Want string // what was allowed
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("xof: the %s has %d bytes; it must have %s", e.What, e.Got, e.Want)
}

// checkSizes checks the pre-conditions of VDAF Section 6.2.1.
func checkSizes(seed, dst int) error {
	if seed > MaxSeedSize {
		return &SizeError{What: "seed", Got: seed, Want: fmt.Sprintf("at most %d", MaxSeedSize)}
	}
	if dst > MaxDSTSize {
		return &SizeError{What: "domain separation tag", Got: dst, Want: fmt.Sprintf("at most %d", MaxDSTSize)}
	}
	return nil
}

// DeriveSeed derives a new seed from a seed, a domain separation tag and a binder
// string, which may be given in pieces (derive_seed, VDAF Section 6.2).
func DeriveSeed(seed, dst []byte, binder ...[]byte) (Seed, error) {
	var out Seed
	var s Stream
	if err := s.start(seed, dst, binder); err != nil {
		return Seed{}, err
	}
	s.Read(out[:])
	return out, nil
}

// ExpandIntoVec fills out with the field elements that a seed, a domain separation tag
// and a binder string, which may be given in pieces, expand into
// (expand_into_vec, VDAF Section 6.2).
func ExpandIntoVec[E field.Elem](f field.Field[E], out []E, seed, dst []byte, binder ...[]byte) error {
	var s Stream
	if err := s.start(seed, dst, binder); err != nil {
		return err
	}
	NextVec(&s, f, out)
	return nil
}
