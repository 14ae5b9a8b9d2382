package daphttp

import (
	"encoding/json"
	"fmt"
	"mime"
	"strings"
	"unicode"

	"github.com/twofold-dap/twofold/dap"
)

// ProblemMediaType is the media type of a problem document (RFC 9457).
const ProblemMediaType = "application/problem+json"

// MaxProblemBytes is the length in bytes up to which a peer's problem document is read.
const MaxProblemBytes = 64 << 10

// maxDetail bounds the text, in bytes, that is taken from a peer's problem document.
const maxDetail = 512

// Problem is a problem document (RFC 9457) with DAP's members (DAP Sections 3.6
// and 4.4.2.2).
type Problem struct {
	// Type is a URN of DAP or "about:blank".
	Type   string `json:"type"`
	Title  string `json:"title,omitempty"`
	Status int    `json:"status,omitempty"`
	Detail string `json:"detail,omitempty"`
	// TaskID is the task's ID in URL-safe, unpadded Base64, if it is known.
	TaskID string `json:"taskid,omitempty"`
	// UnsupportedExtensions are the code points of extensions that were not
	// recognized.
	UnsupportedExtensions []uint16 `json:"unsupported_extensions,omitempty"`
}

// DecodeProblem decodes a peer's problem document. Members that it does not
// know are ignored, as RFC 9457 asks; text is cut to a few hundred bytes and stripped of control
// characters, so that it can be logged and shown. It reports false if the
// answer is none: another media type, too long, or malformed.
func DecodeProblem(contentType string, body []byte) (Problem, bool) {
	name, _, err := mime.ParseMediaType(contentType)
	if err != nil || name != ProblemMediaType || len(body) > MaxProblemBytes {
		return Problem{}, false
	}
	var p Problem
	if err := json.Unmarshal(body, &p); err != nil {
		return Problem{}, false
	}
	p.Title, p.Detail = CleanText(p.Title), CleanText(p.Detail)
	return p, true
}

// DAPError returns the error of DAP that the problem document states, and
// false if its type is not one of the standards'. The error names the task if the document does.
func (p Problem) DAPError() (*dap.Error, bool) {
	errorType, ok := dap.ParseErrorURN(p.Type)
	if !ok {
		return nil, false
	}
	e := &dap.Error{Type: errorType, Detail: p.Detail}
	if id, err := dap.ParseTaskID(p.TaskID); err == nil {
		e.TaskID = &id
	}
	if errorType == dap.ErrorTypeUnsupportedExtension {
		e.UnsupportedExtensions = p.UnsupportedExtensions
	}
	return e, true
}

// Text describes a problem, or an error answer without one, in one line.
func (p Problem) Text(status int) string {
	text := p.Title
	if p.Detail != "" {
		if text != "" {
			text += ": "
		}
		text += p.Detail
	}
	if text == "" {
		return fmt.Sprintf("HTTP status %d", status)
	}
	return fmt.Sprintf("HTTP status %d: %s", status, text)
}

// CleanText makes a stranger's text fit to be shown in one line: valid UTF-8,
// at most a few hundred bytes, spaces for control and formatting characters.
func CleanText(s string) string {
	cut := len(s) > maxDetail
	if cut {
		s = s[:maxDetail]
	}
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if cut {
		s += "..."
	}
	return strings.TrimSpace(s)
}
