package processes

import "context"

// NewCollector returns the service of the system's Collector, which listens at that address.
func (s *System) NewCollector(listen string) *Server {
	server := newServer(s.Programs, "collector", s.Dir, Site{URL: "http://" + listen + "/", Listen: listen})
	server.Args = []string{"--listen", listen}
	server.probe = "login"
	return server
}

// ServeCollector starts the service of the system's Collector, at an address of its own, and waits until it answers. Close stops it.
func (s *System) ServeCollector(ctx context.Context) error {
	addresses, err := FreeAddresses(1)
	if err != nil {
		return err
	}
	collector := s.NewCollector(addresses[0])
	if err := collector.Start(ctx); err != nil {
		return err
	}
	s.Collector = collector
	return nil
}

// Keep has the Collector's service collect a task: hour, day, batch or hand. Its intervals are collected when they are over.
func (s *System) Keep(ctx context.Context, task Task, every string) error {
	if _, err := s.Programs.Run(ctx, "collector", "task", "token", "--dir", s.collectorDir(), task.Name, "--token", task.token); err != nil {
		return err
	}
	_, err := s.Programs.Run(ctx, "collector", "task", "schedule", "--dir", s.collectorDir(), task.Name, "--every", every, "--delay", "0s")
	return err
}

// NewAnalystToken makes a token for the Collector's service.
func (s *System) NewAnalystToken(ctx context.Context, name, scope string) (string, error) {
	made, err := s.Programs.Run(ctx, "collector", "token", "new", "--dir", s.collectorDir(), "--name", name, "--scope", scope)
	return made.LastLine(), err
}
