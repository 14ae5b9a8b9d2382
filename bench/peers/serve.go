package main

import (
	"bufio"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"
)

// A bench is a workload of one implementation, with all its reports verified.
type bench interface {
	// result is the aggregate result.
	result() (string, error)
	// report is the first report: nonce, public share and input shares, encoded.
	report() [4][]byte
	// trace verifies any report, and returns the verifier shares and the message.
	trace(report [4][]byte) ([3][]byte, error)
	// pass returns a function that takes every report through a step once.
	pass(s step, b by) (func() error, error)
}

// serve answers the driver's requests until it closes the pipe.
func serve(in io.Reader, out io.Writer, prepare func(workload) (bench, error)) error {
	s := &server{prepare: prepare}
	lines := bufio.NewReaderSize(in, 1<<16)
	for {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		answer, err := s.answer(line)
		if err != nil {
			answer = "error " + strings.ReplaceAll(err.Error(), "\n", " ")
		} else {
			answer = "ok " + answer
		}
		if _, err := io.WriteString(out, answer+"\n"); err != nil {
			return err
		}
	}
}

type server struct {
	prepare func(workload) (bench, error)
	bench   bench // of the last prepare
	reports int
}

func (s *server) answer(line string) (string, error) {
	r, err := parseRequest(line)
	if err != nil {
		return "", err
	}
	if r.verb == "prepare" {
		s.bench = nil // the last workload's memory goes before the next one takes its own
		w, err := r.workload()
		if err != nil {
			return "", err
		}
		if s.bench, err = s.prepare(w); err != nil {
			return "", err
		}
		s.reports = w.reports
		return s.bench.result()
	}
	if s.bench == nil {
		return "", fmt.Errorf("%s before a successful prepare", r.verb)
	}
	switch r.verb {
	case "report":
		report := s.bench.report()
		return hexWords(report[:]), nil
	case "trace":
		report, err := r.report()
		if err != nil {
			return "", err
		}
		messages, err := s.bench.trace(report)
		return hexWords(messages[:]), err
	case "measure":
		return s.measure(r)
	}
	return "", fmt.Errorf("unknown request %q", r.verb)
}

func (s *server) measure(r request) (string, error) {
	ns, err := r.number("ns")
	if err != nil {
		return "", err
	}
	pass, err := s.bench.pass(step(r.fields["step"]), by(r.fields["by"]))
	if err != nil {
		return "", err
	}
	passes, took, err := repeat(pass, time.Duration(ns))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d %d", passes*s.reports, took.Nanoseconds()), nil
}

// repeat repeats a pass for about as much CPU time as is wanted.
func repeat(pass func() error, want time.Duration) (passes int, took time.Duration, err error) {
	runtime.GC() // what others left behind is not this pass's cost
	start := cpuTime()
	for block := 1; ; {
		for range block {
			if err := pass(); err != nil {
				return 0, 0, err
			}
		}
		passes += block
		if took = cpuTime() - start; took >= want && took > 0 {
			return passes, took, nil
		}
		// The clock is read at least 16 times in the time that is asked for.
		if took*16 < want {
			block *= 2
		}
	}
}
