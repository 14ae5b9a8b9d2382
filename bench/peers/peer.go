package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// A peer is one implementation, in a process that answers requests.
type peer struct {
	description
	process *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

// description says what a peer is.
type description struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Draft is the text whose wire version it speaks, and WireVersion the number
	// that its hashes begin with.
	Draft       string `json:"draft"`
	WireVersion int    `json:"wire_version"`
}

// startPeer starts a command that answers requests until its input ends.
func startPeer(ctx context.Context, d description, name string, args ...string) (*peer, error) {
	process := exec.CommandContext(ctx, name, args...)
	process.Env = append(os.Environ(), "GOMAXPROCS=1")
	process.Stderr = os.Stderr
	process.WaitDelay = time.Minute
	in, err := process.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, fmt.Errorf("%s cannot be started: %w", d.Name, err)
	}
	return &peer{description: d, process: process, in: in, out: bufio.NewReaderSize(out, 1<<16)}, nil
}

// ask sends one request and returns the answer, without its "ok".
func (p *peer) ask(line string) (string, error) {
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		return "", fmt.Errorf("%s: %w", p.Name, err)
	}
	answer, err := p.out.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("%s gave no answer to %.60q: %w", p.Name, line, err)
	}
	status, text, _ := strings.Cut(strings.TrimSuffix(answer, "\n"), " ")
	if status != "ok" {
		return "", &peerError{Peer: p.Name, Problem: text}
	}
	return text, nil
}

// stop ends the peer's process.
func (p *peer) stop() error {
	if err := p.in.Close(); err != nil {
		return err
	}
	if err := p.process.Wait(); err != nil {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	return nil
}

// peerError is what a peer says it cannot do.
type peerError struct {
	Peer, Problem string
}

func (e *peerError) Error() string { return e.Peer + ": " + e.Problem }
