package main

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/twofold-dap/twofold/vdaf"
)

var (
	verifyKey          = [32]byte(bytes.Repeat([]byte{7}, 32))
	applicationContext = []byte("twofold bench/peers")
)

// nonceOf is report i's nonce.
func nonceOf(i int) (nonce [16]byte) {
	binary.BigEndian.PutUint64(nonce[8:], uint64(i))
	return nonce
}

// twofold is a workload of this module.
type twofold struct {
	v       vdaf.Verifier
	shard   func(i int) (publicShare []byte, inputShares [][]byte, err error)
	unshard func(aggShares [][]byte, reports int) (string, error)

	reports   [2][]vdaf.Report // of the Leader and of the Helper
	states    [2][]vdaf.State
	shares    [][][]byte // the verifier shares
	messages  [][]byte
	outShares [2][]vdaf.OutShare
}

func prepareTwofold(w workload) (bench, error) {
	var t *twofold
	switch w.kind {
	case "count":
		v, err := vdaf.NewPrio3Count(2)
		if err != nil {
			return nil, err
		}
		t = newTwofold(v, measurements(w, w.flag), number)
	case "sum":
		v, err := vdaf.NewPrio3Sum(2, w.max)
		if err != nil {
			return nil, err
		}
		t = newTwofold(v, measurements(w, w.number), number)
	case "histogram":
		v, err := vdaf.NewPrio3Histogram(2, w.length, w.chunk)
		if err != nil {
			return nil, err
		}
		t = newTwofold(v, measurements(w, w.bucket), joined)
	case "multihot":
		v, err := vdaf.NewPrio3MultihotCountVec(2, w.length, w.weight, w.chunk)
		if err != nil {
			return nil, err
		}
		t = newTwofold(v, measurements(w, w.flags), joined)
	case "sumvec":
		v, err := vdaf.NewPrio3SumVec(2, w.length, w.max, w.chunk)
		if err != nil {
			return nil, err
		}
		t = newTwofold(v, measurements(w, w.vector), joined)
	default:
		return nil, fmt.Errorf("unknown type %q", w.kind)
	}
	return t, t.verify(w.reports)
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

func newTwofold[M, R any](v vdaf.VDAF[M, R], measurements []M, show func(R) string) *twofold {
	return &twofold{
		v: v,
		shard: func(i int) ([]byte, [][]byte, error) {
			nonce, random := nonceOf(i), make([]byte, v.RandSize())
			if _, err := rand.Read(random); err != nil {
				return nil, nil, err
			}
			return v.Shard(applicationContext, measurements[i], nonce[:], random)
		},
		unshard: func(aggShares [][]byte, reports int) (string, error) {
			result, err := v.Unshard(nil, aggShares, uint64(reports))
			if err != nil {
				return "", err
			}
			return show(result), nil
		},
	}
}

// verify shards all the measurements and verifies the reports.
func (t *twofold) verify(reports int) error {
	for i := range reports {
		nonce := nonceOf(i)
		publicShare, inputShares, err := t.shard(i)
		if err != nil {
			return err
		}
		for aggID := range 2 {
			t.reports[aggID] = append(t.reports[aggID], vdaf.Report{Nonce: nonce[:], PublicShare: publicShare, InputShare: inputShares[aggID]})
		}
	}
	t.shares = make([][][]byte, reports)
	for aggID := range 2 {
		for i, r := range t.v.VerifyInit(verifyKey[:], applicationContext, aggID, nil, t.reports[aggID]) {
			if r.Err != nil {
				return r.Err
			}
			t.states[aggID] = append(t.states[aggID], r.State)
			t.shares[i] = append(t.shares[i], r.VerifierShare)
		}
	}
	for _, r := range t.v.VerifierSharesToMessage(applicationContext, nil, 0, t.shares) {
		if r.Err != nil {
			return r.Err
		}
		t.messages = append(t.messages, r.Message)
	}
	for aggID := range 2 {
		for _, r := range t.v.VerifyNext(applicationContext, t.states[aggID], t.messages) {
			if r.Err != nil {
				return r.Err
			}
			t.outShares[aggID] = append(t.outShares[aggID], r.OutShare)
		}
	}
	return nil
}

func (t *twofold) result() (string, error) {
	aggShares := make([][]byte, 2)
	for aggID := range aggShares {
		var err error
		if aggShares[aggID], err = t.v.AggUpdate(nil, t.v.AggInit(nil), t.outShares[aggID]); err != nil {
			return "", err
		}
	}
	return t.unshard(aggShares, len(t.shares))
}

func (t *twofold) report() [4][]byte {
	leader, helper := t.reports[0][0], t.reports[1][0]
	return [4][]byte{leader.Nonce, leader.PublicShare, leader.InputShare, helper.InputShare}
}

func (t *twofold) trace(report [4][]byte) (messages [3][]byte, err error) {
	for aggID := range 2 {
		r := t.v.VerifyInit(verifyKey[:], applicationContext, aggID, nil, []vdaf.Report{{Nonce: report[0], PublicShare: report[1], InputShare: report[2+aggID]}})[0]
		if r.Err != nil {
			return messages, r.Err
		}
		messages[aggID] = r.VerifierShare
	}
	r := t.v.VerifierSharesToMessage(applicationContext, nil, 0, [][][]byte{messages[:2]})[0]
	messages[2] = r.Message
	return messages, r.Err
}

// pass takes the reports through a step in one call, or in a call for each.
func (t *twofold) pass(s step, b by) (func() error, error) {
	var call func(from, to int) error
	switch s {
	case stepShard:
		call = t.shardRange
	case stepLeaderInit, stepHelperInit:
		aggID := 0
		if s == stepHelperInit {
			aggID = 1
		}
		call = func(from, to int) error { return t.init(aggID, from, to) }
	case stepLeaderRest:
		call = func(from, to int) error { return t.next(0, t.messages[from:to], from, to) }
	case stepHelperRest:
		call = t.helperRest
	case stepAggregate:
		aggShare := t.v.AggInit(nil)
		call = func(from, to int) (err error) {
			aggShare, err = t.v.AggUpdate(nil, aggShare, t.outShares[0][from:to])
			return err
		}
	default:
		return nil, fmt.Errorf("unknown step %q", s)
	}
	size := len(t.shares)
	if b == byOne {
		size = 1
	}
	return func() error {
		for from := 0; from < len(t.shares); from += size {
			if err := call(from, min(from+size, len(t.shares))); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

func (t *twofold) shardRange(from, to int) error {
	for i := from; i < to; i++ {
		if _, _, err := t.shard(i); err != nil {
			return err
		}
	}
	return nil
}

func (t *twofold) init(aggID, from, to int) error {
	for _, r := range t.v.VerifyInit(verifyKey[:], applicationContext, aggID, nil, t.reports[aggID][from:to]) {
		if r.Err != nil {
			return r.Err
		}
	}
	return nil
}

func (t *twofold) next(aggID int, messages [][]byte, from, to int) error {
	for _, r := range t.v.VerifyNext(applicationContext, t.states[aggID][from:to], messages) {
		if r.Err != nil {
			return r.Err
		}
	}
	return nil
}

func (t *twofold) helperRest(from, to int) error {
	messages := make([][]byte, 0, to-from)
	for _, r := range t.v.VerifierSharesToMessage(applicationContext, nil, 0, t.shares[from:to]) {
		if r.Err != nil {
			return r.Err
		}
		messages = append(messages, r.Message)
	}
	return t.next(1, messages, from, to)
}
