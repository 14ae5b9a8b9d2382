// Package aggregator is what a Leader and a Helper do (DAP Sections 4.4 to
// 4.6): state machines over reports, aggregation jobs, batches and collections.
// It declares the Store and the Peer that it needs; it knows neither HTTP nor
// a database.
//
// # Secrets
//
// Input shares, verification keys, output shares and tokens pass through this
// package. None is logged or put into an error. Whether a report was
// accepted, and why not, is public.
package aggregator
