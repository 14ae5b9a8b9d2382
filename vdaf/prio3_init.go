package vdaf

import (
	"crypto/subtle"
	"fmt"

	"github.com/twofold-dap/twofold/field"
	"github.com/twofold-dap/twofold/xof"
)

// VerifyInit implements Verifier (verify_init of VDAF Section 7.2.2). It
// verifies four reports at a time, side by side.
func (p *Prio3[E]) VerifyInit(verifyKey, ctx []byte, aggID int, aggParam []byte, reports []Report) []InitResult {
	results := make([]InitResult, len(reports))
	if err := p.checkVerifyInit(verifyKey, ctx, aggID, aggParam); err != nil {
		for i := range results {
			results[i].Err = err
		}
		return results
	}
	sound := 0
	for i := range reports {
		if err := p.checkReport(aggID, &reports[i]); err != nil {
			results[i].Err = err
			continue
		}
		sound++
	}
	if sound == 0 {
		return results // without the memory that a verification takes
	}
	w := p.workspaces.Get().(*prio3Workspace[E])
	defer p.workspaces.Put(w)
	w.reserve(p, min(sound, laneCount), aggID)
	w.tags.set(p.id, ctx)

	b := initBatch[E]{p: p, w: w, verifyKey: verifyKey, aggID: aggID, reports: reports, results: results}
	b.allocate(sound)
	for i := range reports {
		if results[i].Err != nil {
			continue
		}
		if err := b.load(i); err != nil {
			results[i].Err = err
			continue
		}
		b.lanes[b.n] = i
		if b.n++; b.n == laneCount {
			b.verify()
		}
	}
	if b.n > 0 {
		b.verify()
	}
	return results
}

func (p *Prio3[E]) checkVerifyInit(verifyKey, ctx []byte, aggID int, aggParam []byte) error {
	if err := checkNoAggParam(aggParam); err != nil {
		return err
	}
	if aggID < 0 || aggID >= p.shares {
		return &UsageError{Argument: "aggregator ID", Problem: fmt.Sprintf("is %d, but must be below %d", aggID, p.shares)}
	}
	if err := checkArgument("verification key", verifyKey, p.VerifyKeySize()); err != nil {
		return err
	}
	return p.checkContext(ctx)
}

// initBatch is the state of VerifyInit. Reports whose proofs can be decoded collect in
// lanes until there are four.
type initBatch[E field.Elem] struct {
	p         *Prio3[E]
	w         *prio3Workspace[E]
	verifyKey []byte
	aggID     int
	aggIDs    [laneCount]int
	reports   []Report
	results   []InitResult

	lanes  [laneCount]int    // the indices of the reports in the lanes
	nonces [laneCount][]byte // and their nonces
	n      int               // how many there are
	parts  [laneCount]xof.Seed
	meas   [laneCount][]E // each lane's measurement share, if it is held
	blocks [laneCount][]E // a block of it
	bytes  [laneCount][]byte
	done   int // how many reports have been in a lane

	measInResult bool // see Prio3.measInResult

	// What the results consist of, allocated together.
	states         []prio3State[E]
	vectors        []E // output shares, or the measurement shares that they are the start of
	verifierShares []byte
}

// allocate makes room for the results of as many reports as sound.
func (b *initBatch[E]) allocate(sound int) {
	p := b.p
	for k := range b.aggIDs {
		b.aggIDs[k] = b.aggID
	}
	b.states = make([]prio3State[E], sound)
	b.verifierShares = make([]byte, sound*p.sizes.verifierShare)
	b.measInResult = p.measInResult(b.aggID)
	switch {
	case b.measInResult:
		b.vectors = make([]E, sound*p.flp.MeasLen())
	case !p.seedsForOutShares(b.aggID):
		b.vectors = make([]E, sound*p.flp.OutputLen())
	}
}

// checkReport checks the lengths of a report's parts.
func (p *Prio3[E]) checkReport(aggID int, r *Report) error {
	if err := checkArgument("nonce", r.Nonce, p.NonceSize()); err != nil {
		return err
	}
	if err := checkSize("public share", r.PublicShare, p.sizes.publicShare); err != nil {
		return err
	}
	return checkSize("input share", r.InputShare, p.InputShareSize(aggID))
}

// load decodes the Leader's share of report i's proofs, the lengths of which have been checked,
// into the next lane.
func (b *initBatch[E]) load(i int) error {
	p, r := b.p, &b.reports[i]
	b.nonces[b.n] = r.Nonce
	if b.aggID > 0 {
		return nil
	}
	return p.decodeVec("input share", b.w.proofs[b.n], r.InputShare[p.sizes.meas:p.sizes.meas+p.sizes.proofs])
}

