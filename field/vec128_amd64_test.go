//go:build !purego

package field

// withoutAssembly runs f as on a machine that has no use for the assembly.
func withoutAssembly(f func()) {
	defer func(had bool) { hasIFMA = had }(hasIFMA)
	hasIFMA = false
	f()
}
