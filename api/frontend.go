package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/twofold-dap/twofold/internal/daphttp"
)

// frontend is what the handlers of both roles share: the router, limits,
// logs, and the turning of panics and errors into answers.
type frontend struct {
	options  Options
	basePath string // decoded, without a trailing slash
	router   *gin.Engine
	metrics  *metrics

	requests                                 counter
	uploads, aggregationJobs, collectionJobs *class
}

// handler answers one request.
type handler func(x *exchange) (response, error)

// releaseMode keeps gin from printing its routes.
var releaseMode = sync.OnceFunc(func() { gin.SetMode(gin.ReleaseMode) })

func newFrontend(options Options) *frontend {
	releaseMode()
	options = options.withDefaults()
	options.BasePath = strings.TrimSuffix(options.BasePath, "/")
	l := options.Limits
	f := &frontend{
		options:         options,
		basePath:        options.BasePath,
		router:          gin.New(),
		metrics:         newMetrics(options.Metrics),
		requests:        counter{most: int64(l.Requests)},
		uploads:         newClass(l.UploadBytes, l.Uploads, l.UploadBytesInFlight),
		aggregationJobs: newClass(l.AggregationJobBytes, l.AggregationJobs, l.AggregationJobBytesInFlight),
		collectionJobs:  newClass(l.CollectionJobBytes, l.CollectionJobs, l.CollectionJobBytesInFlight),
	}
	if decoded, err := url.PathUnescape(options.BasePath); err == nil {
		f.basePath = decoded
	}
	// A request is answered at the very URL that it names, or not at all.
	f.router.RedirectTrailingSlash = false
	f.router.RedirectFixedPath = false
	f.router.HandleMethodNotAllowed = true
	f.router.ForwardedByClientIP = false
	f.router.NoRoute(serve("(no route)", func(*exchange) (response, error) { return response{}, errNoRoute }))
	f.router.NoMethod(serve("(no method)", func(*exchange) (response, error) { return response{}, errNoMethod }))
	return f
}

// handle adds a route. A GET route answers HEAD as well.
func (f *frontend) handle(method, path string, h handler) {
	f.router.Handle(method, path, serve(path, h))
	if method == http.MethodGet {
		f.router.Handle(http.MethodHead, path, serve(path, h))
	}
}

// serve is the one place where gin's context is seen.
func serve(route string, h handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		x := exchangeOf(c.Request.Context())
		x.route, x.param = route, c.Param
		x.out = c.Writer
		x.finish(h(x))
	}
}

// ServeHTTP implements http.Handler.
func (f *frontend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	x := &exchange{frontend: f, route: "(no route)", started: started, writer: &recorder{ResponseWriter: w}}
	x.out = x.writer
	x.request = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	defer func() {
		recovered := recover()
		begun := x.writer.status != 0
		if recovered != nil {
			x.panicked(recovered)
		}
		x.pass.leave()
		f.record(x, time.Since(started))
		if recovered != nil && begun || recovered == http.ErrAbortHandler {
			panic(http.ErrAbortHandler) // half an answer must not look like a whole one
		}
	}()
	// A limit for a body that stalls, whether it is read here or discarded by
	// net/http, which takes this limit and that on the answer away when they have ended.
	if r.Body != nil && r.Body != http.NoBody {
		x.allowBody(0)
	}

	if !f.requests.enter() {
		x.fail(errTooManyRequests)
		return
	}
	defer f.requests.leave()
	path, ok := below(f.basePath, r.URL.Path)
	if !ok {
		x.fail(errNoRoute)
		return
	}
	target := *r.URL
	target.Path, target.RawPath = path, ""
	x.request.URL = &target
	f.router.ServeHTTP(x.writer, x.request)
}

// below returns the rest of a path below a base.
func below(base, path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, base)
	return rest, ok && strings.HasPrefix(rest, "/")
}

// panicked answers after a panic. Of its value only what cannot hold a
// request's content is logged: a runtime error's text, else its type.
func (x *exchange) panicked(recovered any) {
	if recovered == http.ErrAbortHandler {
		return
	}
	what := fmt.Sprintf("%T", recovered)
	if e, ok := recovered.(runtime.Error); ok {
		what = e.Error()
	}
	stack := make([]byte, 16<<10)
	stack = stack[:runtime.Stack(stack, false)]
	x.frontend.options.Logger.Error("panic while serving a request", "route", x.route, "panic", what, "stack", string(stack))
	x.fail(errPanic)
}

// errPanic is not in the table of errors, so that it is answered as an internal one.
var errPanic = errors.New("panic, logged before")

// record writes the request's log line and counts it.
func (f *frontend) record(x *exchange, duration time.Duration) {
	method := knownMethod(x.request.Method)
	f.metrics.observe(method, x.route, x.writer.status, duration)
	level := slog.LevelInfo
	attributes := []slog.Attr{
		slog.String("method", method),
		slog.String("route", x.route),
		slog.Int("status", x.writer.status),
		slog.Duration("duration", duration),
		slog.Int64("bytes_in", x.bytesIn),
		slog.Int64("bytes_out", x.writer.bytes),
	}
	if x.cause != nil {
		attributes = append(attributes, slog.String("problem", problemLabel(x.cause)))
	}
	if x.cause != nil && x.cause != errPanic && answerTo(x.cause).internal {
		level = slog.LevelError
		attributes = append(attributes, slog.Any("error", x.cause))
	}
	f.options.Logger.LogAttrs(context.Background(), level, "request", attributes...)
}

// problemLabel names an error's kind without its details.
func problemLabel(err error) string {
	p := answerTo(err).problem
	if p.Type == aboutBlank {
		return p.Title
	}
	return p.Type
}

// knownMethod keeps invented methods out of logs and metrics.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// location returns a resource's absolute path for a Location header (DAP
// Section 3.2). It includes the path of the endpoint.
func (f *frontend) location(segments ...string) string {
	return f.options.BasePath + "/" + strings.Join(segments, "/")
}

// retryAfter returns the Retry-After header that suggests d, or the default if d is 0.
func (f *frontend) retryAfter(d time.Duration) string {
	if d <= 0 {
		d = f.options.Limits.RetryAfter
	}
	return daphttp.FormatRetryAfter(d)
}
