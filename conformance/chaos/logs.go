package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// alarms are what a log must not hold.
var alarms = []string{"panic", "fatal error", "DATA RACE", "goroutine ", "database is locked", "level=ERROR"}

// readLogs looks for alarms in the servers' logs, and shows what was warned of.
func (r *run) readLogs() error {
	var errs []error
	for _, server := range serversOf(r.system) {
		log, err := os.Open(server.LogPath())
		if err != nil {
			return err
		}
		warnings, err := readLog(log)
		log.Close()
		if err != nil {
			errs = append(errs, fmt.Errorf("the %s's log: %w", server.Role, err))
		}
		for _, message := range slices.Sorted(maps.Keys(warnings)) {
			r.say("  %-13s warned %d times: %s", server.Role, warnings[message], message)
		}
	}
	return errors.Join(errs...)
}

// readLog returns how often each warning comes. Its error tells of the alarms.
func readLog(r io.Reader) (warnings map[string]int, err error) {
	warnings = make(map[string]int)
	var errs []error
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 16<<20)
	for scanner.Scan() {
		line := scanner.Text()
		if slices.ContainsFunc(alarms, func(alarm string) bool { return strings.Contains(line, alarm) }) && len(errs) < 10 {
			errs = append(errs, errors.New(line))
		}
		if _, rest, found := strings.Cut(line, "level=WARN msg="); found {
			warnings[message(rest)]++
		}
	}
	return warnings, errors.Join(append(errs, scanner.Err())...)
}

// message is the message of a log line that begins with it, without what follows.
func message(text string) string {
	if quoted, ok := strings.CutPrefix(text, `"`); ok {
		message, _, _ := strings.Cut(quoted, `"`)
		return message
	}
	message, _, _ := strings.Cut(text, " ")
	return message
}
