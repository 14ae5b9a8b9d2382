package base64url

import (
	"bytes"
	"errors"
	"testing"

	"github.com/twofold-dap/twofold/internal/fuzzing"
)

func TestDecodeRefuses(t *testing.T) {
	for _, text := range []string{
		"A", "A=", "AA==", "AB", "AAB", // a length that none has, padding, trailing bits
		"+A", "/w", "A A", " AA", "AA ", "é",
		"\nAA", "A\nA", "AA\n", "AA\r\n", "A\rA", "\n", "\r",
	} {
		if got, err := Decode(text); !errors.Is(err, ErrMalformed) || got != nil {
			t.Errorf("%q: %x, %v", text, got, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"", "AA", "AAA", "AAAA", "-_8", "AA\n", "A\r\nA", "AB"} {
		f.Add(seed)
	}
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, text string) {
		data, err := Decode(text)
		if err == nil && Encode(data) != text {
			t.Fatalf("%q decodes to %x, which is encoded as %q", text, data, Encode(data))
		}
		again, err := Decode(Encode([]byte(text)))
		if err != nil || !bytes.Equal(again, []byte(text)) {
			t.Fatalf("%q comes back as %q, %v", text, again, err)
		}
	})
}
