package page

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/twofold-dap/twofold/collector/service"
)

// maxToken bounds a token that somebody types, in bytes.
const maxToken = 1 << 10

// loginView is the login.
type loginView struct {
	Next    string // where to go on
	Problem string
}

// toLogin sends a browser to the login, from where it comes back if it wanted to read.
func (s *server) toLogin(w http.ResponseWriter, r *http.Request) {
	location := "/login"
	if next := r.URL.RequestURI(); next != "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead) && localPath(next) == next {
		location += "?next=" + url.QueryEscape(next)
	}
	http.Redirect(w, r, location, http.StatusSeeOther)
}

func (s *server) showLogin(w http.ResponseWriter, r *http.Request) {
	s.writeLogin(w, http.StatusOK, loginView{Next: localPath(r.URL.Query().Get("next"))})
}

func (s *server) writeLogin(w http.ResponseWriter, status int, view loginView) {
	if err := s.views.write(w, status, "login", frame{Title: "Log in", Data: view}); err != nil {
		s.options.Log.Error("the login cannot be shown", "error", err)
	}
}

// login begins a session for a token.
func (s *server) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.writeLogin(w, http.StatusBadRequest, loginView{Next: "/", Problem: "The form could not be read. Try again."})
		return
	}
	view := loginView{Next: localPath(r.PostFormValue("next"))}
	from := remote(r)
	if wait := s.attempts.wait(from); wait > 0 {
		seconds := int((wait + time.Second - 1) / time.Second)
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
		view.Problem = "There were too many attempts. Try again in " + plural((seconds+59)/60, "minute") + "."
		s.writeLogin(w, http.StatusTooManyRequests, view)
		return
	}
	token := r.PostFormValue("token")
	if token == "" || len(token) > maxToken {
		view.Problem = "Enter the token that collector token new has printed."
		s.writeLogin(w, http.StatusUnprocessableEntity, view)
		return
	}
	_, err := s.tokens.CheckToken(r.Context(), token)
	switch {
	case errors.Is(err, service.ErrUnauthorized):
		view.Problem = "This token is unknown or was revoked. Check that all of it was copied."
		s.writeLogin(w, http.StatusUnauthorized, view)
	case err != nil:
		s.attempts.succeeded(from)
		s.options.Log.Error("a token cannot be checked", "error", err)
		view.Problem = "Tokens cannot be checked at the moment. Try again later."
		s.writeLogin(w, http.StatusInternalServerError, view)
	default:
		s.attempts.succeeded(from)
		if old := s.sessions.of(r); old != nil {
			s.sessions.end(old)
		}
		http.SetCookie(w, cookie(s.sessions.begin(token), s.secure(r)))
		http.Redirect(w, r, view.Next, http.StatusSeeOther)
	}
}

// logout ends the session.
func (s *server) logout(r *request) error {
	s.sessions.end(r.session)
	http.SetCookie(r.w, cookie("", s.secure(r.Request)))
	r.w.Header().Set("Clear-Site-Data", `"cache"`)
	http.Redirect(r.w, r.Request, "/login", http.StatusSeeOther)
	return nil
}

func (s *server) secure(r *http.Request) bool { return s.options.Secure || r.TLS != nil }
