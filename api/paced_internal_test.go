package api

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/iotest"
	"time"
)

// deadlines is an answer's writer that notes until when the body may be read.
type deadlines struct {
	*httptest.ResponseRecorder
	last time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.last = t
	return nil
}

// The more of a body has arrived, the longer it may take.
func TestPacedBody(t *testing.T) {
	started := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	writer := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	f := newFrontend(Options{Limits: Limits{BodyTimeout: 10 * time.Second, BodyBytesPerSecond: 64 << 10}})
	x := &exchange{frontend: f, started: started, writer: &recorder{ResponseWriter: writer}}
	x.allowBody(0)
	if want := started.Add(10 * time.Second); !writer.last.Equal(want) {
		t.Errorf("at first until %v, want %v", writer.last, want)
	}
	const size = 1 << 20
	body := &pacedBody{exchange: x, body: http.MaxBytesReader(writer, io.NopCloser(iotest.HalfReader(bytes.NewReader(make([]byte, size)))), size)}
	if n, err := io.Copy(io.Discard, body); n != size || err != nil {
		t.Fatalf("%d bytes, %v", n, err)
	}
	least, most := started.Add(10*time.Second+15*time.Second), started.Add(10*time.Second+16*time.Second)
	if writer.last.Before(least) || writer.last.After(most) {
		t.Errorf("after 16 times the bytes of a second until %v, want %v at most", writer.last, most)
	}
}

// When a body has ended, no more time is set for it, even if the last part of it would have been worth some:
// what remains of the request is the engine's time.
func TestPacedBodyEnds(t *testing.T) {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF} {
		writer := &deadlines{ResponseRecorder: httptest.NewRecorder()}
		f := newFrontend(Options{Limits: Limits{BodyTimeout: time.Second}})
		x := &exchange{frontend: f, started: time.Now(), writer: &recorder{ResponseWriter: writer}}
		content := make([]byte, paceStep)
		body := &pacedBody{exchange: x, body: iotest.DataErrReader(io.MultiReader(bytes.NewReader(content), iotest.ErrReader(end)))}
		total, buffer := 0, make([]byte, 1024)
		var err error
		for err == nil { // the last bytes come with the end
			var n int
			n, err = body.Read(buffer)
			total += n
		}
		if total != len(content) || !errors.Is(err, end) {
			t.Fatalf("%d bytes, %v", total, err)
		}
		if !writer.last.IsZero() {
			t.Errorf("after the end, %v: a limit is set, %v", end, writer.last)
		}
	}
}
