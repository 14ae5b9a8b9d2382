//go:build !amd64 || purego

package xof

const (
	hasAVX512 = false
	hasAVX2   = false
	hasBMI2   = false
)

// Nothing calls these.

func sponge1AVX512(*[stateWords]uint64, *[keccakRounds]uint64, *[1]*byte, uint64, uint64) {
	panic(noAssembly)
}

func sponge1BMI2(*[stateWords]uint64, *[keccakRounds]uint64, *[1]*byte, uint64, uint64) {
	panic(noAssembly)
}

func sponge4AVX512(*[4 * stateWords]uint64, *[keccakRounds]uint64, *[4]*byte, uint64, uint64) {
	panic(noAssembly)
}

func sponge4AVX2(*[4 * stateWords]uint64, *[keccakRounds]uint64, *[4]*byte, uint64, uint64) {
	panic(noAssembly)
}

const noAssembly = "xof: no assembly in this build"
