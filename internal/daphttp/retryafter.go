package daphttp

import (
	"net/http"
	"strconv"
	"time"
)

// ParseRetryAfter returns how long the value of a Retry-After header asks to
// wait from now on: a number of seconds or an HTTP date (RFC 9110 Section
// 10.2.3). The result lies between 0 and max; it is 0 if there is no value or it is neither.
func ParseRetryAfter(value string, now time.Time, max time.Duration) time.Duration {
	if value == "" {
		return 0
	}
	if isDigits(value) {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > int64(max/time.Second) {
			return max // more digits than an int64 has, or more seconds than max
		}
		return time.Duration(seconds) * time.Second
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max, clampPositive(date.Sub(now)))
}

func clampPositive(d time.Duration) time.Duration {
	if d < 0 {
		return 0
	}
	return d
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// FormatRetryAfter returns the value of a Retry-After header that asks to wait
// for d: whole seconds, rounded up, at least 1.
func FormatRetryAfter(d time.Duration) string {
	seconds := int64(d / time.Second)
	if d%time.Second > 0 {
		seconds++
	}
	return strconv.FormatInt(max(1, seconds), 10)
}
