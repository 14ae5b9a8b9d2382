package fuzzing

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

var sink []byte

// FuzzNothing has every kind of argument, and a target that is content.
func FuzzNothing(f *testing.F) {
	f.Add([]byte{1, 2, 3}, "text", uint8(1), uint64(2), -3, true, 1.5)
	Run(f, Limit{}, func(_ testing.TB, b []byte, s string, _ uint8, _ uint64, _ int, _ bool, _ float64) {
		if len(b)+len(s) > 2*maxInput {
			panic("too long")
		}
	})
}

// failures is a testing.TB that notes whether something failed.
type failures struct {
	testing.TB
	failed bool
}

func (f *failures) Errorf(string, ...any) { f.failed = true }
func (f *failures) Failed() bool          { return f.failed }

func values(args ...any) (input []reflect.Value) {
	for _, arg := range args {
		input = append(input, reflect.ValueOf(arg))
	}
	return clone(input)
}

// TestLimit runs a target that allocates what its input says.
func TestLimit(t *testing.T) {
	r := &runner{limit: Limit{Fixed: 1 << 20, Multiple: 2}, guard: newGuard()}
	r.target = reflect.ValueOf(func(_ testing.TB, n int, _ []byte) { sink = make([]byte, n) })
	for _, test := range []struct {
		allocate, length int
		fails            bool
	}{{0, 0, false}, {1 << 19, 0, false}, {3 << 20, 0, true}, {3 << 20, 2 << 20, false}, {1 << 27, 1 << 20, true}} {
		tb := &failures{TB: t}
		r.run(tb, values(test.allocate, make([]byte, test.length)))
		if tb.failed != test.fails {
			t.Errorf("%d bytes for an input of %d: fails %t", test.allocate, test.length, tb.failed)
		}
	}
}

// TestSmallAllocations are seen as well as large ones.
func TestSmallAllocations(t *testing.T) {
	const each, count = 48, 100_000
	about := allocatedAbout(func() {
		for range count {
			sink = make([]byte, each)
		}
	})
	if about < each*count/2 || about > 2*each*count {
		t.Errorf("%d allocations of %d bytes are %d bytes", count, each, about)
	}
}

// TestMutants sees that mutants differ from their seeds, and leave these alone.
func TestMutants(t *testing.T) {
	m := &mutator{random: rand.New(rand.NewPCG(1, 2))}
	seed, other := values([]byte("0123456789"), "text", uint16(7)), values([]byte("abcdefghij"), "word", uint16(9))
	kept, keptOther := clone(seed), clone(other)
	changed, lengths := 0, map[int]bool{}
	const n = 1000
	for range n {
		mutant := clone(seed)
		m.mutate(mutant, other)
		if !equal(mutant, seed) {
			changed++
		}
		lengths[mutant[0].Len()] = true
	}
	if changed < n*9/10 || len(lengths) < 10 {
		t.Errorf("%d of %d mutants differ from their seed, with %d lengths", changed, n, len(lengths))
	}
	if !equal(seed, kept) || !equal(other, keptOther) {
		t.Error("the seeds have changed")
	}
	empty := values([]byte(nil), "")
	for range n {
		m.mutate(empty, empty)
	}
	if empty[0].Len() == 0 && empty[1].Len() == 0 {
		t.Error("nothing comes of empty seeds")
	}
}

func equal(a, b []reflect.Value) bool { return marshal(a) == marshal(b) }

// TestSave writes an input in the form that go test reads.
func TestSave(t *testing.T) {
	t.Chdir(t.TempDir())
	path, err := save("FuzzX", values([]byte{0, 'a', 0xff}, "a\n", uint8(3), true, int64(-4)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	want := "go test fuzz v1\n[]byte(\"\\x00a\\xff\")\nstring(\"a\\n\")\nuint8(3)\nbool(true)\nint64(-4)\n"
	if err != nil || string(text) != want || filepath.Dir(path) != filepath.Join("testdata", "fuzz", "FuzzX") {
		t.Errorf("%s: %q, %v", path, text, err)
	}
}

// TestScript edits a message: nothing changes without an input, and every field can be reached.
func TestScript(t *testing.T) {
	type part struct {
		ID   [4]byte
		Data []byte
	}
	type message struct {
		Number uint16
		Text   string
		Flag   bool
		Parts  []part
		hidden int
	}
	fresh := func() message { return message{1, "text", false, []part{{Data: []byte("ab")}, {ID: [4]byte{1}}}, 7} }
	m := fresh()
	NewScript(nil).Edit(&m)
	if !reflect.DeepEqual(m, fresh()) {
		t.Errorf("no edit makes %+v", m)
	}
	random := rand.New(rand.NewPCG(1, 2))
	changed := map[string]bool{}
	for range 5000 {
		input := make([]byte, 12)
		for i := range input {
			input[i] = byte(random.Uint32())
		}
		m, kept := fresh(), fresh()
		edited := m
		NewScript(input).Edit(&edited)
		if !reflect.DeepEqual(m, kept) {
			t.Fatalf("the original has become %+v", m)
		}
		changed["number"] = changed["number"] || edited.Number != m.Number
		changed["text"] = changed["text"] || edited.Text != m.Text
		changed["flag"] = changed["flag"] || edited.Flag
		changed["fewer"] = changed["fewer"] || len(edited.Parts) < 2
		changed["more"] = changed["more"] || len(edited.Parts) > 2
		if len(edited.Parts) == 2 {
			changed["data"] = changed["data"] || len(edited.Parts[0].Data) > 2
			changed["ID"] = changed["ID"] || edited.Parts[1].ID[2] != 0
		}
	}
	for what, yes := range changed {
		if !yes {
			t.Errorf("the %s never changes", what)
		}
	}
}

// TestBounded sees that it fails above its limit alone.
func TestBounded(t *testing.T) {
	for _, test := range []struct {
		allocate int
		fails    bool
	}{{1 << 19, false}, {1 << 24, true}} {
		tb := &failures{TB: t}
		Bounded(tb, Limit{Fixed: 1 << 21}, 100, func() { sink = make([]byte, test.allocate) })
		if tb.failed != test.fails {
			t.Errorf("%d bytes: fails %t", test.allocate, tb.failed)
		}
	}
}
