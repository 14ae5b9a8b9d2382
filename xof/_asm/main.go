// Command asm generates the permutation of package xof in assembly: for machines with AVX-512,
// for those with AVX2, and a single state for those with BMI2 alone. Run it with "go
// generate" in the package's directory. The same generator gives the same bytes.
//
// What steers the jumps and the addresses are lengths alone.
package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/reg"
)

//go:generate go run . -out ../sponge_amd64.s -stubs ../sponge_stubs_amd64.go -pkg xof

const (
	stateWords = 25
	rounds     = 12
	rateWords  = 21
	rate       = 8 * rateWords
)

func main() {
	ConstraintExpr("!purego")
	(&sponge{lanes: 1, width: reg.S128}).routine()
	(&sponge{lanes: 4, width: reg.S256}).routine()
	(&fourInMemory{}).routine()
	(&oneInMemory{}).routine()
	Generate()
}

// declare begins a routine with the frame that the attributes allow.
func declare(name string, attributes attr.Attribute, lanes int) {
	TEXT(name, attributes, fmt.Sprintf(
		"func(state *[%d]uint64, constants *[%d]uint64, blocks *[%d]*byte, n uint64, squeeze uint64)",
		stateWords*lanes, rounds, lanes))
	Doc(name+" absorbs n > 0 blocks from each of the addresses in blocks, or, if",
		"squeeze is 1, fills so many there.")
	Pragma("noescape")
}

// rotations returns the offsets of the step rho (FIPS 202, Algorithm 2).
func rotations() (r [stateWords]int) {
	x, y := 1, 0
	for t := range stateWords - 1 {
		r[x+5*y] = (t + 1) * (t + 2) / 2 % 64
		x, y = y, (2*x+3*y)%5
	}
	return r
}

// source returns the word that the steps rho and pi move to column x of row y: pi moves
// the word of column x and row y to column y and row 2*x + 3*y (FIPS 202, Algorithm 3).
func source(x, y int) int {
	for i := range stateWords {
		if fromX, fromY := i%5, i/5; fromY == x && (2*fromX+3*fromY)%5 == y {
			return i
		}
	}
	panic("pi is a permutation")
}
