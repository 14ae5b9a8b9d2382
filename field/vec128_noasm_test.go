//go:build !amd64 || purego

package field

// withoutAssembly runs f as on a machine that has no use for the assembly.
func withoutAssembly(f func()) { f() }
