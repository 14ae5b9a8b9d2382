//go:build race

package simulation

// defaultOps is smaller under the race detector, which makes everything slow.
const defaultOps = 10_000
