// Package processes builds Twofold's commands and runs them as real
// processes on this machine: a Leader and a Helper with directories of their
// own, which can be started, stopped, killed and started again, and the
// commands of their operators, of the analyst and of clients, as people type
// them.
//
// It is for what must be shown of the whole system: the demo, the tests that
// kill servers, and the load generator.
//
// # Secrets
//
// Invitations and tokens pass through. Errors name a command by its words and
// do not repeat its arguments.
package processes
