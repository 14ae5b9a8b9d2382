package dap

import (
	"errors"
	"slices"
	"testing"
)

func reportExtensions(types ...ExtensionType) (list []Extension) {
	for _, t := range types {
		list = append(list, Extension{Type: t})
	}
	return list
}

func TestCheckReportExtensions(t *testing.T) {
	known := func(e ExtensionType) bool { return e < 10 }
	tests := []struct {
		name        string
		public      []Extension
		private     []Extension
		known       func(ExtensionType) bool
		want        ReportError
		unsupported []ExtensionType
	}{
		{"none", nil, nil, nil, 0, nil},
		{"increasing", reportExtensions(1, 5), reportExtensions(2, 3, 9), known, 0, nil},
		{"none is known", reportExtensions(1), nil, nil, 8, []ExtensionType{1}},
		{"unknown public and private", reportExtensions(1, 23), reportExtensions(42), known, 8, []ExtensionType{23, 42}},
		{"unknown twice", reportExtensions(23), reportExtensions(23), known, 8, []ExtensionType{23, 23}},
		{"public repeated", reportExtensions(2, 2), nil, known, 8, nil},
		{"public unsorted", reportExtensions(3, 2), nil, known, 8, nil},
		{"private repeated", nil, reportExtensions(0, 0), known, 8, nil},
		{"private unsorted", nil, reportExtensions(1, 4, 3), known, 8, nil},
		{"in both, first", reportExtensions(1, 2), reportExtensions(1), known, 8, nil},
		{"in both, last", reportExtensions(1, 2, 7), reportExtensions(0, 3, 7), known, 8, nil},
		{"unknown and unsorted", reportExtensions(11, 2), nil, known, 8, []ExtensionType{11}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, unsupported := CheckReportExtensions(test.public, test.private, test.known)
			if got != test.want || !slices.Equal(unsupported, test.unsupported) {
				t.Errorf("%v, %v; want %v, %v", got, unsupported, test.want, test.unsupported)
			}
		})
	}
}

// wantError fails the test unless err is an *Error of that type.
func wantError(t testing.TB, err error, want ErrorType) *Error {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Type != want {
		t.Fatalf("error %v; want an *Error of type %s", err, want)
	}
	return e
}

func TestCheckAggregationJobExtensions(t *testing.T) {
	known := func(e AggregationJobExtensionType) bool { return e < 10 }
	list := func(types ...AggregationJobExtensionType) (list []AggregationJobExtension) {
		for _, t := range types {
			list = append(list, AggregationJobExtension{Type: t})
		}
		return list
	}
	for _, good := range [][]AggregationJobExtension{nil, list(1), list(0, 4, 9)} {
		if err := CheckAggregationJobExtensions(good, known); err != nil {
			t.Errorf("%v: %v", good, err)
		}
	}
	for _, unsorted := range [][]AggregationJobExtension{list(1, 1), list(1, 3, 2)} {
		wantError(t, CheckAggregationJobExtensions(unsorted, known), ErrorTypeInvalidMessage)
	}
	e := wantError(t, CheckAggregationJobExtensions(list(42, 1, 23), known), ErrorTypeUnsupportedExtension)
	if !slices.Equal(e.UnsupportedExtensions, []uint16{42, 23}) {
		t.Errorf("unsupported extensions %v; want [42 23]", e.UnsupportedExtensions)
	}
	wantError(t, CheckAggregationJobExtensions(list(1), nil), ErrorTypeUnsupportedExtension)
}

func TestCheckCollectionJobExtensions(t *testing.T) {
	known := func(e CollectionJobExtensionType) bool { return e < 10 }
	list := func(types ...CollectionJobExtensionType) (list []CollectionJobExtension) {
		for _, t := range types {
			list = append(list, CollectionJobExtension{Type: t})
		}
		return list
	}
	for _, good := range [][]CollectionJobExtension{nil, list(1), list(0, 4, 9)} {
		if err := CheckCollectionJobExtensions(good, known); err != nil {
			t.Errorf("%v: %v", good, err)
		}
	}
	for _, unsorted := range [][]CollectionJobExtension{list(1, 1), list(1, 3, 2)} {
		wantError(t, CheckCollectionJobExtensions(unsorted, known), ErrorTypeInvalidExtension)
	}
	e := wantError(t, CheckCollectionJobExtensions(list(42, 1, 23), known), ErrorTypeUnsupportedExtension)
	if !slices.Equal(e.UnsupportedExtensions, []uint16{42, 23}) {
		t.Errorf("unsupported extensions %v; want [42 23]", e.UnsupportedExtensions)
	}
	wantError(t, CheckCollectionJobExtensions(list(1), nil), ErrorTypeUnsupportedExtension)
}
