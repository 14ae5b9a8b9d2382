package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/twofold-dap/twofold/internal/daphttp"
)

// backupStall is how long the operator's command may take to receive a part of a backup. The
// database cannot use the pages again that a backup is still reading.
const backupStall = time.Minute

// backup answers with the bytes of a backup. If it fails on the way the connection is cut, so that what
// has arrived is shorter than was announced.
func (h *operatorHandler) backup(service OperatorService) gin.HandlerFunc {
	return func(c *gin.Context) {
		begun := false
		err := service.Backup(c.Request.Context(), func(size int64) (io.Writer, error) {
			begun = true
			c.Header("Content-Type", "application/octet-stream")
			c.Header("Content-Length", strconv.FormatInt(size, 10))
			c.Status(http.StatusOK)
			return &unstalledWriter{c.Writer, http.NewResponseController(c.Writer)}, nil
		})
		switch {
		case err == nil:
			h.logger.Info("operator request", "method", c.Request.Method, "route", c.FullPath(), "status", http.StatusOK)
		case !begun:
			h.fail(c, operatorError(err))
		default:
			h.logger.Warn("a backup was not finished", "error", err)
			panic(http.ErrAbortHandler)
		}
	}
}

// unstalledWriter gives up on a reader that takes nothing.
type unstalledWriter struct {
	w          io.Writer
	controller *http.ResponseController
}

func (w *unstalledWriter) Write(b []byte) (int, error) {
	if err := w.controller.SetWriteDeadline(time.Now().Add(backupStall)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return w.w.Write(b)
}

// Backup implements OperatorService.
func (c *OperatorClient) Backup(ctx context.Context, begin func(size int64) (io.Writer, error)) error {
	response, err := c.send(ctx, http.MethodGet, "/backup", nil)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		body, err := daphttp.ReadBody(response.Body, response.ContentLength, maxOperatorAnswer, nil)
		if err != nil {
			return fmt.Errorf("reading the answer of the server at %s: %w", c.socket, err)
		}
		return operatorErrorAnswer(response.StatusCode, body)
	}
	if response.ContentLength < 0 {
		return fmt.Errorf("the server at %s does not say how long the backup is; is it of another version?", c.socket)
	}
	w, err := begin(response.ContentLength)
	if err != nil {
		return err
	}
	read := &sourceError{r: response.Body}
	if _, err := io.CopyN(w, read, response.ContentLength); err != nil {
		if read.err != nil {
			return fmt.Errorf("the server at %s broke the backup off; its log says why", c.socket)
		}
		return err
	}
	return nil
}

// sourceError keeps the error of the reading side.
type sourceError struct {
	r   io.Reader
	err error
}

func (s *sourceError) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	if err != nil {
		s.err = err
	}
	return n, err
}
