package explain

import (
	"errors"
	"strings"
	"testing"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/dapclient"
)

func TestError(t *testing.T) {
	plain := errors.New("plain")
	if got := Error(plain); got != plain {
		t.Errorf("got %v", got)
	}
	for _, c := range []struct {
		err      error
		mentions string
	}{
		{&dap.Error{Type: dap.ErrorTypeUnrecognizedTask}, "task add"},
		{&dapclient.Error{Status: 409, Problem: &dap.Error{Type: dap.ErrorTypeBatchOverlap}}, "nothing can be collected twice"},
		{&dapclient.Error{Status: 401}, "the one that leader task add printed"},
		{&dapclient.Error{Status: 404}, "the task's URL may be wrong"},
	} {
		got := Error(c.err)
		if !errors.Is(got, c.err) || !strings.Contains(got.Error(), c.mentions) {
			t.Errorf("%v: got %v", c.err, got)
		}
	}
	for _, err := range []error{&dap.Error{Type: dap.ErrorTypeStepMismatch}, &dapclient.Error{Status: 500}} {
		if got := Error(err); got != err {
			t.Errorf("%v: got %v", err, got)
		}
	}
}
