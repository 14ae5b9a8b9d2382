package dap

import (
	"fmt"
	"mime"
	"strings"
)

// MediaType is the media type of a message (DAP Section 9.1), as it stands in
// a Content-Type header.
type MediaType string

// The media types.
const (
	MediaTypeHpkeConfigList            MediaType = "application/ppm-dap;message=hpke-config-list"
	MediaTypeUploadRequest             MediaType = "application/ppm-dap;message=upload-req"
	MediaTypeUploadErrors              MediaType = "application/ppm-dap;message=upload-errors"
	MediaTypeAggregationJobInitReq     MediaType = "application/ppm-dap;message=aggregation-job-init-req"
	MediaTypeAggregationJobResp        MediaType = "application/ppm-dap;message=aggregation-job-resp"
	MediaTypeAggregationJobContinueReq MediaType = "application/ppm-dap;message=aggregation-job-continue-req"
	MediaTypeAggregateShareReq         MediaType = "application/ppm-dap;message=aggregate-share-req"
	MediaTypeAggregateShare            MediaType = "application/ppm-dap;message=aggregate-share"
	MediaTypeCollectionJobReq          MediaType = "application/ppm-dap;message=collection-job-req"
	MediaTypeCollectionJobResp         MediaType = "application/ppm-dap;message=collection-job-resp"
)

const (
	mediaTypeName    = "application/ppm-dap"
	mediaTypeMessage = "message"
)

// MediaTypeError says that a Content-Type is not the one expected.
type MediaTypeError struct {
	Want MediaType
	Got  string // as it came; empty if there was none
}

func (e *MediaTypeError) Error() string {
	if e.Got == "" {
		return fmt.Sprintf("dap: no Content-Type; it must be %s", e.Want)
	}
	return fmt.Sprintf("dap: Content-Type %q; it must be %s", e.Got, e.Want)
}

// Check checks that contentType, the value of a Content-Type header, is this
// media type: the same type and subtype in any case, and the same message
// parameter. Other parameters, such as the version that drafts allow as a
// hint, are ignored. Its error is a *MediaTypeError.
func (t MediaType) Check(contentType string) error {
	name, parameters, err := mime.ParseMediaType(contentType)
	_, message, _ := strings.Cut(string(t), ";"+mediaTypeMessage+"=")
	if err != nil || name != mediaTypeName || parameters[mediaTypeMessage] != message {
		return &MediaTypeError{Want: t, Got: contentType}
	}
	return nil
}
