//go:build !amd64 || purego

package field

// machine is a machine that has no use for the assembly. There is no other.
type machine struct{ name string }

func lesserMachines() []machine { return nil }

func (machine) run(f func()) { f() }
