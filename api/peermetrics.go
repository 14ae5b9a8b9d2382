package api

import (
	"context"
	"net"

	"github.com/prometheus/client_golang/prometheus"
)

// countTraffic makes dial count what its connections carry, TLS and HTTP included.
func countTraffic(registerer prometheus.Registerer, dial dialFunc) dialFunc {
	if registerer == nil {
		return dial
	}
	bytes := register(registerer, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "twofold_leader_helper_bytes_total",
		Help: "Bytes on the connections to Helpers by direction, from the Leader's side.",
	}, []string{"direction"}))
	sent, received := bytes.WithLabelValues("sent"), bytes.WithLabelValues("received")
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &countingConn{conn, sent, received}, nil
	}
}

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// countingConn counts what it carries.
type countingConn struct {
	net.Conn
	sent, received prometheus.Counter
}

func (c *countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.received.Add(float64(n))
	return n, err
}

func (c *countingConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.sent.Add(float64(n))
	return n, err
}
