package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/twofold-dap/twofold/internal/daphttp"
)

// OperatorOptions configure NewOperatorHandler. The zero value is usable.
type OperatorOptions struct {
	// Gatherer, if not nil, is what GET /metrics shows.
	Gatherer prometheus.Gatherer
	// Logger takes what operators ask for. Nil: slog.Default().
	Logger *slog.Logger
}

// maxOperatorBody bounds a request of the operator, in bytes. A task file is a few kilobytes long.
const maxOperatorBody = 4 << 20

// operatorProblem is a problem document with the error's kind.
type operatorProblem struct {
	daphttp.Problem
	Kind OperatorErrorKind `json:"kind"`
}

// NewOperatorHandler returns the handler of the operator's interface: JSON over
// HTTP, one POST or GET for each method of the service, and GET /health,
// GET /metrics and GET /debug/pprof/NAME (profiles). It authenticates nobody: serve it on a socket that only the operator
// can open (see ListenOperator).
func NewOperatorHandler(service OperatorService, options OperatorOptions) http.Handler {
	releaseMode()
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	h := &operatorHandler{options.Logger}
	router := gin.New()
	router.RedirectTrailingSlash = false
	router.HandleMethodNotAllowed = true
	router.Use(gin.CustomRecoveryWithWriter(io.Discard, func(c *gin.Context, recovered any) {
		h.logger.Error("panic while serving the operator", "route", c.FullPath(), "panic", fmt.Sprintf("%T", recovered))
		h.fail(c, &OperatorError{OperatorInternal, "the aggregator failed; its log says where"})
	}))
	router.NoRoute(func(c *gin.Context) {
		h.fail(c, &OperatorError{OperatorNotFound, "the running server does not know this request; is it of another version?"})
	})
	router.NoMethod(func(c *gin.Context) {
		h.fail(c, &OperatorError{OperatorNotFound, "the running server does not know this request; is it of another version?"})
	})
	router.GET("/health", func(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"status": "ok"}) })
	if options.Gatherer != nil {
		router.GET("/metrics", gin.WrapH(promhttp.HandlerFor(options.Gatherer, promhttp.HandlerOpts{})))
	}
	router.GET("/status", answerGet(h, service.Status))
	router.GET("/check", answerGet(h, service.Check))
	router.GET("/backup", h.backup(service))
	router.GET("/peers", answerGet(h, service.Peers))
	router.POST("/tasks", answerPost(h, service.AddTask))
	router.POST("/hpke_keys", answerPost(h, service.RotateHpkeKey))
	router.POST("/invitations", answerPost(h, service.Invite))
	router.POST("/peers", answerPost(h, service.Pair))
	router.POST("/opt_ins", answerPost(h, service.OptIn))
	router.POST("/jobs/list", answerPost(h, service.Jobs))
	router.POST("/jobs/show", answerPost(h, service.Job))
	router.POST("/jobs/retry", answerPost(h, service.RetryJob))
	router.POST("/jobs/quarantine", answerPost(h, service.QuarantineJob))
	router.POST("/privacy", answerPost(h, service.Privacy))
	h.addProfiles(router)
	return router
}

type operatorHandler struct{ logger *slog.Logger }

// answerGet answers with what a method without arguments returns.
func answerGet[Result any](h *operatorHandler, method func(context.Context) (Result, error)) gin.HandlerFunc {
	return func(c *gin.Context) {
		result, err := method(c.Request.Context())
		h.answer(c, result, err)
	}
}

// answerPost answers with what a method returns for the request's JSON.
func answerPost[Request, Result any](h *operatorHandler, method func(context.Context, Request) (Result, error)) gin.HandlerFunc {
	return func(c *gin.Context) {
		var request Request
		if err := decodeStrictly(c.Request, &request); err != nil {
			h.answer(c, nil, err)
			return
		}
		result, err := method(c.Request.Context(), request)
		h.answer(c, result, err)
	}
}

// decodeStrictly decodes a request's JSON: one value, no unknown members.
func decodeStrictly(r *http.Request, request any) error {
	body, err := daphttp.ReadBody(r.Body, r.ContentLength, maxOperatorBody, nil)
	if err != nil {
		return &OperatorError{OperatorInvalid, "reading the request: " + err.Error()}
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(request); err != nil {
		// The text of JSON's errors may quote the value, which may be secret.
		return &OperatorError{OperatorInvalid, "the request is not the JSON object that this server expects; is it of another version?"}
	}
	if _, err := decoder.Token(); err != io.EOF {
		return &OperatorError{OperatorInvalid, "the request has more after its JSON object"}
	}
	return nil
}

func (h *operatorHandler) answer(c *gin.Context, result any, err error) {
	if err != nil {
		h.fail(c, operatorError(err))
		return
	}
	h.logger.Info("operator request", "method", c.Request.Method, "route", c.FullPath(), "status", http.StatusOK)
	c.JSON(http.StatusOK, result)
}

func (h *operatorHandler) fail(c *gin.Context, e *OperatorError) {
	status := operatorStatuses[e.Kind]
	h.logger.Info("operator request", "method", knownMethod(c.Request.Method), "route", c.FullPath(), "status", status, "error", e.Detail)
	problem := operatorProblem{plainProblem(status, e.Detail), e.Kind}
	body, err := json.Marshal(problem)
	if err != nil {
		panic("problem document without a JSON form")
	}
	c.Data(status, daphttp.ProblemMediaType, body)
}
