package api

import (
	"fmt"
	"io"
	"log/slog"
)

// OperatorSecret is a secret that the operator's interface carries on purpose:
// a token, a key, an invitation. Its JSON is its value. Every other way to print it shows a
// placeholder; convert it to string to use it.
type OperatorSecret string

const redacted = "[secret]"

// String implements fmt.Stringer without the value.
func (OperatorSecret) String() string { return redacted }

// GoString implements fmt.GoStringer without the value.
func (OperatorSecret) GoString() string { return redacted }

// Format implements fmt.Formatter, so that no verb prints the value.
func (OperatorSecret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue implements slog.LogValuer without the value.
func (OperatorSecret) LogValue() slog.Value { return slog.StringValue(redacted) }
