package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"

	"github.com/twofold-dap/twofold/internal/processes"
)

// profileSeconds is how long the processor time is profiled from the first upload on: less
// than the shortest run of interest, for the profile of a server that idles says little.
const profileSeconds = 10

// profiles are being taken of the servers.
type profiles struct {
	running sync.WaitGroup
	mu      sync.Mutex
	err     error
}

// startProfiles begins to profile the servers that run, if that was asked for.
func (m *measurement) startProfiles(ctx context.Context) *profiles {
	p := new(profiles)
	if m.profile == "" {
		return p
	}
	for _, server := range []*processes.Server{m.system.Leader, m.system.Helper} {
		if server.PID() == 0 {
			continue
		}
		p.running.Go(func() {
			p.note(errors.Join(
				takeProfile(ctx, server, "profile", profileSeconds, filepath.Join(m.profile, server.Role+".cpu")),
				takeProfile(ctx, server, "allocs", 0, filepath.Join(m.profile, server.Role+".allocs")),
			))
		})
	}
	return p
}

func (p *profiles) note(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = errors.Join(p.err, err)
}

// finish waits for the profiles.
func (p *profiles) finish() error {
	p.running.Wait()
	return p.err
}

func takeProfile(ctx context.Context, server *processes.Server, name string, seconds int, path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(server.Profile(ctx, name, seconds, file), file.Close())
}
