package flp

// Decide tells whether the verifier message, the sum of all its shares, shows
// that the measurement is valid (VDAF Section 7.3.5). Its length must be
// VerifierLen, or Decide panics. Only the answer can be seen from the time that
// it takes.
func (p *FLP[E]) Decide(ws *Workspace[E], verifier []E) bool {
	mustLen("verifier", verifier, p.verifierLen)
	f, s := p.field, &ws.scratch
	mark := s.Mark()
	defer s.Release(mark)
	row := s.Take(p.maxArity)

	var zero E
	valid := f.Equal(verifier[0], zero)
	verifier = verifier[1:]
	for i := range p.gadgets {
		g := &p.gadgets[i]
		for j, index := range ws.runs[i].order {
			row[j] = verifier[index]
		}
		valid &= f.Equal(g.gadget.EvalRow(row[:g.arity], s), verifier[g.arity])
		verifier = verifier[g.arity+1:]
	}
	return valid == 1
}