// verify verifies the reports in the lanes and empties the lanes.
func (b *initBatch[E]) verify() {
	p, w, n := b.p, b.w, b.n
	switch {
	case b.measInResult:
		for k := range n {
			b.meas[k] = part(b.vectors, b.done+k, p.flp.MeasLen())
		}
	case b.aggID > 0:
		b.meas = w.meas
	}
	b.bindMeasurements()
	if b.aggID > 0 {
		p.helperProofsShares(w, n, &b.aggIDs, b.inputShareParts(0, xof.SeedSize))
	}
	if p.hasJointRand() {
		b.jointRandomness()
	}
	p.expandQueryRands(w, n, b.verifyKey, &b.nonces)

	if b.aggID > 0 && !p.held() {
		b.queryStreamed()
	} else {
		for lane := range n {
			if err := b.queryLane(lane); err != nil {
				b.results[b.lanes[lane]].Err = err
			}
		}
	}
	b.done += n
	b.n = 0
}

// inputShareParts returns the bytes from start to end of the input shares in
// the lanes, until it is called again.
func (b *initBatch[E]) inputShareParts(start, end int) *[laneCount][]byte {
	for k := range b.n {
		b.bytes[k] = b.reports[b.lanes[k]].InputShare[start:end]
	}
	return &b.bytes
}

// state is the verification state of the report in a lane.
func (b *initBatch[E]) state(lane int) *prio3State[E] { return &b.states[b.done+lane] }

// bindMeasurements derives each lane's joint randomness part, if there is joint
// randomness, and expands helpers' measurement shares on the way: into b.meas,
// if they are to be held.
func (b *initBatch[E]) bindMeasurements() {
	p, w, n := b.p, b.w, b.n
	if p.hasJointRand() {
		size := p.InputShareSize(b.aggID)
		p.startJointRandParts(w, n, &b.aggIDs, b.inputShareParts(size-xof.SeedSize, size), &b.nonces)
	}
	switch {
	case b.aggID > 0 && p.held():
		b.expandMeasurements(func(offset, length int) { b.blocks = lanesFrom(&b.meas, n, offset, length) }, b.absorb)
	case b.aggID > 0:
		b.expandMeasurements(b.reuseBlocks, b.absorb)
	case p.hasJointRand():
		// The Leader's measurement share arrived encoded.
		w.parts.absorb(b.inputShareParts(0, p.sizes.meas))
	}
	if p.hasJointRand() {
		w.parts.readSeeds(&w.seeds)
		for k := range n {
			b.parts[k] = w.seeds[k]
		}
	}
}

// absorb continues the joint randomness parts with the block of each lane's measurement
// share.
func (b *initBatch[E]) absorb(int) {
	if b.p.hasJointRand() {
		absorbVec(&b.w.parts, b.p.field, &b.blocks)
	}
}

// reuseBlocks sets b.blocks to room for blocks that need not be kept.
func (b *initBatch[E]) reuseBlocks(_, length int) {
	b.blocks = lanesFrom(&b.w.blocks, b.n, 0, length)
}

// expandMeasurements expands the helpers' measurement shares in the lanes, a block at a
// time: into b.blocks, which room sets, and then use is called.
func (b *initBatch[E]) expandMeasurements(room func(offset, length int), use func(offset int)) {
	p, w := b.p, b.w
	p.startMeasShares(w, b.n, &b.aggIDs, b.inputShareParts(0, xof.SeedSize))
	for offset := 0; offset < p.flp.MeasLen(); {
		length := min(p.blockLen(), p.flp.MeasLen()-offset)
		room(offset, length)
		readVec(&w.stream, p.field, &b.blocks)
		use(offset)
		offset += length
	}
}

// jointRandomness derives each lane's joint randomness into w.jointRands, with
// the joint randomness seed in the report's state.
func (b *initBatch[E]) jointRandomness() {
	p, w, n := b.p, b.w, b.n
	parts := w.binders
	var claimed [laneCount]int // 1 where the public share has this aggregator's own part
	for k := range n {
		publicShare := b.reports[b.lanes[k]].PublicShare
		claimed[k] = subtle.ConstantTimeCompare(publicShare[b.aggID*xof.SeedSize:][:xof.SeedSize], b.parts[k][:])
		// The client's list of parts, with this aggregator's own in its place.
		parts[k] = append(parts[k][:0], publicShare...)
		copy(parts[k][b.aggID*xof.SeedSize:], b.parts[k][:])
	}
	p.jointRandSeeds(w, n, &parts)
	for k := range n {
		state := b.state(k)
		state.jointRandSeed = w.seeds[k]
		// Where the client claims another part for this aggregator, the others reject
		// the report in VerifyNext: so does this one, with a seed that is not the message's. See ErrJointRand.
		state.jointRandSeed[0] ^= byte(1 - claimed[k])
	}
	p.expandJointRands(w, n)
}
