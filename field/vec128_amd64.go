//go:build !purego

package field

import "golang.org/x/sys/cpu"

//go:generate sh -c "cd _asm && go generate"

// hasIFMA says whether the routines of vec128_amd64.s run on this machine.
var hasIFMA = cpu.X86.HasAVX512F && cpu.X86.HasAVX512IFMA && cpu.X86.HasBMI2
