//go:build !purego

package xof

import (
	"github.com/cloudflare/circl/simd/keccakf1600"
	"golang.org/x/sys/cpu"
)

//go:generate sh -c "cd _asm && go generate"

// hasAVX512 says whether the routines of sponge_amd64.s run on this machine.
var hasAVX512 = cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL

// hasFourWay says whether this machine permutes four states at once faster than
// one after the other, without AVX-512.
func hasFourWay() bool { return keccakf1600.IsEnabledX4() }
