package api

import (
	"encoding/json"

	"github.com/twofold-dap/twofold/internal/daphttp"
)

// encodeProblem returns the JSON of a problem document.
func encodeProblem(p daphttp.Problem) []byte {
	body, err := json.Marshal(p)
	if err != nil {
		// Strings and numbers always have a JSON form.
		panic("problem document without a JSON form")
	}
	return body
}
