package bars

import (
	"testing"
	"unicode/utf8"
)

func TestBar(t *testing.T) {
	for _, c := range []struct {
		n, full float64
		want    string
	}{{0, 10, ""}, {-3, 10, ""}, {1, 0, ""}, {10, 10, "████"}, {20, 10, "████"}, {5, 10, "██"}, {1, 32, "▏"}, {0.0001, 10, "▏"}, {9, 32, "█▏"}, {31, 32, "███▉"}} {
		if got := Bar(c.n, c.full, 4); got != c.want || utf8.RuneCountInString(got) > 4 {
			t.Errorf("%g of %g: %q, want %q", c.n, c.full, got, c.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := Thousands(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
	if got := Group("-1234"); got != "-1,234" {
		t.Errorf("got %s", got)
	}
	if got := Percent(1, 3) + Percent(1, 0); got != "33.3 %0.0 %" {
		t.Errorf("got %s", got)
	}
}
