package cli

import (
	"slices"
	"strings"
	"testing"
)

func TestIdentifiersLast(t *testing.T) {
	for args, want := range map[string]string{
		"jobs show -AAAAAAAAAAAAAAAAAAAAA --dir L":    "jobs show --dir L -- -AAAAAAAAAAAAAAAAAAAAA",
		"jobs show --dir L --_AAAAAAAAAAAAAAAAAAg":    "jobs show --dir L -- --_AAAAAAAAAAAAAAAAAAg",
		"jobs --task -AAAAAAAAAAAAAAAAAAAAA --dir L":  "jobs --task -AAAAAAAAAAAAAAAAAAAAA --dir L",
		"jobs show --dir L -- -AAAAAAAAAAAAAAAAAAAAA": "jobs show --dir L -- -AAAAAAAAAAAAAAAAAAAAA",
		"jobs show --dir L AAAAAAAAAAAAAAAAAAAAAA":    "jobs show --dir L AAAAAAAAAAAAAAAAAAAAAA",
		"collect --allow-plain-http --last 24h":       "collect --allow-plain-http --last 24h",
		"jobs show -AAAAAAAAAAAAAAAAAAAAB":            "jobs show -AAAAAAAAAAAAAAAAAAAAB",
	} {
		if got := identifiersLast(strings.Fields(args)); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: got %q", args, got)
		}
	}
}
