package page

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"sync"
	"time"

	"github.com/twofold-dap/twofold/internal/secret"
)

const (
	// cookieName is the session's cookie. Browsers take one with this prefix only with Secure, for this host
	// and for all paths.
	cookieName       = "twofold_session"
	secureCookieName = "__Host-" + cookieName
	// lifetime is how long a session lasts, and idleTime how long without a request.
	lifetime = 12 * time.Hour
	idleTime = 2 * time.Hour
	// maxSessions bounds the memory of sessions: one more ends the one that has been idle for longest.
	maxSessions = 1000
)

// sessions are those that are logged in. They are in memory: a restart ends them.
type sessions struct {
	now func() time.Time

	mu   sync.Mutex
	byID map[[sha256.Size]byte]*session // by the hash of the cookie's value
}

// session is an analyst who is logged in.
type session struct {
	id      [sha256.Size]byte
	secret  secret.Bytes // the analyst's token
	csrf    string
	begun   time.Time
	lastUse time.Time // guarded by sessions.mu

	mu   sync.Mutex
	done string // what the last form did, to be shown once
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, byID: map[[sha256.Size]byte]*session{}}
}

// begin begins a session and returns the value of its cookie.
func (s *sessions) begin(token string) string {
	value := rand.Text()
	now := s.now()
	one := &session{id: sha256.Sum256([]byte(value)), secret: secret.Bytes(token), csrf: rand.Text(), begun: now, lastUse: now}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now)
	s.byID[one.id] = one
	return value
}

// sweep forgets sessions that are over, and the one that has been idle for longest if there are too many.
func (s *sessions) sweep(now time.Time) {
	var oldest *session
	for id, one := range s.byID {
		if one.over(now) {
			delete(s.byID, id)
		} else if oldest == nil || one.lastUse.Before(oldest.lastUse) {
			oldest = one
		}
	}
	if len(s.byID) >= maxSessions {
		delete(s.byID, oldest.id)
	}
}

func (o *session) over(now time.Time) bool {
	return now.Sub(o.begun) >= lifetime || now.Sub(o.lastUse) >= idleTime
}

// of returns the session of a request, or nil.
func (s *sessions) of(r *http.Request) *session {
	for _, name := range []string{secureCookieName, cookieName} {
		cookie, err := r.Cookie(name)
		if err != nil {
			continue
		}
		if one := s.find(cookie.Value); one != nil {
			return one
		}
	}
	return nil
}

func (s *sessions) find(value string) *session {
	id := sha256.Sum256([]byte(value))
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.byID[id]
	if one == nil || one.over(now) {
		delete(s.byID, id)
		return nil
	}
	one.lastUse = now
	return one
}

// end ends a session.
func (s *sessions) end(one *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byID, one.id)
}

func (o *session) token() string { return string(o.secret) }

// owns tells whether a CSRF token is the session's.
func (o *session) owns(csrf string) bool {
	return subtle.ConstantTimeCompare([]byte(o.csrf), []byte(csrf)) == 1
}

// tell keeps what to show on the next page, and told returns it once.
func (o *session) tell(done string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.done = done
}

func (o *session) told() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	done := o.done
	o.done = ""
	return done
}

// cookie returns the session's cookie, and one that ends it if value is empty.
func cookie(value string, secure bool) *http.Cookie {
	c := &http.Cookie{Name: cookieName, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: secure}
	if secure {
		c.Name = secureCookieName
	}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}
