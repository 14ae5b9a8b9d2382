// Package fuzzing runs the module's fuzz targets. It is for tests alone.
//
// A target is written as for go test, but ends with Run in place of f.Fuzz:
//
//	func FuzzInterval(f *testing.F) {
//		f.Add(encoded)
//		fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, b []byte) { ... })
//	}
//
// Run sees besides that no input makes the target allocate more than a small
// multiple of its length, nor hangs. The target then runs in three ways:
//
//   - go test runs the seeds and the files below testdata/fuzz;
//   - go test -fuzz searches for inputs that reach new code;
//   - go test -run with the environment variable TWOFOLD_FUZZ_MUTANTS=n runs n
//     mutants of the seeds and files. It is blind to what they reach, and
//     about twenty times as fast, because nothing counts coverage.
//
// An input that fails is written below testdata/fuzz, where every later go test
// runs it.
package fuzzing

import (
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"strconv"
	"testing"
)

// MutantsVariable is the environment variable with the number of mutants to run.
const MutantsVariable = "TWOFOLD_FUZZ_MUTANTS"

// Limit bounds what one input may allocate: Fixed bytes and Multiple bytes for
// each byte of the input. Zero fields have the default in the comment.
type Limit struct {
	Fixed    uint64 // 256 KiB
	Multiple uint64 // 64
}

const (
	defaultFixed    = 256 << 10
	defaultMultiple = 64
)

func (l Limit) withDefaults() Limit {
	if l.Fixed == 0 {
		l.Fixed = defaultFixed
	}
	if l.Multiple == 0 {
		l.Multiple = defaultMultiple
	}
	return l
}

// of returns how many bytes an input of that length may allocate.
func (l Limit) of(length int) uint64 { return l.Fixed + l.Multiple*uint64(length) }

// Run is f.Fuzz with the checks and the ways to run of this package. target is a
// function of a testing.TB and what f.Fuzz allows: byte slices, strings, numbers,
// flags. It must not keep its arguments.
func Run(f *testing.F, limit Limit, target any) {
	f.Helper()
	r := &runner{target: reflect.ValueOf(target), limit: limit.withDefaults(), guard: newGuard()}
	stop := r.guard.start()
	defer stop()
	f.Fuzz(r.fuzzFunction())
	if n := mutants(f); n > 0 && !f.Failed() {
		r.runMutants(f, n)
	}
}

// mutants returns how many the environment asks for.
func mutants(f *testing.F) int {
	text, ok := os.LookupEnv(MutantsVariable)
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		f.Fatalf("the environment variable %s is %q; it must be a number", MutantsVariable, text)
	}
	return n
}

// runner is one target.
type runner struct {
	target reflect.Value
	limit  Limit
	guard  *guard
	seeds  [][]reflect.Value
}

// fuzzFunction returns a function of a *testing.T and the target's arguments.
func (r *runner) fuzzFunction() any {
	in := []reflect.Type{reflect.TypeFor[*testing.T]()}
	for i := 1; i < r.target.Type().NumIn(); i++ {
		in = append(in, r.target.Type().In(i))
	}
	call := func(args []reflect.Value) []reflect.Value {
		t := args[0].Interface().(*testing.T)
		if os.Getenv(MutantsVariable) != "" {
			r.seeds = append(r.seeds, clone(args[1:]))
		}
		r.run(t, args[1:])
		return nil
	}
	return reflect.MakeFunc(reflect.FuncOf(in, nil, false), call).Interface()
}

// run runs the target on one input.
func (r *runner) run(t testing.TB, input []reflect.Value) {
	r.guard.begin()
	defer r.guard.end()
	call := r.caller(t, input)
	allowed := r.limit.of(length(input))
	if allocatedAbout(call) <= allowed || t.Failed() {
		return
	}
	// Others may have allocated meanwhile, so the least of some exact figures counts.
	least := allocated(call)
	for range 2 {
		least = min(least, allocated(call))
	}
	if least > allowed {
		t.Errorf("an input of %d bytes makes it allocate %d bytes; %d are allowed", length(input), least, allowed)
	}
}

// caller returns a function that calls the target. The usual kinds need no reflection, which
// would take longer than a decoder does.
func (r *runner) caller(t testing.TB, input []reflect.Value) func() {
	switch target := r.target.Interface().(type) {
	case func(testing.TB, []byte):
		b := input[0].Bytes()
		return func() { target(t, b) }
	case func(testing.TB, string):
		s := input[0].String()
		return func() { target(t, s) }
	}
	args := append([]reflect.Value{reflect.ValueOf(&t).Elem()}, input...)
	return func() { r.target.Call(args) }
}

// runMutants runs n mutants of the seeds.
func (r *runner) runMutants(f *testing.F, n int) {
	if len(r.seeds) == 0 {
		f.Fatal("there are no seeds to mutate")
	}
	m := &mutator{random: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))}
	done := 0
	defer func() { fmt.Printf("mutants: %s %d\n", f.Name(), done) }()
	for ; done < n; done++ {
		input := clone(r.seeds[m.random.IntN(len(r.seeds))])
		m.mutate(input, r.seeds[m.random.IntN(len(r.seeds))])
		if !r.survives(f, input) {
			f.FailNow()
		}
	}
}

// survives runs the target on one input, which is written to a file if it fails.
func (r *runner) survives(f *testing.F, input []reflect.Value) (ok bool) {
	kept := clone(input) // in case that the target changes it
	finished := false
	defer func() {
		if finished && !f.Failed() {
			ok = true
			return
		}
		path, err := save(f.Name(), kept)
		fmt.Printf("failing input: %s (%v)\n", path, err)
	}()
	r.run(f, input)
	finished = true
	return false
}
