package main

import (
	"crypto/rand"
	"fmt"

	"github.com/cloudflare/circl/vdaf/prio3/count"
	"github.com/cloudflare/circl/vdaf/prio3/histogram"
	"github.com/cloudflare/circl/vdaf/prio3/mhcv"
	"github.com/cloudflare/circl/vdaf/prio3/sum"
	"github.com/cloudflare/circl/vdaf/prio3/sumvec"
)

// circl is a workload of circl's Prio3. Its types differ by field; the
// functions of steps hide that, and pass values of those types as any.
type circl struct {
	steps   circlSteps
	reports []circlReport
}

type circlSteps struct {
	shard func(i int) (publicShare []byte, inputShares [2][]byte, err error)
	// init decodes the shares and begins the verification.
	init func(aggID uint8, nonce *count.Nonce, publicShare, inputShare []byte) (state, prepShare any, err error)
	// encode encodes a prep share.
	encode func(prepShare any) ([]byte, error)
	// message decodes the Leader's prep share and combines it with the Helper's.
	message func(leader []byte, helper any) (*count.PrepMessage, error)
	// decode decodes a prep message.
	decode func(message []byte) (*count.PrepMessage, error)
	next   func(state any, message *count.PrepMessage) (outShare any, err error)
	// aggregator returns a function that adds output shares to a new aggregate share.
	aggregator func() (add func(outShare any), aggShare any)
	unshard    func(aggShares [2]any, reports int) (string, error)
}

// circlReport is one report and everything that becomes of it.
type circlReport struct {
	nonce       count.Nonce
	publicShare []byte
	inputShares [2][]byte
	states      [2]any
	helperShare any
	leaderShare []byte
	message     []byte
	outShares   [2]any
}

func prepareCircl(w workload) (bench, error) {
	steps, err := newCirclSteps(w)
	if err != nil {
		return nil, err
	}
	c := &circl{steps: steps}
	for i := range w.reports {
		r := circlReport{nonce: nonceOf(i)}
		if r.publicShare, r.inputShares, err = steps.shard(i); err != nil {
			return nil, err
		}
		if err := c.verify(&r); err != nil {
			return nil, err
		}
		c.reports = append(c.reports, r)
	}
	return c, nil
}

func newCirclSteps(w workload) (circlSteps, error) {
	length, chunk := uint(w.length), uint(w.chunk)
	switch w.kind {
	case "count":
		v, err := count.New(2, applicationContext)
		if err != nil {
			return circlSteps{}, err
		}
		return circl64(v, newCirclShares64(v.Params(), (*count.InputShare).New, (*count.PrepShare).New, (*count.PublicShare).New, (*count.PrepMessage).New), measurements(w, w.flag), number), nil
	case "sum":
		v, err := sum.New(2, w.max, applicationContext)
		if err != nil {
			return circlSteps{}, err
		}
		return circl64(v, newCirclShares64(v.Params(), (*count.InputShare).New, (*count.PrepShare).New, (*count.PublicShare).New, (*count.PrepMessage).New), measurements(w, w.number), number), nil
	case "histogram":
		v, err := histogram.New(2, length, chunk, applicationContext)
		if err != nil {
			return circlSteps{}, err
		}
		bucket := func(i int) uint64 { return uint64(w.bucket(i)) }
		return circl128(v, newCirclShares128(v.Params(), (*histogram.InputShare).New, (*histogram.PrepShare).New, (*histogram.PublicShare).New, (*histogram.PrepMessage).New), measurements(w, bucket), joined), nil
	case "multihot":
		v, err := mhcv.New(2, length, uint(w.weight), chunk, applicationContext)
		if err != nil {
			return circlSteps{}, err
		}
		return circl128(v, newCirclShares128(v.Params(), (*histogram.InputShare).New, (*histogram.PrepShare).New, (*histogram.PublicShare).New, (*histogram.PrepMessage).New), measurements(w, w.flags), joined), nil
	case "sumvec":
		v, err := sumvec.New(2, length, uint(w.elements()/w.length), chunk, applicationContext)
		if err != nil {
			return circlSteps{}, err
		}
		return circl128(v, newCirclShares128(v.Params(), (*histogram.InputShare).New, (*histogram.PrepShare).New, (*histogram.PublicShare).New, (*histogram.PrepMessage).New), measurements(w, w.vector), joined), nil
	}
	return circlSteps{}, fmt.Errorf("unknown type %q", w.kind)
}

