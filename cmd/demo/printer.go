package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

const (
	plainWidth  = 80  // where there is no terminal
	widest      = 100 // lines that are longer read badly
	labelColumn = 46  // where details of steps begin
)

// printer writes for people: steps as they are taken, then the results. In a
// terminal it has colours and shows how far a step has come.
type printer struct {
	w     io.Writer
	lost  func(error) // told when nothing can be written any more
	live  bool
	color bool
	width int
}

func newPrinter(w io.Writer, lost func(error)) *printer {
	p := &printer{w: w, lost: lost, width: plainWidth}
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return p
	}
	p.live = os.Getenv("TERM") != "dumb"
	p.color = p.live && os.Getenv("NO_COLOR") == ""
	if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
		p.width = min(max(width, 40), widest)
	}
	return p
}

// Styles are parameters of the escape sequence that sets them.
const (
	bold  = "1"
	dim   = "2"
	red   = "31"
	green = "32"
	blue  = "34"
)

func (p *printer) style(style, text string) string {
	if !p.color || text == "" {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

func (p *printer) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(p.w, format, args...); err != nil && p.lost != nil {
		p.lost(err)
	}
}

// step is something that takes a while.
type step struct {
	p     *printer
	label string
	start time.Time
}

// step begins a step, which ends with done or failed.
func (p *printer) step(format string, args ...any) *step {
	s := &step{p, fmt.Sprintf(format, args...), time.Now()}
	p.printf("  %s", s.label)
	return s
}

// progress shows how far it has come, in a terminal.
func (s *step) progress(format string, args ...any) {
	if s.p.live {
		s.p.printf("\r  %s%s%s\x1b[K", s.label, s.gap(), s.p.style(dim, fmt.Sprintf(format, args...)))
	}
}

func (s *step) done(format string, args ...any) {
	s.end()
	detail := fmt.Sprintf(format, args...)
	if detail != "" {
		detail += ", "
	}
	s.p.printf("%s%s%.1f s\n", s.gap(), detail, time.Since(s.start).Seconds())
}

func (s *step) failed() {
	s.end()
	s.p.printf("%s%s\n", s.gap(), s.p.style(red, "failed"))
}

// end goes back to the label, where progress may have been shown.
func (s *step) end() {
	if s.p.live {
		s.p.printf("\r\x1b[K  %s", s.label)
	}
}

func (s *step) gap() string {
	return strings.Repeat(" ", max(1, labelColumn-2-utf8.RuneCountInString(s.label)))
}
