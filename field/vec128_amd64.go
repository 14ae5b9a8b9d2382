//go:build !purego

package field

import "golang.org/x/sys/cpu"

//go:generate sh -c "cd _asm && go generate ./..."

var (
	// hasIFMA says whether the routines of vec128_amd64.s run on this machine.
	hasIFMA = cpu.X86.HasAVX512F && cpu.X86.HasAVX512IFMA && cpu.X86.HasBMI2
	// hasAVX2 says the same of the routines of words128_amd64.s.
	hasAVX2 = cpu.X86.HasAVX2 && cpu.X86.HasBMI2
)
