//go:build !purego

package xof

import "golang.org/x/sys/cpu"

//go:generate sh -c "cd _asm && go generate"

// Which of the routines of sponge_amd64.s run on this machine.
var (
	hasAVX512 = cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL
	hasAVX2   = cpu.X86.HasAVX2
	hasBMI2   = cpu.X86.HasBMI1 && cpu.X86.HasBMI2
)
