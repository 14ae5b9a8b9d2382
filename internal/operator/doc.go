// Package operator is what an aggregator's operator works with: the directory
// that holds everything a role owns (its configuration, its database, its key,
// the socket through which a running server is operated), and the operations on
// it, whether a server runs or not.
//
// # Secrets
//
// The directory's key, invitations and tokens are secret. They are in no error
// and in no log; an invitation and a token are given out once, to be passed on.
package operator
