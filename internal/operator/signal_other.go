//go:build !unix

package operator

// ignoreFileSizeSignal has nothing to do on this system.
func ignoreFileSizeSignal() {}
