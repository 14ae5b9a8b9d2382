package dp

import (
	"fmt"
	"math/big"
)

// Describe says in one line what noise each Aggregator adds, such as "discrete Laplace noise with the scale 2,
// for ε = 1 of each report, replace one".
func (m *Mechanism) Describe() string {
	p := &m.parameters
	if p.Kind == PureEpsilon {
		return fmt.Sprintf("discrete Laplace noise with the scale %s, for ε = %s of each report, %s", Decimal(m.scale), Decimal(p.Level), p.Neighbours)
	}
	return fmt.Sprintf("discrete Gaussian noise with σ² = %s, for ρ = %s of each report, %s", Decimal(m.scale), Decimal(p.Level), p.Neighbours)
}

// Decimal returns a rational for people: as a decimal number if it is one of at most 12 digits after the point, else as
// a fraction.
func Decimal(r *big.Rat) string {
	const most = 12
	if digits, exact := r.FloatPrec(); exact && digits <= most {
		return r.FloatString(digits)
	}
	return r.RatString()
}
