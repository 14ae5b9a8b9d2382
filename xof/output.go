package xof

// bufferBlocks is how many blocks a stream squeezes at most at once into its own memory.
const bufferBlocks = 8

// bufferSize leaves room for a block's worth of bytes that an earlier reading
// has left.
const bufferSize = (bufferBlocks + 1) * rate

// output is what has been squeezed from a stream and not been read:
// memory()[at:end].
type output struct {
	at, end int
	buf     [bufferSize]byte
	larger  []byte // replaces buf once that has been too small
}

func (o *output) memory() []byte {
	if o.larger != nil {
		return o.larger
	}
	return o.buf[:]
}

// unread returns what has been squeezed and not been read.
func (o *output) unread() []byte { return o.memory()[o.at:o.end] }

// take copies as much of what is unread to out as there is room for, and
// returns how much that is.
func (o *output) take(out []byte) int {
	n := copy(out, o.unread())
	o.at += n
	return n
}

// grow makes room for the given number of blocks behind what is unread and returns that
// room, which then counts as unread. Memory is allocated only when one lane of four
// reads much less than another, or when rejections have left it far behind.
func (o *output) grow(blocks int) []byte {
	left := o.end - o.at
	need := left + blocks*rate
	if need > len(o.memory()) {
		larger := make([]byte, 2*need)
		copy(larger, o.unread())
		o.larger = larger
	} else {
		copy(o.memory(), o.unread())
	}
	o.at, o.end = 0, need
	return o.memory()[left:need]
}

func (o *output) reset() { o.at, o.end = 0, 0 }

// scratch returns an empty slice with a capacity of bufferSize, for another use while
// nothing has been squeezed.
func (o *output) scratch() []byte { return o.buf[:0] }
