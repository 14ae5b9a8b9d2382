package operator

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"golang.org/x/crypto/cryptobyte"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/base64url"
	"github.com/twofold-dap/twofold/internal/daphttp"
	"github.com/twofold-dap/twofold/internal/secret"
)

// Invitation is what a Helper's operator gives to a Leader's, once: from its secret
// both derive what they share. It is one line of text:
//
//	struct {
//	  uint8 version = 1;
//	  opaque helper_url<1..2^16-1>;
//	  opaque secret[32];
//	  opaque checksum[4];
//	} Invitation;
//
// in URL-safe Base64 after the word "twofold-invitation-". The checksum is the
// beginning of the SHA-256 of what stands before it.
type Invitation struct {
	HelperURL string
	secret    secret.Bytes
}

const (
	invitationPrefix  = "twofold-invitation-"
	invitationVersion = 1
	secretLength      = 32
	checksumLength    = 4

	maxInvitation = 8 << 10 // characters
)

// InvitationError says why a text is not an invitation. It does not hold the
// text.
type InvitationError struct{ Problem string }

func (e *InvitationError) Error() string { return "invitation: " + e.Problem }

// NewInvitation makes an invitation to the Helper with that endpoint.
func NewInvitation(helperURL string) Invitation {
	i := Invitation{HelperURL: helperURL, secret: make([]byte, secretLength)}
	rand.Read(i.secret)
	return i
}

// Encode returns the line, which is secret.
func (i Invitation) Encode() (string, error) {
	var b cryptobyte.Builder
	b.AddUint8(invitationVersion)
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(i.HelperURL)) })
	b.AddBytes(i.secret)
	encoded, err := b.Bytes()
	if err != nil {
		return "", &InvitationError{"the Helper's URL is too long"}
	}
	sum := sha256.Sum256(encoded)
	return invitationPrefix + base64url.Encode(append(encoded, sum[:checksumLength]...)), nil
}

// ParseInvitation reads the line, with or without white space around it. Its error
// is an *InvitationError.
func ParseInvitation(text string) (Invitation, error) {
	text = strings.TrimSpace(text)
	encodedText, ok := strings.CutPrefix(text, invitationPrefix)
	if !ok || len(text) > maxInvitation {
		return Invitation{}, &InvitationError{"it does not look like one; it is the line that begins with " + invitationPrefix}
	}
	encoded, err := base64url.Decode(encodedText)
	if err != nil || len(encoded) < checksumLength {
		return Invitation{}, &InvitationError{"it is damaged; copy the whole line again"}
	}
	body, sum := encoded[:len(encoded)-checksumLength], encoded[len(encoded)-checksumLength:]
	if want := sha256.Sum256(body); string(want[:checksumLength]) != string(sum) {
		return Invitation{}, &InvitationError{"it is damaged: its checksum does not match; copy the whole line again"}
	}
	if len(body) > 0 && body[0] != invitationVersion {
		return Invitation{}, &InvitationError{fmt.Sprintf("it has version %d; this program knows version %d", body[0], invitationVersion)}
	}
	var version uint8
	var helperURL cryptobyte.String
	i := Invitation{secret: make([]byte, secretLength)}
	s := cryptobyte.String(body)
	if !s.ReadUint8(&version) || !s.ReadUint16LengthPrefixed(&helperURL) || !s.CopyBytes(i.secret) || !s.Empty() {
		return Invitation{}, &InvitationError{"it is damaged; copy the whole line again"}
	}
	i.HelperURL = string(helperURL)
	if _, err := daphttp.ParseEndpoint(i.HelperURL, true); err != nil {
		return Invitation{}, &InvitationError{err.Error()}
	}
	return i, nil
}

// verifyKeyInit is Taskprov's pre-shared secret (Taskprov Section 3.4).
func (i Invitation) verifyKeyInit() (dap.VerifyKeyInit, error) {
	derived, err := i.derive("twofold verify_key_init")
	if err != nil {
		return dap.VerifyKeyInit{}, err
	}
	return dap.ParseVerifyKeyInit(derived)
}

// leaderToken is the bearer token that the Leader presents to the Helper.
func (i Invitation) leaderToken() (string, error) {
	derived, err := i.derive("twofold leader token")
	return base64url.Encode(derived), err
}

func (i Invitation) derive(label string) ([]byte, error) {
	return hkdf.Key(sha256.New, i.secret, nil, label, 32)
}

// Format prints the URL without the secret, whatever the verb.
func (i Invitation) Format(f fmt.State, _ rune) { io.WriteString(f, i.redacted()) }

// LogValue logs the URL without the secret.
func (i Invitation) LogValue() slog.Value { return slog.StringValue(i.redacted()) }

func (i Invitation) redacted() string {
	return fmt.Sprintf("Invitation{%s, redacted}", i.HelperURL)
}
