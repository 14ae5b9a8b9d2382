package simulation

import (
	crand "crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sync"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/testvdaf"
)

// origin names a report ID: the time at which a client first used it, and which of that
// time's it was. So the reports of one episode are those of the next.
type origin struct {
	time  dap.Time
	place int
}

// variant is one report under a report ID: there are several if a client uses
// the ID again, with other times and so with other measurements.
type variant struct {
	origin
	at   dap.Time
	plan plan
}

// hash is different for each pair of an origin and a time.
func (o origin) hash(of string, t dap.Time) [32]byte {
	b := binary.BigEndian.AppendUint64([]byte(of), uint64(o.time))
	b = binary.BigEndian.AppendUint64(b, uint64(o.place))
	return sha256.Sum256(binary.BigEndian.AppendUint64(b, uint64(t)))
}

// id is the report ID.
func (o origin) id() (id dap.ReportID) {
	hash := o.hash("report ID", 0)
	copy(id[:], hash[:])
	return id
}

// value is the measurement of a report, below 2^40. No two are the same, and the
// sum of some tells which they were, but for a chance that does not matter.
func (v variant) value() uint64 {
	hash := v.hash("measurement", v.at)
	return binary.BigEndian.Uint64(hash[:]) & maxSumMeasurement
}

// client makes the reports of one task, and keeps those that were sealed to
// the keys of the whole process, for the next episode.
type client struct {
	*scheme
	mu      sync.Mutex
	made    map[variant][]byte
	sealers map[sealerKey]*dap.InputShareSealer
}

type sealerKey struct {
	role   dap.Role
	config string
}

func newClient(s *scheme) *client {
	return &client{scheme: s, made: make(map[variant][]byte), sealers: make(map[sealerKey]*dap.InputShareSealer)}
}

// report encodes the dap.Report of a variant, sealed to these configurations.
func (c *client) report(v variant, leaderConfig, helperConfig dap.HpkeConfig) ([]byte, error) {
	common := leaderConfig.ID == keys().leader.Config.ID && slices.Equal(leaderConfig.PublicKey, keys().leader.Config.PublicKey) &&
		helperConfig.ID == keys().helper.Config.ID && slices.Equal(helperConfig.PublicKey, keys().helper.Config.PublicKey)
	c.mu.Lock()
	defer c.mu.Unlock()
	if made := c.made[v]; made != nil && common {
		return made, nil
	}
	encoded, err := c.make(v, leaderConfig, helperConfig)
	if err == nil && common {
		c.made[v] = encoded
	}
	return encoded, err
}

// make seals a new report.
func (c *client) make(v variant, leaderConfig, helperConfig dap.HpkeConfig) ([]byte, error) {
	d, err := c.draft(v)
	if err != nil {
		return nil, err
	}
	r := dap.Report{Metadata: d.metadata, PublicShare: d.publicShare}
	if r.LeaderEncryptedInputShare, err = c.seal(dap.RoleLeader, leaderConfig, d, d.shares[0]); err != nil {
		return nil, err
	}
	if r.HelperEncryptedInputShare, err = c.seal(dap.RoleHelper, helperConfig, d, d.shares[1]); err != nil {
		return nil, err
	}
	for i, ciphertext := range []*dap.HpkeCiphertext{&r.LeaderEncryptedInputShare, &r.HelperEncryptedInputShare} {
		if !v.plan.meets(i) {
			continue
		}
		switch v.plan.How {
		case cheatUndecryptable:
			ciphertext.Payload[0] ^= 1
		case cheatConfig:
			ciphertext.ConfigID = unknownConfig
		}
	}
	return r.Encode()
}

// unknownConfig is an HPKE configuration that nobody has: keys are numbered upward.
const unknownConfig = 250

// meets tells whether the plan is for aggregator i.
func (p plan) meets(i int) bool {
	return p.Who == "" || p.Who == leader && i == 0 || p.Who == helper && i == 1
}

// draft is a report before it is sealed.
type draft struct {
	metadata    dap.ReportMetadata
	publicShare []byte
	shares      [2]dap.PlaintextInputShare
}

