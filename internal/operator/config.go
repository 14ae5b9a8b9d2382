package operator

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/daphttp"
)

// Config is what a directory's config.toml says. An operator may edit it; the
// server reads it when it starts.
type Config struct {
	Role string `toml:"role" comment:"leader or helper. It never changes."`
	URL  string `toml:"url" comment:"Where clients and the other aggregator reach this one. Tasks name it letter by letter."`

	Listen  string `toml:"listen" comment:"The address to listen on, HOST:PORT."`
	TLSCert string `toml:"tls_cert" comment:"PEM files. Without them the server speaks plain http, for a proxy on this machine that speaks TLS."`
	TLSKey  string `toml:"tls_key"`

	AllowPlainHTTP bool `toml:"allow_plain_http" comment:"Speak to other machines without TLS. Only for tests in private networks: DAP requires https."`
	Asynchronous   bool `toml:"asynchronous" comment:"A Helper answers aggregation jobs at once (false) or computes them later and lets the Leader poll (true)."`

	Limits    LimitsConfig    `toml:"limits"`
	Retention RetentionConfig `toml:"retention"`
	Log       LogConfig       `toml:"log"`
}

// LogConfig says what a server logs, on standard error.
type LogConfig struct {
	Level  string `toml:"level" comment:"debug, info, warn or error"`
	Format string `toml:"format" comment:"text or json"`
}

// ConfigError says what is wrong with a configuration.
type ConfigError struct {
	Path    string // of the file; empty before there is one
	Field   string
	Problem string
}

func (e *ConfigError) Error() string {
	text := e.Problem
	if e.Field != "" {
		text = e.Field + ": " + text
	}
	if e.Path != "" {
		text = e.Path + ": " + text
	}
	return text
}

// DefaultListen is the address that a server listens on if its operator names
// none: the URL's port, on the URL's host if that is this machine, else on every
// address.
func DefaultListen(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	host := u.Hostname()
	if address, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !address.IsLoopback()) {
		host = ""
	}
	return net.JoinHostPort(host, port)
}

// check checks every field.
func (c *Config) check() error {
	if c.Role != dap.RoleLeader.String() && c.Role != dap.RoleHelper.String() {
		return &ConfigError{Field: "role", Problem: fmt.Sprintf("%q; it must be leader or helper", c.Role)}
	}
	if _, err := daphttp.ParseEndpoint(c.URL, c.AllowPlainHTTP); err != nil {
		return &ConfigError{Field: "url", Problem: err.Error()}
	}
	if _, port, err := net.SplitHostPort(c.Listen); err != nil || port == "" {
		return &ConfigError{Field: "listen", Problem: fmt.Sprintf("%q; it must be HOST:PORT, such as 127.0.0.1:8080 or :443", c.Listen)}
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return &ConfigError{Field: "tls_cert, tls_key", Problem: "one of the two is missing; TLS needs a certificate and its key"}
	}
	if c.Asynchronous && c.Role != dap.RoleHelper.String() {
		return &ConfigError{Field: "asynchronous", Problem: "is only for a helper"}
	}
	if err := c.Limits.check(); err != nil {
		return err
	}
	if _, err := c.Retention.retention(); err != nil {
		return err
	}
	if _, err := c.Log.level(); err != nil {
		return err
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		return &ConfigError{Field: "log.format", Problem: fmt.Sprintf("%q; it must be text or json", c.Log.Format)}
	}
	return nil
}

func (c *LogConfig) level() (slog.Level, error) {
	switch c.Level {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, &ConfigError{Field: "log.level", Problem: fmt.Sprintf("%q; it must be debug, info, warn or error", c.Level)}
}

// role returns the role as a dap.Role; the configuration has been checked.
func (c *Config) role() dap.Role {
	if c.Role == dap.RoleLeader.String() {
		return dap.RoleLeader
	}
	return dap.RoleHelper
}

const configHeading = "# The configuration of this aggregator. The server reads it when it starts.\n\n"

func (c *Config) encode() ([]byte, error) {
	text, err := toml.Marshal(c)
	if err != nil {
		return nil, err
	}
	return append([]byte(configHeading), text...), nil
}

// decodeConfig reads a configuration, strictly: a misspelled field is an error.
func decodeConfig(path string, text []byte) (Config, error) {
	c := Config{Limits: defaultLimits, Retention: defaultRetention, Log: LogConfig{Level: "info", Format: "text"}}
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&c); err != nil {
		return Config{}, &ConfigError{Path: path, Problem: tomlProblem(err)}
	}
	if err := c.check(); err != nil {
		if problem, ok := errors.AsType[*ConfigError](err); ok {
			problem.Path = path
		}
		return Config{}, err
	}
	return c, nil
}

// tomlProblem makes one line of what the TOML decoder says.
func tomlProblem(err error) string {
	if strict, ok := errors.AsType[*toml.StrictMissingError](err); ok && len(strict.Errors) > 0 {
		row, _ := strict.Errors[0].Position()
		return fmt.Sprintf("line %d: there is no setting %s", row, strings.Join(strict.Errors[0].Key(), "."))
	}
	if decode, ok := errors.AsType[*toml.DecodeError](err); ok {
		row, column := decode.Position()
		return fmt.Sprintf("line %d, column %d: %v", row, column, decode)
	}
	return err.Error()
}
