//go:build !purego

package field

// machine is a machine that has these instructions.
type machine struct {
	name       string
	ifma, bmi2 bool
}

// lesserMachines are those that have less than this one, as far as it matters for Field128.
func lesserMachines() (list []machine) {
	if hasIFMA && hasBMI2 {
		list = append(list, machine{name: "with BMI2", bmi2: true})
	}
	if hasIFMA || hasBMI2 {
		list = append(list, machine{name: "in Go"})
	}
	return list
}

// run runs f as on that machine.
func (m machine) run(f func()) {
	defer func(ifma, bmi2 bool) { hasIFMA, hasBMI2 = ifma, bmi2 }(hasIFMA, hasBMI2)
	hasIFMA, hasBMI2 = m.ifma, m.bmi2
	f()
}
