package main

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// hexWords writes encoded messages as words of the protocol.
func hexWords(messages [][]byte) string {
	words := make([]string, len(messages))
	for i, m := range messages {
		if words[i] = hex.EncodeToString(m); len(m) == 0 {
			words[i] = "-"
		}
	}
	return strings.Join(words, " ")
}

// unhex reads one word of hexWords.
func unhex(word string) ([]byte, error) {
	if word == "-" {
		return nil, nil
	}
	return hex.DecodeString(word)
}

// report reads the report of a trace request.
func (r request) report() (report [4][]byte, err error) {
	for i, key := range [4]string{"nonce", "public", "leader", "helper"} {
		if report[i], err = unhex(r.fields[key]); err != nil {
			return report, fmt.Errorf("%s: %w", key, err)
		}
	}
	return report, nil
}

// traceLine makes the request of the answer to a report request.
func traceLine(answer string) (string, error) {
	words := strings.Fields(answer)
	if len(words) != 4 {
		return "", fmt.Errorf("the answer has %d words, and a report has 4", len(words))
	}
	return fmt.Sprintf("trace nonce=%s public=%s leader=%s helper=%s", words[0], words[1], words[2], words[3]), nil
}
