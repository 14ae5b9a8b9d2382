package api

import (
	"net/http"
	"time"
)

// recorder passes an answer on and remembers its status and length.
type recorder struct {
	http.ResponseWriter
	status int // 0 until the header is written
	bytes  int64
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController find the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// setReadDeadline sets until when the request's body may be read. A writer
// without a connection, as in tests, has no deadlines.
func (r *recorder) setReadDeadline(t time.Time) {
	_ = http.NewResponseController(r.ResponseWriter).SetReadDeadline(t)
}

// setWriteDeadline sets until when the answer may be written.
func (r *recorder) setWriteDeadline(t time.Time) {
	_ = http.NewResponseController(r.ResponseWriter).SetWriteDeadline(t)
}
