package client

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/dapclient"
	"github.com/twofold-dap/twofold/internal/daphttp"
)

const (
	maxHpkeConfigList = 2 + 1<<16

	defaultCacheLifetime = time.Hour // if the aggregator does not say
	maxCacheLifetime     = 7 * 24 * time.Hour
)

// sealerCache holds what encrypts to each aggregator, made from its HPKE
// configurations, for as long as these may be cached (DAP Section 4.4.1).
type sealerCache struct {
	mu             sync.Mutex
	leader, helper cachedSealer
}

type cachedSealer struct {
	sealer  *dap.InputShareSealer
	expires time.Time
}

// sealers returns what encrypts to the Leader and to the Helper, fetching their
// HPKE configurations if need be. One goroutine fetches, the others wait.
func (c *Client[M]) getSealers(ctx context.Context) (leader, helper *dap.InputShareSealer, err error) {
	c.sealers.mu.Lock()
	defer c.sealers.mu.Unlock()
	if err := c.refresh(ctx, &c.sealers.leader, c.leader, dap.RoleLeader); err != nil {
		return nil, nil, err
	}
	if err := c.refresh(ctx, &c.sealers.helper, c.helper, dap.RoleHelper); err != nil {
		return nil, nil, err
	}
	return c.sealers.leader.sealer, c.sealers.helper.sealer, nil
}

// forgetSealers makes the next report fetch the HPKE configurations anew.
func (c *Client[M]) forgetSealers() {
	c.sealers.mu.Lock()
	defer c.sealers.mu.Unlock()
	c.sealers.leader, c.sealers.helper = cachedSealer{}, cachedSealer{}
}

// refresh fetches an aggregator's HPKE configurations unless they are cached.
func (c *Client[M]) refresh(ctx context.Context, cached *cachedSealer, endpoint *daphttp.Endpoint, role dap.Role) error {
	now := c.options.Now()
	if cached.sealer != nil && now.Before(cached.expires) {
		return nil
	}
	request := dapclient.Request{Method: http.MethodGet, URL: endpoint.URL("hpke_config"), MaxAnswer: maxHpkeConfigList}
	response, _, err := c.sendPatiently(ctx, request)
	if err != nil {
		return err
	}
	if err := response.CheckMediaType(dap.MediaTypeHpkeConfigList); err != nil {
		return err
	}
	list, err := dap.DecodeHpkeConfigList(response.Body)
	if err != nil {
		return &AnswerError{Server: response.URL.Host, Problem: err.Error()}
	}
	config, err := list.Choose()
	if err != nil {
		return &AnswerError{Server: response.URL.Host, Problem: err.Error()}
	}
	sealer, err := dap.NewInputShareSealer(config, role, c.task.ID, c.encoded)
	if err != nil {
		return err
	}
	*cached = cachedSealer{sealer, now.Add(cacheLifetime(response.Header))}
	return nil
}

// cacheLifetime reads Cache-Control (RFC 9111 Section 5.2.2) and Age.
func cacheLifetime(header http.Header) time.Duration {
	lifetime := defaultCacheLifetime
	for directive := range strings.SplitSeq(strings.Join(header.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 32)
			if err != nil {
				return 0 // RFC 9111 Section 4.2.1: what cannot be read is stale
			}
			lifetime = time.Duration(seconds) * time.Second
		}
	}
	if age, err := strconv.ParseUint(header.Get("Age"), 10, 32); err == nil {
		lifetime -= time.Duration(age) * time.Second
	}
	return min(max(lifetime, 0), maxCacheLifetime)
}
