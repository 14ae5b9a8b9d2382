//go:build !race

package simulation

// defaultOps is how many operations TestSimulation does unless it is told otherwise.
const defaultOps = 100_000
