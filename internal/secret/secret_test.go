package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/twofold-dap/twofold/internal/secret"
)

func TestNothingPrintsTheValue(t *testing.T) {
	s := secret.Bytes("hunter2")
	holder := struct{ Token secret.Bytes }{s}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "token", s, "holder", holder)
	asJSON, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	printed := []string{log.String(), string(asJSON)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		printed = append(printed, fmt.Sprintf(verb, s), fmt.Sprintf(verb, holder), fmt.Sprintf(verb, &holder))
	}
	for _, p := range printed {
		for _, leak := range []string{"hunter2", "68756e74657232", "104 117", "aHVudGVyMg"} {
			if strings.Contains(strings.ToLower(p), strings.ToLower(leak)) {
				t.Errorf("printed %q", p)
			}
		}
	}
}

func TestEqual(t *testing.T) {
	if !secret.Bytes("a").Equal(secret.Bytes("a")) || secret.Bytes("a").Equal(secret.Bytes("b")) || secret.Bytes("a").Equal(secret.Bytes("ab")) {
		t.Error("Equal is wrong")
	}
}
