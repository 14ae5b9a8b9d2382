// Package commands holds, in its subpackages, the commands leader, helper,
// client and collector. Its tests run them as people type them.
package commands
