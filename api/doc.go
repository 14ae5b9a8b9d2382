// Package api is the HTTP side of an aggregator.
//
// NewLeaderHandler and NewHelperHandler serve the resources of DAP (DAP Section
// 3 and the appendix "HTTP Resources Reference") over a LeaderEngine or a
// HelperEngine; NewServer runs them. NewPeer is the Helper as a Leader reaches it over
// HTTP. NewOperatorHandler and OperatorClient are the two ends of the operator's own
// interface, which is JSON over a unix socket.
//
// Here and only here domain errors become HTTP statuses and problem documents
// (RFC 9457): the table is in errors.go.
//
// # Secrets
//
// Bearer tokens pass through this package, and so do reports and shares, sealed
// or not. None of them is logged or put into an error. Tokens are compared by
// the engines, as hashes and in constant time. Request logs hold the route's
// template and no identifier, and no client's address either.
package api
