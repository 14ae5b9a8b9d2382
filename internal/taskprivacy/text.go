package taskprivacy

import (
	"fmt"
	"math/big"
	"regexp"

	"github.com/twofold-dap/twofold/dp"
)

// number is a decimal number or a fraction, with few enough digits to fit into the extension if it can at all.
var number = regexp.MustCompile(`^([0-9]{1,20}(\.[0-9]{1,19})?|[0-9]{1,20}/[0-9]{1,20})$`)

// ParseRational reads a level or a budget as people write it: "1", "0.5" or "1/3". dp.Decimal writes it. Its error is an *Error.
func ParseRational(text string) (*big.Rat, error) {
	if !number.MatchString(text) {
		return nil, &Error{fmt.Sprintf("%.60q is not a number; write one such as 1, 0.5 or 1/3", text)}
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, &Error{fmt.Sprintf("%.60q is divided by 0", text)}
	}
	if r.Sign() == 0 {
		return nil, &Error{"0 is no level of privacy; write a number above 0"}
	}
	return r, nil
}

// Neighbouring relations as people write them.
const (
	ReplaceOneName = "replace-one"
	RemoveOneName  = "remove-one"
)

// NeighboursName is a neighbouring relation as people write it.
func NeighboursName(n dp.Neighbours) string {
	if n == dp.RemoveOne {
		return RemoveOneName
	}
	return ReplaceOneName
}

// ParseNeighbours is the inverse of NeighboursName. Its error is an *Error.
func ParseNeighbours(text string) (dp.Neighbours, error) {
	for _, n := range []dp.Neighbours{dp.ReplaceOne, dp.RemoveOne} {
		if text == NeighboursName(n) {
			return n, nil
		}
	}
	return 0, &Error{fmt.Sprintf("%.60q is not a neighbouring relation; write %s or %s", text, ReplaceOneName, RemoveOneName)}
}
