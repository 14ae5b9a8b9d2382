package dap

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/dunglas/httpsfv"
)

// TaskprovHeader is the name of the HTTP header field that advertises a task
// (Taskprov Section 3.2).
const TaskprovHeader = "DAP-Taskprov"

// TaskprovTaskID returns the ID of the task with that encoded
// TaskConfiguration: `SHA-256(SHA-256("dap-taskprov task id") || task_config)`
// (Taskprov Section 3.3).
func TaskprovTaskID(encodedConfiguration []byte) TaskID {
	prefix := sha256.Sum256([]byte("dap-taskprov task id"))
	hash := sha256.New()
	hash.Write(prefix[:])
	hash.Write(encodedConfiguration)
	return TaskID(hash.Sum(nil))
}

// VerifyKeyInit is the secret of 32 bytes that a Leader and a Helper exchanged
// out of band, from which the VDAF verification keys of their tasks are derived
// (Taskprov Section 3.4). It redacts itself when printed. The zero value holds
// no secret.
type VerifyKeyInit struct {
	secret secret[[32]byte]
}

// ErrInvalidVerifyKeyInit is the error of a pre-shared secret that is missing
// or has a length other than 32 bytes.
var ErrInvalidVerifyKeyInit = errors.New("dap: the pre-shared secret of the Aggregators must have 32 bytes")

// NewVerifyKeyInit returns a random secret.
func NewVerifyKeyInit() VerifyKeyInit {
	var b [32]byte
	rand.Read(b[:])
	return VerifyKeyInit{hide(b)}
}

// ParseVerifyKeyInit returns the secret with these 32 bytes, which it copies.
// Its error is ErrInvalidVerifyKeyInit.
func ParseVerifyKeyInit(b []byte) (VerifyKeyInit, error) {
	if len(b) != 32 {
		return VerifyKeyInit{}, ErrInvalidVerifyKeyInit
	}
	return VerifyKeyInit{hide([32]byte(b))}, nil
}

// Bytes returns a copy of the 32 secret bytes, nil for the zero value.
func (k VerifyKeyInit) Bytes() []byte {
	if k.secret == nil {
		return nil
	}
	b := k.secret()
	return b[:]
}

// Format prints a placeholder in place of the secret, whatever the verb.
func (k VerifyKeyInit) Format(f fmt.State, _ rune) { io.WriteString(f, "VerifyKeyInit{redacted}") }

// LogValue logs a placeholder in place of the secret.
func (k VerifyKeyInit) LogValue() slog.Value { return slog.StringValue("VerifyKeyInit{redacted}") }

// TaskprovVerifyKey derives the VDAF verification key of a task, of size bytes
// (the VDAF's VERIFY_KEY_SIZE), from the Aggregators' pre-shared secret
// (Taskprov Section 3.4):
//
//	HKDF-Expand(HKDF-Extract(SHA-256("dap-taskprov"), verify_key_init), task_id, VERIFY_KEY_SIZE)
//
// It is an error if the secret is the zero value or HKDF cannot give as many
// bytes. The result is secret.
func TaskprovVerifyKey(verifyKeyInit VerifyKeyInit, id TaskID, size int) ([]byte, error) {
	if verifyKeyInit.secret == nil {
		return nil, ErrInvalidVerifyKeyInit
	}
	if size < 0 || size > 255*sha256.Size {
		return nil, fmt.Errorf("dap: a verification key of %d bytes: HKDF gives 0 to %d", size, 255*sha256.Size)
	}
	salt := sha256.Sum256([]byte("dap-taskprov"))
	return hkdf.Key(sha256.New, verifyKeyInit.Bytes(), salt[:], string(id[:]), size)
}

// TaskAdvertisement is a task configuration as the DAP-Taskprov header brings
// it (Taskprov Section 3.2).
type TaskAdvertisement struct {
	TaskID        TaskID // derived from Encoded
	Configuration TaskConfiguration
	Encoded       []byte // the encoded TaskConfiguration, exactly as it came
}

// ErrNoTaskAdvertisement says that a request has no DAP-Taskprov header whose
// value counts. The request is then handled as if it had no such header.
var ErrNoTaskAdvertisement = errors.New("dap: no task is advertised")

// IgnoredTaskAdvertisementError says why a DAP-Taskprov header that is there
// must be ignored. It wraps ErrNoTaskAdvertisement.
type IgnoredTaskAdvertisementError struct{ Problem string }

func (e *IgnoredTaskAdvertisementError) Error() string {
	return "dap: the " + TaskprovHeader + " header is ignored: " + e.Problem
}

// Unwrap returns ErrNoTaskAdvertisement.
func (e *IgnoredTaskAdvertisementError) Unwrap() error { return ErrNoTaskAdvertisement }

// FormatTaskprovHeader returns the value of the DAP-Taskprov header that
// advertises the task with that encoded TaskConfiguration. It is an
// *EncodeError if the bytes are not one.
func FormatTaskprovHeader(encodedConfiguration []byte) (string, error) {
	if err := checkEncodedTaskConfiguration(TaskprovHeader, encodedConfiguration); err != nil {
		return "", err
	}
	return httpsfv.Marshal(httpsfv.NewItem(encodedConfiguration))
}

// ParseTaskprovHeader parses the values of a request's DAP-Taskprov header
// fields, one element for each field line (Taskprov Section 3.2). Parameters
// of the item are ignored.
//
// Its error is ErrNoTaskAdvertisement if there is no such field, and an
// *IgnoredTaskAdvertisementError, which wraps it, if the value is no Byte
// Sequence or not a valid TaskConfiguration, so that the standard has it
// ignored. That the task can be taken part in (TaskConfiguration.Validate) is
// not checked: who opts out answers with invalidTask.
func ParseTaskprovHeader(values []string) (TaskAdvertisement, error) {
	if len(values) == 0 {
		return TaskAdvertisement{}, ErrNoTaskAdvertisement
	}
	item, err := httpsfv.UnmarshalItem(values)
	if err != nil {
		return TaskAdvertisement{}, &IgnoredTaskAdvertisementError{"not a structured field item"}
	}
	encoded, ok := item.Value.([]byte)
	if !ok {
		return TaskAdvertisement{}, &IgnoredTaskAdvertisementError{"not a Byte Sequence"}
	}
	configuration, err := DecodeTaskConfiguration(encoded)
	if err != nil {
		return TaskAdvertisement{}, &IgnoredTaskAdvertisementError{err.Error()}
	}
	return TaskAdvertisement{TaskID: TaskprovTaskID(encoded), Configuration: configuration, Encoded: encoded}, nil
}
