package service

import (
	"context"
	"errors"
)

// Scope is what an analyst's token allows. Each allows what those before it do.
type Scope string

// The scopes.
const (
	ScopeRead       Scope = "read"       // see tasks and results
	ScopeCollect    Scope = "collect"    // and collect, and change the schedule
	ScopeAdminister Scope = "administer" // and make tasks, set Leaders' tokens, make and revoke analysts' tokens
)

var scopeRanks = map[Scope]int{ScopeRead: 1, ScopeCollect: 2, ScopeAdminister: 3}

// Known tells whether s is a scope.
func (s Scope) Known() bool { return scopeRanks[s] > 0 }

// Allows tells whether a token of scope s may do what needs the scope needed.
func (s Scope) Allows(needed Scope) bool {
	return scopeRanks[s] > 0 && scopeRanks[needed] > 0 && scopeRanks[s] >= scopeRanks[needed]
}

// ErrUnauthorized: the token is not one that was given out, or was revoked.
var ErrUnauthorized = errors.New("the token is unknown or was revoked")

// Identity is whose token it is.
type Identity struct {
	// Name is what the token was named when it was made; unique.
	Name  string
	Scope Scope
}

// TokenChecker knows analysts' tokens.
type TokenChecker interface {
	// CheckToken returns whose token it is, or ErrUnauthorized. How long it takes tells nothing about the tokens.
	CheckToken(ctx context.Context, token string) (Identity, error)
}
