// Package proxy is a TCP proxy that makes the network as bad as networks get: it
// cuts connections, resets them, closes one direction, stalls, and lets bytes
// trickle, each after a number of bytes that a plan gives, so that every moment of
// a request and of its answer can be hit.
//
// It knows nothing of what it carries, and neither keeps nor shows it.
package proxy
