// Package web is HTTP for analysts: the JSON API under /api/v1 with its OpenAPI document, analysts' tokens and their scopes,
// errors as problem documents (RFC 9457), limits, and the pages, which are mounted beside it.
//
// Whoever may read the socket of the Collector's directory owns the directory, and may do everything there:
// [Options].Owner makes the handler for it. Everyone else presents a bearer token.
//
// Tokens, of analysts and of Leaders, are secret: they are in no log and in no answer but the one that makes a token.
package web
