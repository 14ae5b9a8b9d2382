// Package dp makes aggregate results differentially private. It has exact samplers of the discrete
// Laplace and the discrete Gaussian distributions, the sensitivities of the aggregation functions,
// the mechanisms that add noise to an aggregate share (DAP Section 8.5), the bound up to which a
// result with its noise does not wrap around the field, and the accountant that says what a task
// has spent. docs/privacy.md derives what is used here.
//
// # Usage
//
// A Mechanism is made of an aggregation function and Parameters, and refuses those that are unsound.
// Each Aggregator draws the full noise and adds it to its own aggregate share, so that the result is
// private as long as one of the two is honest:
//
//	mechanism, err := dp.NewMechanism(dp.Histogram(20), parameters)
//	noise, err := mechanism.Draw(rand.Reader)
//	noised, err := noise.AddTo(aggregateShare)
//
// # Exactness
//
// The samplers follow "The Discrete Gaussian for Differential Privacy" (Canonne, Kamath, Steinke,
// 2020), and compute with integers and rationals of any size: there is no floating point in them, no
// rounding and no overflow. Random bits come from the caller's io.Reader. Only EpsilonOf, which shows a
// zero-concentrated level to people as (ε, δ), computes with floating point, and rounds up.
//
// # Secrets
//
// Noise, and the random bits that it is made of, are secret: who knows them can take the noise off.
// A Noise redacts itself when it is printed. Sampling by rejection takes a time that depends on the
// noise, so noise is drawn before it is needed and not while somebody waits for the answer that it goes into; adding it to
// a share is constant time. Parameters, sensitivities and what was spent are public.
package dp
