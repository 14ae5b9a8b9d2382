package page

import (
	"bytes"
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"time"

	"github.com/twofold-dap/twofold/collector/service"
)

// Options are what a caller may decide. The zero value is right for a server on this machine.
type Options struct {
	// Secure tells that people reach the page by https, though it may be served by plain http behind a proxy. Cookies are
	// then never sent without it.
	Secure bool
	// Log gets what went wrong inside; nil is slog.Default.
	Log *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// server answers the page's requests.
type server struct {
	analyst  service.Analyst
	tokens   service.TokenChecker
	options  Options
	sessions *sessions
	attempts *attempts
	views    *views
	static   *static
	routes   *http.ServeMux
}

// New returns the page's handler, to be mounted at /. It is safe for concurrent use. An error means that
// the embedded templates are broken.
func New(analyst service.Analyst, tokens service.TokenChecker, options Options) (http.Handler, error) {
	if options.Log == nil {
		options.Log = slog.Default()
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	s := &server{analyst: analyst, tokens: tokens, options: options, sessions: newSessions(options.Now), attempts: newAttempts(options.Now)}
	var err error
	if s.static, err = loadStatic(); err != nil {
		return nil, err
	}
	if s.views, err = loadViews(s.static); err != nil {
		return nil, err
	}
	s.routes = s.register()
	return Headers(s.sameOrigin(http.HandlerFunc(s.serve))), nil
}

// action answers a request of a session.
type action func(r *request) error

// register says which request needs which scope.
func (s *server) register() *http.ServeMux {
	mux := http.NewServeMux()
	handle := func(pattern string, scope service.Scope, a action) {
		mux.Handle(pattern, s.private(scope, a))
	}
	handle("GET /{$}", service.ScopeRead, s.showTasks)
	handle("GET /tasks/new", service.ScopeAdminister, s.showForm)
	handle("POST /tasks/new", service.ScopeAdminister, s.createTask)
	handle("POST /tasks/plan", service.ScopeAdminister, s.planTask)
	handle("POST /tasks/add", service.ScopeAdminister, s.addTask)
	handle("GET /tasks/{id}", service.ScopeRead, s.showTask)
	handle("GET /tasks/{id}/file", service.ScopeRead, s.downloadFile)
	handle("GET /tasks/{id}/results.csv", service.ScopeRead, s.downloadCSV)
	handle("GET /tasks/{id}/over-time.svg", service.ScopeRead, s.drawOverTime)
	handle("GET /tasks/{id}/results/{number}", service.ScopeRead, s.showResult)
	handle("GET /tasks/{id}/results/{number}/chart.svg", service.ScopeRead, s.drawResult)
	handle("GET /tasks/{id}/results/{number}/result.csv", service.ScopeRead, s.downloadResult)
	handle("POST /tasks/{id}/token", service.ScopeAdminister, s.setToken)
	handle("POST /tasks/{id}/schedule", service.ScopeCollect, s.setSchedule)
	handle("POST /tasks/{id}/collect", service.ScopeCollect, s.collect)
	mux.Handle("GET /login", http.HandlerFunc(s.showLogin))
	mux.Handle("POST /login", http.HandlerFunc(s.login))
	mux.Handle("POST /logout", s.private(service.ScopeRead, s.logout))
	mux.Handle("GET /static/{file}", s.static)
	return mux
}

// serve finds what answers a request. What is not there has a page too, which only a session sees.
func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	handler, pattern := s.routes.Handler(r)
	if pattern != "" {
		s.routes.ServeHTTP(w, r)
		return
	}
	// The router's own answer: not found, the wrong method, or a cleaner path.
	answer := &statusRecorder{header: http.Header{}}
	handler.ServeHTTP(answer, r)
	s.private(service.ScopeRead, func(r *request) error {
		if location := answer.header.Get("Location"); location != "" && answer.status < 400 {
			http.Redirect(r.w, r.Request, location, answer.status)
			return nil
		}
		if allow := answer.header.Get("Allow"); allow != "" {
			r.w.Header().Set("Allow", allow)
		}
		return &statusError{status: max(answer.status, http.StatusNotFound)}
	}).ServeHTTP(w, r)
}

// statusRecorder remembers an answer without its body.
type statusRecorder struct {
	header http.Header
	status int
}

func (a *statusRecorder) Header() http.Header         { return a.header }
func (a *statusRecorder) Write(b []byte) (int, error) { return len(b), nil }
func (a *statusRecorder) WriteHeader(status int)      { a.status = status }

// maxForm bounds the body of a form, and maxFile that of one with a task file, in bytes.
const (
	maxForm = 1 << 20
	maxFile = 3 << 20
)

// request is a request of a session.
type request struct {
	*http.Request
	w       http.ResponseWriter
	session *session
	csrf    string
	who     service.Identity
}

// private answers requests of a session whose token allows the scope. Without a session it shows the login.
func (s *server) private(scope service.Scope, a action) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session := s.sessions.of(r)
		if session == nil {
			s.toLogin(w, r)
			return
		}
		who, err := s.tokens.CheckToken(r.Context(), session.token())
		if errors.Is(err, service.ErrUnauthorized) {
			s.sessions.end(session)
			s.toLogin(w, r)
			return
		}
		request := &request{Request: r, w: w, session: session, csrf: session.csrf, who: who}
		if err == nil {
			err = s.perform(request, scope, a)
		}
		if err != nil {
			s.fail(request, err)
		}
	})
}

// perform checks what the token allows and the form's CSRF token, and acts.
func (s *server) perform(r *request, scope service.Scope, a action) error {
	if !r.who.Scope.Allows(scope) {
		return &statusError{status: http.StatusForbidden, problem: "Your token does not allow this. Ask whoever administers the collector for one that does."}
	}
	if r.Method == http.MethodPost {
		r.Body = http.MaxBytesReader(r.w, r.Body, maxFile)
		if err := r.parse(); err != nil {
			return err
		}
		if !r.session.owns(r.PostFormValue("csrf")) {
			return &statusError{status: http.StatusForbidden, problem: "This form is too old, or did not come from this page. Go back, load the page again and send the form once more."}
		}
	}
	return a(r)
}

// parse reads a form.
func (r *request) parse() error {
	err := r.ParseForm()
	if mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && mediaType == "multipart/form-data" {
		err = r.ParseMultipartForm(maxForm)
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &statusError{status: http.StatusRequestEntityTooLarge, problem: "The form is too large."}
	}
	if err != nil {
		return &statusError{status: http.StatusBadRequest, problem: "The form could not be read."}
	}
	return nil
}

// show writes a page.
func (s *server) show(r *request, status int, name string, data any) error {
	return s.views.write(r.w, status, name, s.frame(r, data))
}

// see sends the browser to another page, which says what was done.
func (r *request) see(location, done string) error {
	r.session.tell(done)
	http.Redirect(r.w, r.Request, location, http.StatusSeeOther)
	return nil
}

// send writes a file.
func (r *request) send(mediaType, disposition string, content []byte) error {
	r.w.Header().Set("Content-Type", mediaType)
	if disposition != "" {
		r.w.Header().Set("Content-Disposition", disposition)
	}
	http.ServeContent(r.w, r.Request, "", time.Time{}, bytes.NewReader(content))
	return nil
}
