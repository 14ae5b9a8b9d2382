package measure

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/client"
	"github.com/twofold-dap/twofold/internal/fuzzing"
	"github.com/twofold-dap/twofold/internal/vdafspec"
)

var now = time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)

func fine[M any](client.Measurement[M]) error { return nil }

func fromCSV(text, timeColumn string, columns ...string) Source {
	return Source{Rows: CSV(strings.NewReader(text), columns, timeColumn), Columns: columns, TimeColumn: timeColumn, Now: now}
}

func values[M any](measurements []client.Measurement[M]) []M {
	var vs []M
	for _, m := range measurements {
		vs = append(vs, m.Value)
	}
	return vs
}

func TestCSV(t *testing.T) {
	const text = "\ufeffdelay,when,late\r\n15,2026-01-31T08:00:00Z,1\r\n\"7\",1769846400, 0\n"
	got, err := Read(fromCSV(text, "when", "delay"), ParseNumber, fine)
	want := []client.Measurement[uint64]{{Value: 15, Time: now.Add(8 * time.Hour)}, {Value: 7, Time: now.Add(8 * time.Hour)}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	flags, err := Read(fromCSV(text, "", "late"), ParseFlag, fine)
	if err != nil || !reflect.DeepEqual(values(flags), []bool{true, false}) || !flags[0].Time.Equal(now) {
		t.Errorf("got %v, %v", values(flags), err)
	}
	numbers, err := Read(fromCSV(text, "", "late", "delay"), ParseNumbers, fine)
	if err != nil || !reflect.DeepEqual(values(numbers), [][]uint64{{1, 15}, {0, 7}}) {
		t.Errorf("got %v, %v", values(numbers), err)
	}
}

func TestOneCellVectors(t *testing.T) {
	numbers, err := Read(fromCSV("v\n1;2;3\n4; 5;6\n", "", "v"), ParseNumbers, fine)
	if err != nil || !reflect.DeepEqual(values(numbers), [][]uint64{{1, 2, 3}, {4, 5, 6}}) {
		t.Errorf("got %v, %v", values(numbers), err)
	}
	flags, err := Read(Source{Rows: Lines(strings.NewReader("1;0;true\n")), Now: now}, ParseFlags, fine)
	if err != nil || !reflect.DeepEqual(values(flags), [][]bool{{true, false, true}}) {
		t.Errorf("got %v, %v", values(flags), err)
	}
}

func TestBuckets(t *testing.T) {
	edges, err := vdafspec.Parse("histogram:edges=0;10;20")
	if err != nil {
		t.Fatal(err)
	}
	indices, err := vdafspec.Parse("histogram:length=4")
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(Source{Rows: Lines(strings.NewReader("-3\n0\n9.99\n1e1\n20\n+7")), Now: now}, BucketParser(edges), fine)
	if err != nil || !reflect.DeepEqual(values(got), []int{0, 1, 1, 2, 3, 1}) {
		t.Errorf("got %v, %v", values(got), err)
	}
	got, err = Read(Source{Rows: Value("3"), Now: now}, BucketParser(indices), fine)
	if err != nil || !reflect.DeepEqual(values(got), []int{3}) {
		t.Errorf("got %v, %v", values(got), err)
	}
}

func TestErrors(t *testing.T) {
	edges, err := vdafspec.Parse("histogram:edges=0;10;20")
	if err != nil {
		t.Fatal(err)
	}
	read := func(s Source) error { _, err := Read(s, ParseNumber, fine); return err }
	lines := func(text string) Source { return Source{Rows: Lines(strings.NewReader(text)), Now: now} }
	for name, c := range map[string]struct {
		err      error
		mentions string
	}{
		"no heading":       {read(fromCSV("", "", "delay")), "no line with the names"},
		"no column":        {read(fromCSV("delay,hour\n1,2\n", "", "dealy")), `no column "dealy"; the file has delay, hour`},
		"no time column":   {read(fromCSV("delay,hour\n1,2\n", "when", "delay")), `no column "when"`},
		"two columns":      {read(fromCSV("delay,delay\n1,2\n", "", "delay")), "two columns"},
		"text":             {read(fromCSV("delay\n1\nlate\n", "", "delay")), "line 3: column delay: is not a whole number"},
		"negative":         {read(fromCSV("delay\n-1\n", "", "delay")), "line 2: column delay: is not a whole number"},
		"fraction":         {read(fromCSV("delay\n1.5\n", "", "delay")), "line 2"},
		"empty cell":       {read(fromCSV("delay,hour\n1,2\n,3\n", "", "delay")), "line 3: column delay: the cell is empty"},
		"empty time":       {read(fromCSV("delay,when\n1,\n", "when", "delay")), "line 2: column when: the cell is empty"},
		"bad time":         {read(fromCSV("delay,when\n1,noon\n", "when", "delay")), "line 2: column when: is not a time"},
		"early time":       {read(fromCSV("delay,when\n1,-5\n", "when", "delay")), "line 2: column when: is not a time"},
		"ragged":           {read(fromCSV("delay,hour\n1,2\n3\n", "", "delay")), "line 3: not CSV"},
		"quotes":           {read(fromCSV("delay\n\"1\n", "", "delay")), "not CSV"},
		"no rows":          {read(fromCSV("delay\n", "", "delay")), "no measurements"},
		"two for a number": {read(fromCSV("a,b\n1,2\n", "", "a", "b")), "this task takes one"},
		"empty line":       {read(lines("1\n\n2\n")), "line 2: the line is empty"},
		"no lines":         {read(lines("")), "no measurements"},
		"long line":        {read(lines(strings.Repeat("1", maxLine+1))), "line 1"},
		"a late quote":     {read(fromCSV("a,b\n1,\"x\ny\"\nz,3\n", "", "a")), "line 4: column a"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.mentions) {
			t.Errorf("%s: got %v, want %q", name, c.err, c.mentions)
		}
	}
	for name, err := range map[string]error{
		"flag":    second(Read(lines("yes"), ParseFlag, fine)),
		"flags":   second(Read(lines("1;2"), ParseFlags, fine)),
		"numbers": second(Read(lines("1;x"), ParseNumbers, fine)),
		"bucket":  second(Read(lines("NaN"), BucketParser(edges), fine)),
		"index":   second(Read(lines("1.5"), BucketParser(vdafspec.Spec{}), fine)),
		"columns": second(Read(fromCSV("a,b\n1,2\n", "", "a", "b"), BucketParser(edges), fine)),
	} {
		if _, ok := errors.AsType[*RowError](err); !ok {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestCheckNamesTheLine(t *testing.T) {
	bad := errors.New("out of range")
	_, err := Read(fromCSV("delay\n1\n2\n3\n", "", "delay"), ParseNumber, func(m client.Measurement[uint64]) error {
		if m.Value == 2 {
			return bad
		}
		return nil
	})
	if row, ok := errors.AsType[*RowError](err); !ok || row.Line != 3 || !errors.Is(err, bad) {
		t.Errorf("got %v", err)
	}
}

func TestMeasurementsAreNotInErrors(t *testing.T) {
	for _, source := range []Source{fromCSV("delay\n4711x\n", "", "delay"), {Rows: Value("4711x"), Now: now}} {
		_, err := Read(source, ParseNumber, fine)
		if err == nil || strings.Contains(err.Error(), "4711") {
			t.Errorf("got %v", err)
		}
	}
}

func FuzzCSV(f *testing.F) {
	f.Add("delay,hour\n1,2\n", "delay")
	f.Add("a;b\n\"1\"\n", "a")
	f.Add("\ufeffa\n1\n\n2\n", "a")
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, text, column string) {
		measurements, err := Read(fromCSV(text, "", column), ParseNumbers, fine)
		_, isInput := errors.AsType[*InputError](err)
		_, isRow := errors.AsType[*RowError](err)
		if err != nil && !isInput && !isRow {
			t.Fatalf("error of type %T", err)
		}
		if err == nil && len(measurements) == 0 {
			t.Fatal("nothing was read, and there is no error")
		}
	})
}
