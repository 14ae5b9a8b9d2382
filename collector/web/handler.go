package web

import (
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/twofold-dap/twofold/collector/service"
)

// OpenAPI is the OpenAPI document of the API, in YAML.
//
//go:embed openapi.yaml
var OpenAPI []byte

// Service is what the handler serves. *service.Service is one.
type Service interface {
	service.Analyst
	service.TokenChecker
	NewToken(ctx context.Context, name string, scope service.Scope) (string, error)
	Tokens(ctx context.Context) ([]service.StoredToken, error)
	DeleteToken(ctx context.Context, name string) error
}

// Options configure New. The zero value is usable.
type Options struct {
	// Owner makes every request that of the directory's owner, who may do everything and needs no token.
	Owner bool
	// Pages, if not nil, answers what is not below /api.
	Pages http.Handler
	// Logger takes one line a request, without what was asked about. Nil: slog.Default().
	Logger *slog.Logger
	// MaxRequests is how many requests to the API are worked on at once: 64. More are refused with 503.
	MaxRequests int
	// Timeout bounds a request to the API, with its body: 1 minute.
	Timeout time.Duration
}

// releaseMode keeps gin from printing its routes.
var releaseMode = sync.OnceFunc(func() { gin.SetMode(gin.ReleaseMode) })

// Handler answers analysts. It is safe for concurrent use.
type Handler struct {
	service Service
	options Options
	router  *gin.Engine
	places  chan struct{}
}

// New returns the handler of a service.
func New(s Service, options Options) *Handler {
	releaseMode()
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	if options.MaxRequests <= 0 {
		options.MaxRequests = 64
	}
	if options.Timeout <= 0 {
		options.Timeout = time.Minute
	}
	h := &Handler{service: s, options: options, router: gin.New(), places: make(chan struct{}, options.MaxRequests)}
	h.router.RedirectTrailingSlash, h.router.RedirectFixedPath = false, false
	h.router.HandleMethodNotAllowed = true
	h.router.ForwardedByClientIP = false
	h.router.NoRoute(func(c *gin.Context) { h.fail(c, errNoRoute) })
	h.router.NoMethod(func(c *gin.Context) { h.fail(c, errNoMethod) })
	for _, r := range routes {
		h.router.Handle(r.method, r.path, h.serve(r))
	}
	return h
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.options.Pages != nil && !strings.HasPrefix(r.URL.Path, "/api/") {
		h.options.Pages.ServeHTTP(w, r)
		return
	}
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	select {
	case h.places <- struct{}{}:
		defer func() { <-h.places }()
	default:
		writeProblem(w, problemOf(errBusy))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.options.Timeout)
	defer cancel()
	deadline := time.Now().Add(h.options.Timeout)
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(deadline) // what cannot be limited, such as a test's recorder, needs no limit
	_ = control.SetWriteDeadline(deadline.Add(h.options.Timeout))
	h.router.ServeHTTP(w, r.WithContext(ctx))
}

// route is one operation of the API.
type route struct {
	method, path string
	scope        service.Scope // empty: no token is needed
	maxBody      int64         // 0: none
	handle       func(h *Handler, c *gin.Context) error
}

// serve wraps an operation: authorization, the limit of the body, and errors.
func (h *Handler) serve(r route) gin.HandlerFunc {
	return func(c *gin.Context) {
		started := time.Now()
		who := "anonymous"
		defer func() {
			if recovered := recover(); recovered != nil {
				h.panicked(c, r, recovered)
			}
			h.options.Logger.Info("request", "method", r.method, "route", r.path, "status", c.Writer.Status(), "duration", time.Since(started), "token", who)
		}()
		if r.scope != "" {
			identity, err := h.identify(c, r.scope)
			if err != nil {
				h.fail(c, err)
				return
			}
			who = identity.Name
		}
		c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, r.maxBody)
		if err := r.handle(h, c); err != nil {
			h.fail(c, err)
		}
	}
}

// panicked answers after a panic, of whose value only what cannot hold a request's content is logged.
func (h *Handler) panicked(c *gin.Context, r route, recovered any) {
	if recovered == http.ErrAbortHandler {
		panic(recovered)
	}
	what := fmt.Sprintf("%T", recovered)
	if e, ok := recovered.(runtime.Error); ok {
		what = e.Error()
	}
	stack := make([]byte, 16<<10)
	h.options.Logger.Error("panic while serving a request", "route", r.path, "panic", what, "stack", string(stack[:runtime.Stack(stack, false)]))
	if c.Writer.Written() {
		panic(http.ErrAbortHandler) // half an answer must not look like a whole one
	}
	writeProblem(c.Writer, problemOf(errPanic))
}

// identify returns whose request it is, if it may do what needs the scope.
func (h *Handler) identify(c *gin.Context, needed service.Scope) (service.Identity, error) {
	if h.options.Owner {
		return service.Identity{Name: "owner", Scope: service.ScopeAdminister}, nil
	}
	token := bearerToken(c.Request.Header)
	if token == "" {
		return service.Identity{}, service.ErrUnauthorized
	}
	identity, err := h.service.CheckToken(c.Request.Context(), token)
	if err != nil {
		return service.Identity{}, err
	}
	if !identity.Scope.Allows(needed) {
		return identity, &scopeError{needed}
	}
	return identity, nil
}

// bearerToken returns the bearer token of a request (RFC 6750 Section 2.1), or "".
func bearerToken(header http.Header) string {
	values := header.Values("Authorization")
	if len(values) != 1 {
		return ""
	}
	scheme, token, found := strings.Cut(values[0], " ")
	if !found || !strings.EqualFold(scheme, "Bearer") || len(token) > 4096 {
		return ""
	}
	return token
}

// Routes returns the method and path of each operation, in gin's notation, for tests.
func Routes() [][2]string {
	var all [][2]string
	for _, r := range routes {
		all = append(all, [2]string{r.method, r.path})
	}
	return all
}
