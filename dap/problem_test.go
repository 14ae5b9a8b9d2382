package dap

import (
	"errors"
	"fmt"
	"testing"
)

func TestErrorTypes(t *testing.T) {
	for _, token := range []string{
		"invalidMessage", "unrecognizedTask", "unrecognizedAggregationJob", "batchInvalid", "invalidBatchSize", "invalidAggregationParameter",
		"batchMismatch", "stepMismatch", "batchOverlap", "unsupportedExtension", "invalidExtension", "invalidTask",
	} {
		urn := "urn:ietf:params:ppm:dap:error:" + token
		got, ok := ParseErrorURN(urn)
		if !ok || string(got) != token || got.URN() != urn {
			t.Errorf("%s: %q, %v, URN %s", urn, got, ok, got.URN())
		}
	}
	for _, urn := range []string{
		"", "invalidMessage", "urn:ietf:params:ppm:dap:error:", "urn:ietf:params:ppm:dap:error:invalidmessage",
		"urn:ietf:params:ppm:dap:error:somethingElse", "about:blank", "https://example.com/invalidMessage", "URN:ietf:params:ppm:dap:error:invalidMessage",
	} {
		if got, ok := ParseErrorURN(urn); ok || got != "" {
			t.Errorf("%q is parsed as %q", urn, got)
		}
	}
}

func TestError(t *testing.T) {
	plain := &Error{Type: ErrorTypeBatchInvalid, Detail: "why"}
	if got := plain.Error(); got != "dap: batchInvalid: why" {
		t.Error(got)
	}
	inTask := plain.InTask(TaskID{})
	if got := inTask.Error(); got != "dap: batchInvalid (task AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA): why" {
		t.Error(got)
	}
	if plain.TaskID != nil {
		t.Error("InTask changed the error itself")
	}
	if got, ok := ErrorTypeOf(fmt.Errorf("around: %w", inTask)); got != ErrorTypeBatchInvalid || !ok {
		t.Errorf("ErrorTypeOf: %s, %v", got, ok)
	}
	if got, ok := ErrorTypeOf(errors.New("other")); ok {
		t.Errorf("ErrorTypeOf another error: %s", got)
	}
}

func TestMediaTypes(t *testing.T) {
	all := []MediaType{
		MediaTypeHpkeConfigList, MediaTypeUploadRequest, MediaTypeUploadErrors, MediaTypeAggregationJobInitReq, MediaTypeAggregationJobResp,
		MediaTypeAggregationJobContinueReq, MediaTypeAggregateShareReq, MediaTypeAggregateShare, MediaTypeCollectionJobReq, MediaTypeCollectionJobResp,
	}
	for _, want := range all {
		for _, got := range all {
			if err := want.Check(string(got)); (err == nil) != (got == want) {
				t.Errorf("%s checked against %s: %v", got, want, err)
			}
		}
	}
}

func TestMediaTypeCheck(t *testing.T) {
	const want = MediaTypeUploadRequest
	for _, good := range []string{
		"application/ppm-dap;message=upload-req", "application/ppm-dap; message=upload-req", "Application/PPM-DAP ; Message=upload-req",
		`application/ppm-dap;message="upload-req"`, "application/ppm-dap;message=upload-req;version=18", "application/ppm-dap;version=09;message=upload-req",
	} {
		if err := want.Check(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "application/ppm-dap", "application/ppm-dap;message=", "application/ppm-dap;message=Upload-Req", "application/ppm-dap;message=upload-errors",
		"application/octet-stream;message=upload-req", "application/ppm-dap;message=upload-req;message=x",
		"application/ppm-dap;message=upload-req x", "application/ppm-dap;messages=upload-req", "application/ppm-dap, application/ppm-dap;message=upload-req",
		"application/dap-upload-req", "ppm-dap;message=upload-req", "application/ppm-dap;message=upload-req;broken",
	} {
		err := want.Check(bad)
		e, ok := errors.AsType[*MediaTypeError](err)
		if !ok || e.Want != want || e.Got != bad {
			t.Errorf("%q: %v; want a *MediaTypeError", bad, err)
		}
	}
}
