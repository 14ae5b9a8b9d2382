package service

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"regexp"
	"time"

	"github.com/twofold-dap/twofold/internal/base64url"
)

var _ TokenChecker = (*Service)(nil)

// tokenPrefix shows what a token is for, to people and to what looks for tokens that leaked.
const tokenPrefix = "twofold-analyst-"

// maxTokens bounds the analysts' tokens.
const maxTokens = 1000

var tokenName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)

// NewToken makes a token for an analyst and returns it. It is not kept, only a digest of it is. ErrExists if there is
// one of that name.
func (s *Service) NewToken(ctx context.Context, name string, scope Scope) (string, error) {
	if !tokenName.MatchString(name) {
		return "", &FieldError{"name", "must be 1 to 64 letters, digits or any of . _ @ -, and begin with a letter or a digit"}
	}
	if !scope.Known() {
		return "", &FieldError{"scope", fmt.Sprintf("is %q; write read, collect or administer", scope)}
	}
	tokens, err := s.store.AnalystTokens(ctx)
	if err != nil {
		return "", err
	}
	if len(tokens) >= maxTokens {
		return "", &FieldError{"name", fmt.Sprintf("there are %d tokens already; delete one first", len(tokens))}
	}
	random := make([]byte, 32)
	rand.Read(random)
	token := tokenPrefix + base64url.Encode(random)
	return token, s.store.PutAnalystToken(ctx, StoredToken{
		Name: name, Scope: scope, Digest: sha256.Sum256([]byte(token)), CreatedAt: time.Now().UTC().Truncate(time.Second),
	})
}

// Tokens returns the analysts' tokens without their digests, in the order of their names.
func (s *Service) Tokens(ctx context.Context) ([]StoredToken, error) {
	tokens, err := s.store.AnalystTokens(ctx)
	for i := range tokens {
		tokens[i].Digest = [32]byte{}
	}
	return tokens, err
}

// DeleteToken revokes a token. ErrNotFound if there is none of that name.
func (s *Service) DeleteToken(ctx context.Context, name string) error {
	return s.store.DeleteAnalystToken(ctx, name)
}

// CheckToken implements TokenChecker. It compares the digest with that of each token, in constant time.
func (s *Service) CheckToken(ctx context.Context, token string) (Identity, error) {
	tokens, err := s.store.AnalystTokens(ctx)
	if err != nil {
		return Identity{}, err
	}
	digest := sha256.Sum256([]byte(token))
	found := -1
	for i := range tokens {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(digest[:], tokens[i].Digest[:]), i, found)
	}
	if found < 0 {
		return Identity{}, ErrUnauthorized
	}
	return Identity{Name: tokens[found].Name, Scope: tokens[found].Scope}, nil
}
