//go:build !amd64 || purego

package xof

const hasAVX512 = false

func hasFourWay() bool { return false }

// Without hasAVX512 nothing calls these.

func sponge1AVX512(*[25]uint64, *[keccakRounds]uint64, *[1]*byte, uint64, uint64) {
	panic("xof: no assembly in this build")
}

func sponge4AVX512(*[100]uint64, *[keccakRounds]uint64, *[4]*byte, uint64, uint64) {
	panic("xof: no assembly in this build")
}
