package daphttp_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"github.com/twofold-dap/twofold/internal/daphttp"
	"github.com/twofold-dap/twofold/internal/fuzzing"
)

// An endpoint that is taken makes URLs that are endpoints again, below it.
func FuzzParseEndpoint(f *testing.F) {
	for _, seed := range []string{
		"https://example.com/dap/", "http://127.0.0.1:8080", "http://[::1]:8080/a%20b", "https://u:p@example.com/", "https://example.com/../x",
		"https://example.com/?q", "HTTPS://EXAMPLE.com", "https://example.com:99999/", "//example.com", "http://localhost/#f",
	} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, text string, allowPlain bool) {
		endpoint, err := daphttp.ParseEndpoint(text, allowPlain)
		if err != nil {
			if _, ok := errors.AsType[*daphttp.EndpointError](err); !ok {
				t.Fatalf("%q: an error of type %T", text, err)
			}
			return
		}
		made := endpoint.URL("tasks", "T")
		below, err := daphttp.ParseEndpoint(made, allowPlain)
		if err != nil {
			t.Fatalf("%q makes %q: %v", text, made, err)
		}
		if want := endpoint.Path() + "/tasks/T"; below.Path() != want {
			t.Fatalf("%q makes a URL with the path %q, not %q", text, below.Path(), want)
		}
	})
}

// A pause lies between none and the greatest, whatever the header says.
func FuzzParseRetryAfter(f *testing.F) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, seed := range []string{"", "0", "120", "-1", "99999999999999999999", "Sun, 01 Mar 2026 12:00:30 GMT", "Sunday, 01-Mar-26 12:00:30 GMT", "1.5"} {
		f.Add(seed, int64(time.Hour))
	}
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, value string, greatest int64) {
		limit := time.Duration(max(0, greatest%(1<<61)))
		pause := daphttp.ParseRetryAfter(value, now, limit)
		if pause < 0 || pause > limit {
			t.Fatalf("%q is %v of at most %v", value, pause, limit)
		}
		if again := daphttp.ParseRetryAfter(daphttp.FormatRetryAfter(pause), now, 1<<62); again < pause || again > pause+time.Second && pause > 0 {
			t.Fatalf("%v comes back as %v", pause, again)
		}
	})
}

// A body that is read is the body, within the limit, and memory grows with what
// arrives, whatever length is declared.
func FuzzReadBody(f *testing.F) {
	f.Add([]byte("body"), int64(4), int64(10), false)
	f.Add([]byte("body"), int64(-1), int64(3), true)
	f.Add([]byte("body"), int64(1<<40), int64(1<<41), false)
	f.Add([]byte(""), int64(0), int64(0), true)
	fuzzing.Run(f, fuzzing.Limit{Fixed: 640 << 10}, func(t testing.TB, sent []byte, declared, limit int64, slow bool) {
		limit = max(0, limit%(1<<50))
		reader := bytes.NewReader(sent)
		var reserved int64
		reserve := func(grow int64) error { reserved += grow; return nil }
		var body []byte
		var err error
		if slow {
			body, err = daphttp.ReadBody(iotest.OneByteReader(reader), declared, limit, reserve)
		} else {
			body, err = daphttp.ReadBody(reader, declared, limit, reserve)
		}
		tooLong := int64(len(sent)) > limit || declared > limit || declared >= 0 && int64(len(sent)) > declared
		if err != nil {
			if e, ok := errors.AsType[*daphttp.BodyTooLargeError](err); !ok || e.Limit != limit || !tooLong {
				t.Fatalf("%d bytes, %d declared, %d allowed: %v", len(sent), declared, limit, err)
			}
			return
		}
		if tooLong || !bytes.Equal(body, sent) || reserved < int64(cap(body)) {
			t.Fatalf("%d bytes, %d declared, %d allowed: %d arrive in %d of %d reserved", len(sent), declared, limit, len(body), cap(body), reserved)
		}
	})
}

// What is shown of a stranger's text is one short line.
func FuzzCleanText(f *testing.F) {
	for _, seed := range []string{"text", "two\nlines", "\x1b[31mred", "\u202eback", "\xff\xfe", strings.Repeat("ä", 400)} {
		f.Add(seed)
	}
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, text string) {
		cleaned := daphttp.CleanText(text)
		if !utf8.ValidString(cleaned) || len(cleaned) > 520 || strings.ContainsAny(cleaned, "\n\r\x00\x1b\u202e\u2028") {
			t.Fatalf("%q is cleaned to %q", text, cleaned)
		}
	})
}
