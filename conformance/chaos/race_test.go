//go:build race

package main

// raceDetector tells that everything is slower.
const raceDetector = true
