package wire

import (
	"math/big"
	"strings"
	"testing"
	"time"
)

func TestWriteCSV(t *testing.T) {
	at := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	noise := 1.5
	var b strings.Builder
	err := WriteCSV(&b, []Result{{Task: "id", Number: 3, Start: at, End: at.Add(time.Hour), ReportCount: 9, Values: []Value{
		{Label: `=1+"x"`, Value: big.NewInt(-2), StandardError: &noise, Low95: &noise, High95: &noise}, {Label: "-15 to below 0", Value: big.NewInt(4)},
	}}})
	want := "task,number,start,end,report_count,label,value,standard_error,low_95,high_95\n" +
		"id,3,2026-01-31T00:00:00Z,2026-01-31T01:00:00Z,9,\"'=1+\"\"x\"\"\",-2,1.5,1.5,1.5\n" +
		"id,3,2026-01-31T00:00:00Z,2026-01-31T01:00:00Z,9,-15 to below 0,4,,,\n"
	if err != nil || b.String() != want {
		t.Errorf("got %v\n%s", err, b.String())
	}
}