func (c *client) draft(v variant) (*draft, error) {
	d := &draft{metadata: dap.ReportMetadata{ReportID: v.id(), Time: v.at}}
	rand := make([]byte, c.randSize())
	crand.Read(rand)
	public, shares, err := c.shard(c.planned(v), d.metadata.ReportID[:], rand)
	if err != nil {
		return nil, err
	}
	d.publicShare = public
	for i := range d.shares {
		d.shares[i].Payload = shares[i]
		if !v.plan.meets(i) {
			continue
		}
		switch v.plan.How {
		case cheatMalformed:
			d.shares[i].Payload = []byte{1}
		case cheatHidden:
			d.shares[i].PrivateExtensions = []dap.Extension{{Type: 0x7fff}}
		}
	}
	switch v.plan.How {
	case cheatPublicShare:
		d.publicShare = append([]byte{}, public...)
		if len(public) > 0 {
			d.publicShare[0] ^= 1
		} else {
			d.publicShare = []byte{1}
		}
	case cheatExtension:
		d.metadata.PublicExtensions = []dap.Extension{{Type: 0x7fff}}
	}
	return d, nil
}

// planned is the measurement with the failure that the plan asks for.
func (c *client) planned(v variant) uint64 {
	step, ok := map[string]testvdaf.Step{
		cheatInit: testvdaf.FailInit, cheatCombine: testvdaf.FailSharesToMessage, cheatNext: testvdaf.FailNext,
	}[v.plan.How]
	if !ok || c.test == nil {
		return v.value()
	}
	who := map[side]testvdaf.Who{"": testvdaf.Both, leader: testvdaf.Leader, helper: testvdaf.Helper}[v.plan.Who]
	return testvdaf.Failing(v.value(), testvdaf.Failure{Step: step, Round: v.plan.Round, Who: who})
}

func (c *client) randSize() int {
	if c.test != nil {
		return c.test.RandSize()
	}
	return c.sum.RandSize()
}

func (c *client) shard(measurement uint64, nonce, rand []byte) ([]byte, [][]byte, error) {
	context := dap.VdafContext(c.id)
	if c.test != nil {
		return c.test.Shard(context, measurement, nonce, rand)
	}
	return c.sum.Shard(context, measurement, nonce, rand)
}

func (c *client) seal(role dap.Role, config dap.HpkeConfig, d *draft, share dap.PlaintextInputShare) (dap.HpkeCiphertext, error) {
	key := sealerKey{role, string(config.PublicKey)}
	sealer := c.sealers[key]
	if sealer == nil {
		var err error
		if sealer, err = dap.NewInputShareSealer(config, role, c.id, c.encoded); err != nil {
			return dap.HpkeCiphertext{}, err
		}
		c.sealers[key] = sealer
	}
	return sealer.Seal(d.metadata, d.publicShare, share)
}

// divergent tells whether the plan makes the Leader reject a report that the
// Helper has counted by then: in an odd last round, the Helper is the first to have its output share,
// and the Leader may still find that the message is wrong (VDAF Section 5.7.1). The
// protocol has no remedy, and no such report is made.
func (s *scheme) divergent(p plan) bool {
	return p.How == cheatNext && s.Rounds%2 == 1 && p.Round == s.Rounds-1 && p.Who == leader
}

// expected are the report errors with which a report of this plan may be rejected after it was accepted.
func (s *scheme) expected(p plan) []dap.ReportError {
	switch p.How {
	case cheatInit, cheatCombine, cheatNext:
		return []dap.ReportError{dap.ReportErrorVdafVerifyError}
	case cheatUndecryptable, cheatConfig:
		return []dap.ReportError{dap.ReportErrorHpkeDecryptError}
	case cheatMalformed, cheatHidden:
		return []dap.ReportError{dap.ReportErrorInvalidMessage}
	case cheatPublicShare:
		return []dap.ReportError{dap.ReportErrorVdafVerifyError, dap.ReportErrorInvalidMessage}
	}
	return nil
}
