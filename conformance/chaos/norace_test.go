//go:build !race

package main

// raceDetector tells whether everything is slower.
const raceDetector = false
