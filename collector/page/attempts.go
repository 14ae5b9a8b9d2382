package page

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

const (
	// attemptsOfOne is how many times one address may fail to log in during attemptsTime, and attemptsOfAll how many
	// times all may together.
	attemptsOfOne = 10
	attemptsOfAll = 200
	attemptsTime  = 10 * time.Minute
)

// attempts counts the logins that failed, in windows of attemptsTime. In a window there are at most attemptsOfAll
// addresses, which bounds its memory.
type attempts struct {
	now func() time.Time

	mu     sync.Mutex
	window time.Time
	all    int
	failed map[netip.Prefix]int
}

func newAttempts(now func() time.Time) *attempts {
	return &attempts{now: now, failed: map[netip.Prefix]int{}}
}

// wait returns how long an address has to wait before it may try, 0 if it may. An attempt that may be made
// counts as failed at once, so that many at the same time are no way around the limit.
func (a *attempts) wait(from netip.Prefix) time.Duration {
	now := a.now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.window) >= attemptsTime || now.Before(a.window) {
		a.window, a.all = now, 0
		clear(a.failed)
	}
	if a.failed[from] >= attemptsOfOne || a.all >= attemptsOfAll {
		return a.window.Add(attemptsTime).Sub(now)
	}
	a.failed[from]++
	a.all++
	return 0
}

// succeeded takes back an attempt that did not fail.
func (a *attempts) succeeded(from netip.Prefix) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failed[from] > 0 { // not in another window
		a.failed[from]--
		a.all--
	}
}

// remote is whom an address of a request counts for: an IPv4 address, or a network of 64 bits, which one
// subscriber may have.
func remote(r *http.Request) netip.Prefix {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	address = address.Unmap()
	bits := 32
	if address.Is6() {
		bits = 64
	}
	prefix, err := address.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}
