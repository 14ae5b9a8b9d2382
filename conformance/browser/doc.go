// Package browser tests the analyst's page in a real browser with the real servers: an analyst creates a task, both
// operators approve it, clients upload, the analyst watches it fill, collects, sees the chart and keeps the numbers. All of
// it is done with the keyboard.
//
// The test runs where the environment names a browser and axe-core; see package internal/browser.
package browser