// randomness draws what sharding consumes.
func randomness(size uint) ([]byte, error) {
	b := make([]byte, size)
	_, err := rand.Read(b)
	return b, err
}

// verify takes a report that is sharded through the verification.
func (c *circl) verify(r *circlReport) (err error) {
	if r.states[0], r.leaderShare, err = c.leaderInit(r); err != nil {
		return err
	}
	if r.states[1], r.helperShare, err = c.helperInit(r); err != nil {
		return err
	}
	if r.message, r.outShares[1], err = c.helperRest(r); err != nil {
		return err
	}
	r.outShares[0], err = c.leaderRest(r)
	return err
}

// leaderInit encodes the prep share, because the Leader sends it.
func (c *circl) leaderInit(r *circlReport) (state any, encoded []byte, err error) {
	state, prepShare, err := c.steps.init(0, &r.nonce, r.publicShare, r.inputShares[0])
	if err != nil {
		return nil, nil, err
	}
	encoded, err = c.steps.encode(prepShare)
	return state, encoded, err
}

func (c *circl) helperInit(r *circlReport) (state, prepShare any, err error) {
	return c.steps.init(1, &r.nonce, r.publicShare, r.inputShares[1])
}

func (c *circl) leaderRest(r *circlReport) (outShare any, err error) {
	message, err := c.steps.decode(r.message)
	if err != nil {
		return nil, err
	}
	return c.steps.next(r.states[0], message)
}

// helperRest: the Helper has its own prep share in memory, gets the Leader's,
// and sends the message.
func (c *circl) helperRest(r *circlReport) (encoded []byte, outShare any, err error) {
	message, err := c.steps.message(r.leaderShare, r.helperShare)
	if err != nil {
		return nil, nil, err
	}
	if encoded, err = message.MarshalBinary(); err != nil {
		return nil, nil, err
	}
	outShare, err = c.steps.next(r.states[1], message)
	return encoded, outShare, err
}

func (c *circl) result() (string, error) {
	var aggShares [2]any
	for aggID := range aggShares {
		add, aggShare := c.steps.aggregator()
		for _, r := range c.reports {
			add(r.outShares[aggID])
		}
		aggShares[aggID] = aggShare
	}
	return c.steps.unshard(aggShares, len(c.reports))
}

func (c *circl) report() [4][]byte {
	r := c.reports[0]
	return [4][]byte{r.nonce[:], r.publicShare, r.inputShares[0], r.inputShares[1]}
}

func (c *circl) trace(report [4][]byte) (messages [3][]byte, err error) {
	r := circlReport{publicShare: report[1], inputShares: [2][]byte(report[2:])}
	if copy(r.nonce[:], report[0]) != len(r.nonce) {
		return messages, fmt.Errorf("the nonce has %d bytes", len(report[0]))
	}
	if err := c.verify(&r); err != nil {
		return messages, err
	}
	helperShare, err := c.steps.encode(r.helperShare)
	return [3][]byte{r.leaderShare, helperShare, r.message}, err
}

// pass takes one report after the other: circl has no batches.
func (c *circl) pass(s step, _ by) (func() error, error) {
	var one func(i int, r *circlReport) error
	switch s {
	case stepShard:
		one = func(i int, _ *circlReport) error { _, _, err := c.steps.shard(i); return err }
	case stepLeaderInit:
		one = func(_ int, r *circlReport) error { _, _, err := c.leaderInit(r); return err }
	case stepLeaderRest:
		one = func(_ int, r *circlReport) error { _, err := c.leaderRest(r); return err }
	case stepHelperInit:
		one = func(_ int, r *circlReport) error { _, _, err := c.helperInit(r); return err }
	case stepHelperRest:
		one = func(_ int, r *circlReport) error { _, _, err := c.helperRest(r); return err }
	case stepAggregate:
		add, _ := c.steps.aggregator()
		one = func(_ int, r *circlReport) error { add(r.outShares[0]); return nil }
	default:
		return nil, fmt.Errorf("unknown step %q", s)
	}
	return func() error {
		for i := range c.reports {
			if err := one(i, &c.reports[i]); err != nil {
				return err
			}
		}
		return nil
	}, nil
}
