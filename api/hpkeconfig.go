package api

import (
	"context"
	"fmt"
	"time"

	"github.com/twofold-dap/twofold/dap"
)

// hpkeConfig returns the handler of GET {aggregator}/hpke_config (DAP Section
// 4.4.1).
func (f *frontend) hpkeConfig(list func(context.Context) (dap.HpkeConfigList, error)) handler {
	cacheControl := fmt.Sprintf("public, max-age=%d", f.options.HpkeConfigMaxAge/time.Second)
	return func(x *exchange) (response, error) {
		configs, err := list(x.request.Context())
		if err != nil {
			return response{}, err
		}
		body, err := configs.Encode()
		return response{mediaType: dap.MediaTypeHpkeConfigList, body: body, cacheControl: cacheControl}, err
	}
}
