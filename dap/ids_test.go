package dap

import (
	"encoding"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The identifiers in the examples of DAP Section 3.
func TestIdentifiersOfTheStandard(t *testing.T) {
	task := TaskID(unhex(t, `f016344736 4ccf1bc0e3affcca 6873c9c381f64acd f9020662f83f46c0 7219e7`))
	if got := task.String(); got != "8BY0RzZMzxvA46_8ymhzycOB9krN-QIGYvg_RsByGec" {
		t.Errorf("task ID %s", got)
	}
	job := AggregationJobID(unhex(t, `95ceda51e1a9752368b0d961f9466128`))
	if got := job.String(); got != "lc7aUeGpdSNosNlh-UZhKA" {
		t.Errorf("aggregation job ID %s", got)
	}
}

type identifier interface {
	comparable
	fmt.Stringer
	encoding.TextMarshaler
}

func testIdentifier[ID identifier](t *testing.T, kind string, draw func(*rapid.T) ID, parse func(string) (ID, error), unmarshal func(*ID, []byte) error) {
	t.Run(kind, rapid.MakeCheck(func(t *rapid.T) {
		id := draw(t)
		text := id.String()
		parsed, err := parse(text)
		if err != nil || parsed != id {
			t.Fatalf("parse %q: %v, %v; want %v", text, parsed, err, id)
		}
		marshaled, err := id.MarshalText()
		if err != nil || string(marshaled) != text {
			t.Fatalf("MarshalText: %q, %v; want %q", marshaled, err, text)
		}
		var again ID
		if err := unmarshal(&again, marshaled); err != nil || again != id {
			t.Fatalf("UnmarshalText: %v, %v; want %v", again, err, id)
		}
		last := text[len(text)-1]
		for _, wrong := range []string{
			"", text[1:], text + "A", text + "=", text[1:] + "\n", text[1:] + "+", text[1:] + "/", text[1:] + "é",
			text[:10] + "\r\n" + text[12:], // line breaks, which Base64 decoders skip
			text[:len(text)-1] + string(last+1),
		} {
			_, err := parse(wrong)
			e, ok := errors.AsType[*IdentifierError](err)
			if wrong == text[:len(text)-1]+string(last+1) && err == nil {
				t.Fatalf("%q has bits after the end and is parsed", wrong)
			}
			if !ok || e.Kind != kind {
				t.Fatalf("parse %q: %v; want an *IdentifierError of %s", wrong, err, kind)
			}
			if err := unmarshal(&again, []byte(wrong)); err == nil || again != id {
				t.Fatalf("UnmarshalText of %q: %v, %v; want an error and no change", wrong, again, err)
			}
		}
	}))
}

func TestIdentifiers(t *testing.T) {
	testIdentifier(t, "TaskID", func(t *rapid.T) TaskID { return drawID32(t, "id") }, ParseTaskID, (*TaskID).UnmarshalText)
	testIdentifier(t, "ReportID", func(t *rapid.T) ReportID { return drawID16(t, "id") }, ParseReportID, (*ReportID).UnmarshalText)
	testIdentifier(t, "BatchID", func(t *rapid.T) BatchID { return drawID32(t, "id") }, ParseBatchID, (*BatchID).UnmarshalText)
	testIdentifier(t, "AggregationJobID", func(t *rapid.T) AggregationJobID { return drawID16(t, "id") }, ParseAggregationJobID, (*AggregationJobID).UnmarshalText)
	testIdentifier(t, "CollectionJobID", func(t *rapid.T) CollectionJobID { return drawID16(t, "id") }, ParseCollectionJobID, (*CollectionJobID).UnmarshalText)
	testIdentifier(t, "AggregateShareID", func(t *rapid.T) AggregateShareID { return drawID16(t, "id") }, ParseAggregateShareID, (*AggregateShareID).UnmarshalText)
	testIdentifier(t, "Checksum", func(t *rapid.T) Checksum { return drawID32(t, "id") }, ParseChecksum, (*Checksum).UnmarshalText)
}

func testNewIdentifier[ID comparable](t *testing.T, newID func() ID) {
	t.Helper()
	if a, b := newID(), newID(); a == b {
		t.Errorf("two new identifiers are both %v", a)
	}
}

func TestNewIdentifiersDiffer(t *testing.T) {
	testNewIdentifier(t, NewTaskID)
	testNewIdentifier(t, NewReportID)
	testNewIdentifier(t, NewBatchID)
	testNewIdentifier(t, NewAggregationJobID)
	testNewIdentifier(t, NewCollectionJobID)
	testNewIdentifier(t, NewAggregateShareID)
}

func TestChecksum(t *testing.T) {
	var a, b ReportID
	for i := range a {
		a[i], b[i] = byte(i), byte(16+i)
	}
	var one, both Checksum
	one.Add(a)
	// The values are of another implementation of SHA-256.
	if want := unhex(t, `be45cb2605bf36bebde684841a28f0fd43c69850a3dce5fedba69928ee3a8991`); one != Checksum(want) {
		t.Errorf("checksum of one report %x; want %x", one, want)
	}
	both.Add(b)
	both.Xor(one)
	if want := unhex(t, `426be7550294cc9567e57b171d6fdd16900a1955a1566f60f8f8ac926314be65`); both != Checksum(want) {
		t.Errorf("checksum of two reports %x; want %x", both, want)
	}
	both.Add(a)
	both.Add(b)
	if both != (Checksum{}) {
		t.Errorf("adding both again gives %x; want zero", both)
	}
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		RoleCollector.String(): "collector", RoleClient.String(): "client", RoleLeader.String(): "leader", RoleHelper.String(): "helper", Role(9).String(): "Role(9)",
		ReportErrorOutdatedConfig.String(): "outdated_config", ReportErrorBatchCollected.String(): "batch_collected",
		ReportError(0).String(): "ReportError(0)", ReportError(12).String(): "ReportError(12)",
		BatchModeTimeInterval.String(): "time_interval", BatchModeLeaderSelected.String(): "leader_selected", BatchMode(3).String(): "BatchMode(3)",
		VerifyRespContinue.String(): "continue", VerifyRespFinish.String(): "finish", VerifyRespReject.String(): "reject", VerifyRespType(3).String(): "VerifyRespType(3)",
		VdafTypePrio3MultihotCountVec.String(): "Prio3MultihotCountVec", VdafType(0xffff1003).String(): "VdafType(0xffff1003)",
		HpkeKemXWing.String(): "X-Wing", HpkeKemID(1).String(): "HpkeKemID(0x0001)", HpkeKdfHkdfSha384.String(): "HKDF-SHA384",
		HpkeAeadAes256Gcm.String(): "AES-256-GCM", HpkeAeadID(9).String(): "HpkeAeadID(0x0009)",
	} {
		if got != want {
			t.Errorf("%s; want %s", got, want)
		}
	}
	for e := ReportError(1); e.IsKnown(); e++ {
		if strings.Contains(e.String(), "(") {
			t.Errorf("report error %d has no name", uint8(e))
		}
	}
}
