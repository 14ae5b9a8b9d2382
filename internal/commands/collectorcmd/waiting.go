package collectorcmd

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/twofold-dap/twofold/internal/cli"
)

// waiting shows that a command waits: in one line that changes on a terminal, else
// in a line when it begins and one each time the reason changes.
type waiting struct {
	w        io.Writer
	terminal bool
	since    time.Time
	last     string
}

func newWaiting(w io.Writer) *waiting {
	f, ok := w.(*os.File)
	return &waiting{w: w, terminal: ok && term.IsTerminal(int(f.Fd()))}
}

// say is called before each wait.
func (p *waiting) say(_ time.Duration, reason error) {
	if p.since.IsZero() {
		p.since = time.Now()
	}
	text := "Waiting until the batch is ready"
	if reason != nil {
		text = "Trying again: " + cli.OneLine(reason.Error())
	}
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K%s (%s)", text, time.Since(p.since).Round(time.Second))
	} else if text != p.last {
		fmt.Fprintln(p.w, text)
	}
	p.last = text
}

// end removes the line from a terminal.
func (p *waiting) end() {
	if p.terminal && p.last != "" {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
