package dp

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"sync/atomic"
)

// Mechanism adds noise to the aggregate shares of a task. It is immutable and safe for concurrent use.
type Mechanism struct {
	function   Function
	parameters Parameters
	draw       func(random io.Reader, n int) ([]*big.Int, error)
	scale      *big.Rat // of the discrete Laplace, or σ² of the discrete Gaussian
	bound      WrapBound
}

// NewMechanism returns the mechanism for results of that function: discrete Laplace noise with the
// scale Δ₁/ε, or discrete Gaussian noise with σ² = Δ₂²/2ρ, for each element of the result. Its error is a
// *ParameterError if a parameter is unsound, MaxBatchSize among them.
func NewMechanism(function Function, p Parameters) (*Mechanism, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	if function.length <= 0 {
		return nil, &ParameterError{"aggregation function", "has no elements"}
	}
	m := &Mechanism{function: function, parameters: p}
	if err := m.setDistribution(); err != nil {
		return nil, err
	}
	m.bound = wrapBound(m)
	switch {
	case m.bound.MaxBatchSize == 0:
		return nil, &ParameterError{"level", fmt.Sprintf("is so low that the noise may wrap around the field: it may be as great as %s; raise the level", m.bound.Noise)}
	case p.MaxBatchSize > m.bound.MaxBatchSize:
		return nil, &ParameterError{"maximum batch size", fmt.Sprintf("is %d; with more than %d reports the result may wrap around the field", p.MaxBatchSize, m.bound.MaxBatchSize)}
	}
	return m, nil
}

// setDistribution finds the scale.
func (m *Mechanism) setDistribution() error {
	l1, l2Squared, err := m.function.Sensitivity(m.parameters.Neighbours)
	if err != nil {
		return err
	}
	if l1.Sign() == 0 {
		return &ParameterError{"aggregation function", "has the sensitivity 0: it tells nothing"}
	}
	level := m.parameters.Level
	if m.parameters.Kind == PureEpsilon {
		m.scale = new(big.Rat).Quo(new(big.Rat).SetInt(l1), level)
		laplace, err := NewDiscreteLaplace(m.scale)
		if err != nil {
			return &ParameterError{"level", "makes no distribution: " + err.Error()}
		}
		m.draw = laplace.Sample
		return nil
	}
	m.scale = new(big.Rat).Quo(new(big.Rat).SetInt(l2Squared), new(big.Rat).Add(level, level))
	gaussian, err := NewDiscreteGaussian(m.scale)
	if err != nil {
		return &ParameterError{"level", "makes no distribution: " + err.Error()}
	}
	m.draw = gaussian.Sample
	return nil
}

// Parameters returns the parameters.
func (m *Mechanism) Parameters() Parameters { return m.parameters }

// Function returns the aggregation function.
func (m *Mechanism) Function() Function { return m.function }

// Scale returns the scale Δ₁/ε of the discrete Laplace noise of one Aggregator, or the σ² = Δ₂²/2ρ of its
// discrete Gaussian noise.
func (m *Mechanism) Scale() *big.Rat { return new(big.Rat).Set(m.scale) }

// WrapBound returns how many reports a batch may have at most, whatever the parameters say.
func (m *Mechanism) WrapBound() WrapBound { return m.bound }

// Noise is the noise of one Aggregator for one aggregate share. It redacts itself when printed, and can be
// added once: shares with the same noise would tell their difference.
type Noise struct {
	function Function
	encoded  atomic.Pointer[[]byte] // the encoded field elements; nil once it was added
}

// Draw draws noise with the random bits of the reader, crypto/rand's. Its errors are those of the reader, and
// ErrNotRandom. The time that it takes depends on the noise.
func (m *Mechanism) Draw(random io.Reader) (*Noise, error) {
	values, err := m.draw(random, m.function.length)
	if err != nil {
		return nil, err
	}
	encoded := m.function.noiseOf(values)
	for _, x := range values {
		wipe(x)
	}
	n := &Noise{function: m.function}
	n.encoded.Store(&encoded)
	return n, nil
}

// wipe clears the limbs of an integer.
func wipe(x *big.Int) {
	limbs := x.Bits()
	clear(limbs[:cap(limbs)])
	x.SetUint64(0)
}

// ErrNoiseUsed is the error of adding the same noise a second time.
var ErrNoiseUsed = errors.New("dp: this noise was added to a share before; draw it anew")

// AddTo returns the encoded aggregate share with the noise added, modulo the field. The share stays as it is.
// It is constant time, and can be called once: then the error is ErrNoiseUsed. A share that is not as many field elements as
// the function's results have is a *field.LengthError or *field.RangeError, and uses the noise up as well.
func (n *Noise) AddTo(share []byte) ([]byte, error) {
	encoded := n.encoded.Swap(nil)
	if encoded == nil {
		return nil, ErrNoiseUsed
	}
	defer clear(*encoded)
	return n.function.add(share, *encoded)
}

// Format prints a placeholder in place of the noise, whatever the verb.
func (n *Noise) Format(f fmt.State, _ rune) { io.WriteString(f, "Noise{redacted}") }

// LogValue logs a placeholder in place of the noise.
func (n *Noise) LogValue() slog.Value { return slog.StringValue("Noise{redacted}") }
