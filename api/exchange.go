package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/daphttp"
)

// exchange is one request and its answer, on their way through the handlers. It
// belongs to the goroutine that serves the request.
type exchange struct {
	frontend *frontend
	request  *http.Request
	// writer is the connection's side of the answer, out what the answer is
	// written to: gin's writer before writer, once the request is routed.
	writer *recorder
	out    http.ResponseWriter
	// param returns a variable of the route's path.
	param func(name string) string
	// route is the template of the route's path, for logs and metrics.
	route   string
	started time.Time

	// task is set once the task ID in the path is parsed.
	task  *dap.TaskID
	class *class
	pass  pass

	bodyRead bool // whole
	bytesIn  int64
	cause    error // what an error answer was made from
}

// response is a successful answer. One without a body has no media type.
type response struct {
	mediaType    dap.MediaType
	body         []byte
	location     string
	retryAfter   string
	cacheControl string
}

// taskID parses the task ID in the path.
func (x *exchange) taskID() (dap.TaskID, error) {
	id, err := dap.ParseTaskID(x.param("task"))
	if err != nil {
		return id, &dap.Error{Type: dap.ErrorTypeInvalidMessage, Detail: "the URL's task ID: " + problemOf(err)}
	}
	x.task = &id
	return id, nil
}

// problemOf returns what is wrong with an identifier.
func problemOf(err error) string {
	if e, ok := errors.AsType[*dap.IdentifierError](err); ok {
		return e.Problem
	}
	return "malformed"
}

// advertised calls optIn with the task that the request advertises, if it
// advertises one (Taskprov Section 3.2: what is no valid advertisement is ignored).
func (x *exchange) advertised(optIn func(encodedConfig []byte) error) error {
	advertisement, err := dap.ParseTaskprovHeader(x.request.Header.Values(dap.TaskprovHeader))
	if errors.Is(err, dap.ErrNoTaskAdvertisement) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the %s header: %w", dap.TaskprovHeader, err)
	}
	return optIn(advertisement.Encoded)
}

// enter takes a place among the requests of the exchange's class that are worked
// on, until the request is done. The task is known.
func (x *exchange) enter() error { return x.pass.enter(x.class, *x.task) }

// body reads the request's body, which must have the media type, and enters the
// exchange's class. The task is known.
func (x *exchange) body(want dap.MediaType) ([]byte, error) {
	contentType := x.request.Header.Values("Content-Type")
	if len(contentType) != 1 {
		return nil, &dap.MediaTypeError{Want: want}
	}
	if err := want.Check(contentType[0]); err != nil {
		return nil, err
	}
	if encoding := x.request.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return nil, errEncodedBody
	}
	r := x.request
	if r.ContentLength <= x.class.maxBody {
		if err := x.class.declare(*x.task, r.ContentLength); err != nil {
			return nil, err
		}
	}
	paced := &pacedBody{exchange: x, body: http.MaxBytesReader(x.out, r.Body, x.class.maxBody)}
	body, err := daphttp.ReadBody(paced, r.ContentLength, x.class.maxBody, func(grow int64) error {
		return x.pass.reserve(x.class, *x.task, grow)
	})
	x.bytesIn = int64(len(body))
	if err != nil {
		return nil, bodyError(err)
	}
	x.bodyRead = true
	return body, x.enter()
}

// pacedBody lets a body take the longer the more of it has arrived, so that a
// long one is not cut off, and one that stalls is.
type pacedBody struct {
	exchange *exchange
	body     io.Reader
	received int64
	granted  int64 // how much had arrived when time was last added
}

// paceStep is how many bytes arrive before time is added.
const paceStep = 64 << 10

// Read implements io.Reader.
func (p *pacedBody) Read(b []byte) (int, error) {
	n, err := p.body.Read(b)
	p.received += int64(n)
	// At the end net/http has taken the limit away, and watches the connection while the engine works: a limit that is set
	// then would give the request up, however fast its body was.
	if err == nil && p.received-p.granted >= paceStep {
		p.granted = p.received
		p.exchange.allowBody(p.received)
	}
	return n, err
}

// allowBody sets until when the body may arrive, of which so much is there.
func (x *exchange) allowBody(received int64) {
	l := &x.frontend.options.Limits
	seconds := time.Duration(received / l.BodyBytesPerSecond)
	x.writer.setReadDeadline(x.started.Add(l.BodyTimeout + seconds*time.Second))
}

// finish writes the answer.
func (x *exchange) finish(r response, err error) {
	header := x.out.Header()
	if err == nil && len(r.body) > 0 && r.mediaType == "" {
		err = errors.New("an answer with a body and no media type")
	}
	if err != nil {
		x.fail(err)
		return
	}
	setHeader(header, "Location", r.location)
	setHeader(header, "Retry-After", r.retryAfter)
	if r.cacheControl == "" {
		r.cacheControl = "no-store"
	}
	header.Set("Cache-Control", r.cacheControl)
	setHeader(header, "Content-Type", string(r.mediaType))
	x.write(http.StatusOK, r.body)
}

func setHeader(h http.Header, name, value string) {
	if value != "" {
		h.Set(name, value)
	}
}

// fail answers with the error's problem document.
func (x *exchange) fail(err error) {
	x.cause = err
	if x.writer.status != 0 {
		return // the answer has begun: the connection's end is all that can be told
	}
	a := answerTo(err)
	if a.problem.TaskID == "" && x.task != nil {
		a.problem.TaskID = x.task.String()
	}
	header := x.out.Header()
	header.Del("Location")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Type", daphttp.ProblemMediaType)
	if a.retryAfter {
		header.Set("Retry-After", daphttp.FormatRetryAfter(x.frontend.options.Limits.RetryAfter))
	}
	switch a.problem.Status {
	case http.StatusUnauthorized:
		header.Set("WWW-Authenticate", `Bearer realm="dap"`)
	case http.StatusUnsupportedMediaType:
		if e, ok := errors.AsType[*dap.MediaTypeError](err); ok {
			header.Set("Accept-Post", string(e.Want))
		}
	case http.StatusRequestTimeout, http.StatusRequestEntityTooLarge:
		header.Set("Connection", "close")
	}
	if !x.bodyRead {
		x.writer.setReadDeadline(time.Now().Add(discardTime))
	}
	x.write(a.problem.Status, encodeProblem(a.problem))
}

// discardTime is how long an answer waits for the rest of a body that is not wanted: net/http reads some
// of it before it answers, so that the connection can be used again. From a body that is much longer it reads
// nothing.
const discardTime = time.Second

func (x *exchange) write(status int, body []byte) {
	x.writer.setWriteDeadline(time.Now().Add(x.frontend.options.Limits.WriteTimeout))
	x.out.WriteHeader(status)
	if len(body) > 0 {
		// An error is the connection's end; there is no one left to tell.
		_, _ = x.out.Write(body)
	}
}

// exchangeKey is where the request's context holds its exchange.
type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange { return ctx.Value(exchangeKey{}).(*exchange) }
