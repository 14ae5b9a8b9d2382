package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/twofold-dap/twofold/internal/daphttp"
)

// maxProfileTime bounds how long one profile is taken.
const maxProfileTime = 10 * time.Minute

// addProfiles adds the routes that go's pprof command asks: where the processor time and the memory
// go. They are the operator's alone: a profile slows the server down, and names what it is
// working on, though not with what values. The package registers its handlers with
// http.DefaultServeMux as well, which no server of Twofold uses.
func (h *operatorHandler) addProfiles(router gin.IRoutes) {
	router.GET("/debug/pprof/:name", func(c *gin.Context) {
		serve, known := profileHandlers[c.Param("name")]
		if !known {
			h.fail(c, &OperatorError{OperatorNotFound, "there is no such profile; there are profile, trace, allocs, heap and goroutine"})
			return
		}
		if text := c.Query("seconds"); text != "" {
			seconds, err := strconv.Atoi(text)
			if err != nil || seconds < 1 || time.Duration(seconds)*time.Second > maxProfileTime {
				h.fail(c, &OperatorError{OperatorInvalid, fmt.Sprintf("seconds must be a whole number from 1 to %d", maxProfileTime/time.Second)})
				return
			}
		}
		h.logger.Info("operator request", "method", c.Request.Method, "route", c.FullPath(), "profile", c.Param("name"))
		serve(c.Writer, c.Request)
	})
}

// profileHandlers are the profiles by their names in /debug/pprof.
var profileHandlers = map[string]http.HandlerFunc{
	"profile":   pprof.Profile,
	"trace":     pprof.Trace,
	"allocs":    pprof.Handler("allocs").ServeHTTP,
	"heap":      pprof.Handler("heap").ServeHTTP,
	"goroutine": pprof.Handler("goroutine").ServeHTTP,
}

// Profile writes a profile of the running server to w, for go tool pprof: "profile" is that of the
// processor time, and "trace" what every goroutine does, taken for so many seconds; "allocs" and "heap" are what has come
// together since the start, or, if seconds is not 0, in that time; "goroutine" is what all of them do.
func (c *OperatorClient) Profile(ctx context.Context, name string, seconds int, w io.Writer) error {
	path := "/debug/pprof/" + name
	if seconds != 0 {
		path += "?seconds=" + strconv.Itoa(seconds)
	}
	response, err := c.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		body, err := daphttp.ReadBody(response.Body, response.ContentLength, maxOperatorAnswer, nil)
		if err != nil {
			return errors.Join(operatorErrorAnswer(response.StatusCode, nil), err)
		}
		return operatorErrorAnswer(response.StatusCode, body)
	}
	if _, err := io.Copy(w, response.Body); err != nil {
		return fmt.Errorf("reading the profile of the server at %s: %w", c.socket, err)
	}
	return nil
}
