package conformance

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReplayNoticesDifferences changes one value of a vector at a time, and sees
// that the replay fails: no value of a file goes without comparison.
func TestReplayNoticesDifferences(t *testing.T) {
	for _, name := range []string{
		"Prio3Count_shares_3.json",
		"Prio3Sum_max_100_shares_2.json",
		"Prio3Histogram_length_4_chunk_3_shares_3.json",
		"Prio3MultihotCountVec_length_4_weight_1_chunk_2_shares_2.json",
		"Prio3SumVecWithMultiproof_length_3_max_1_chunk_1_proofs_3_shares_2.json",
		"XofTurboShake128_2.json",
	} {
		t.Run(name, func(t *testing.T) {
			document := readDocument(t, name)
			if err := replayDocument(t, name, document); err != nil {
				t.Fatalf("unchanged: %v", err)
			}
			changes := 0
			forEachValue(document, "", func(path string, value any, set func(any)) {
				changed, ok := change(path, value)
				if !ok {
					return
				}
				changes++
				set(changed)
				if err := replayDocument(t, name, document); err == nil {
					t.Errorf("%s: a change was not noticed", path)
				}
				set(value)
			})
			if changes < 6 {
				t.Errorf("only %d values were changed", changes)
			}
		})
	}
}

// TestReplayNoticesOutcomes turns the outcome of each operation of vectors that are
// rejected, one at a time, and sees that the replay fails.
func TestReplayNoticesOutcomes(t *testing.T) {
	for _, name := range []string{
		"Prio3Count_mixed_shares_3.json", "Prio3Histogram_mixed_shares_2.json", "Prio3Sum_refused_measurements.json",
	} {
		t.Run(name, func(t *testing.T) {
			document := readDocument(t, name)
			operations := document["operations"].([]any)
			for i, operation := range operations {
				members := operation.(map[string]any)
				members["success"] = !members["success"].(bool)
				if err := replayDocument(t, name, document); err == nil {
					t.Errorf("operation %d: the other outcome was not noticed", i)
				}
				members["success"] = !members["success"].(bool)
			}
		})
	}
}

// TestReplayRefusesWhatItDoesNotKnow gives the replayer files that it must not
// pass over.
func TestReplayRefusesWhatItDoesNotKnow(t *testing.T) {
	const name = "Prio3Sum_max_100_shares_2.json"
	for what, spoil := range map[string]func(document map[string]any){
		"unknown member":      func(d map[string]any) { d["rounds"] = 1 },
		"unused parameter":    func(d map[string]any) { d["length"] = 1 },
		"missing parameter":   func(d map[string]any) { delete(d, "max_measurement") },
		"no operations":       func(d map[string]any) { d["operations"] = []any{} },
		"no reports":          func(d map[string]any) { d["reports"] = []any{} },
		"unknown operation":   func(d map[string]any) { operation(d)["operation"] = "verify" },
		"missing outcome":     func(d map[string]any) { delete(operation(d), "success") },
		"missing report":      func(d map[string]any) { delete(operation(d), "report_index") },
		"report beyond last":  func(d map[string]any) { operation(d)["report_index"] = 1000 },
		"superfluous member":  func(d map[string]any) { operation(d)["aggregator_id"] = 0 },
		"no hexadecimal":      func(d map[string]any) { d["ctx"] = "zz" },
		"unsupported shares":  func(d map[string]any) { d["shares"] = 1 },
		"unknown aggregation": func(d map[string]any) { d["agg_param"] = "00" },
	} {
		document := readDocument(t, name)
		spoil(document)
		if err := replayDocument(t, name, document); err == nil {
			t.Errorf("%s: the file was replayed", what)
		}
	}
	for _, unknown := range []string{"Poplar1_0.json", "Prio3Average_0.json", "XofFixedKeyAes128.json", "prio3Sum_0.json"} {
		if err := replayDocument(t, unknown, readDocument(t, name)); err == nil || !strings.Contains(err.Error(), "unknown VDAF") {
			t.Errorf("%s: %v, but it has to be refused as unknown", unknown, err)
		}
	}
	if _, err := replay(name, []byte("{} {}")); err == nil {
		t.Error("two JSON values: the file was replayed")
	}
}

// operation returns the first operation of a document, which is to shard.
func operation(document map[string]any) map[string]any {
	return document["operations"].([]any)[0].(map[string]any)
}

func readDocument(t *testing.T, name string) (document map[string]any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(shippedVectors, name))
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.UseNumber()
	if err := decoder.Decode(&document); err != nil {
		t.Fatal(err)
	}
	return document
}

func replayDocument(t *testing.T, name string, document map[string]any) error {
	t.Helper()
	data, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	_, err = replay(name, data)
	return err
}

// forEachValue visits the values in a JSON document that are neither objects nor
// lists.
func forEachValue(value any, path string, visit func(path string, value any, set func(any))) {
	descend := func(child any, childPath string, set func(any)) {
		switch child.(type) {
		case map[string]any, []any:
			forEachValue(child, childPath, visit)
		default:
			visit(childPath, child, set)
		}
	}
	switch value := value.(type) {
	case map[string]any:
		for name, child := range value {
			descend(child, path+"/"+name, func(changed any) { value[name] = changed })
		}
	case []any:
		for i, child := range value {
			descend(child, fmt.Sprintf("%s/%d", path, i), func(changed any) { value[i] = changed })
		}
	}
}

// change returns another value of the same kind, unless the path says that the value is
// not compared: it is no part of the vector, or the operations' own.
func change(path string, value any) (changed any, ok bool) {
	if path == "/generator" || strings.HasPrefix(path, "/operations/") {
		return nil, false
	}
	switch value := value.(type) {
	case string:
		decoded, err := hex.DecodeString(value)
		if err != nil {
			return nil, false
		}
		if len(decoded) == 0 {
			return "00", true
		}
		decoded[len(decoded)/2] ^= 1
		return hex.EncodeToString(decoded), true
	case json.Number:
		if value == "0" {
			return json.Number("1"), true
		}
		return json.Number("0"), true
	case bool:
		return !value, true
	}
	return nil, false
}
