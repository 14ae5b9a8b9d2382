package operator

import (
	"time"

	"errors"
	"github.com/twofold-dap/twofold/aggregator"
	"strings"
	"testing"

	"github.com/twofold-dap/twofold/internal/fuzzing"
)

func goodConfig() Config {
	return Config{Role: "helper", URL: "https://helper.example/dap", Listen: ":443", TLSCert: "/c", TLSKey: "/k", Asynchronous: true, Log: LogConfig{"warn", "json"}}
}

func TestConfigRoundTrip(t *testing.T) {
	want := goodConfig()
	text, err := want.encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeConfig("x", text)
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	// What may be left out.
	got, err = decodeConfig("x", []byte("role = 'leader'\nurl = 'http://127.0.0.1:1/'\nlisten = '127.0.0.1:1'\n"))
	if err != nil || got.Log != (LogConfig{"info", "text"}) || got.Limits != defaultLimits || got.Retention != defaultRetention {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestConfigErrors(t *testing.T) {
	for field, change := range map[string]func(*Config){
		"role":              func(c *Config) { c.Role = "client" },
		"url":               func(c *Config) { c.URL = "http://helper.example/" },
		"listen":            func(c *Config) { c.Listen = "443" },
		"tls_cert, tls_key": func(c *Config) { c.TLSKey = "" },
		"asynchronous":      func(c *Config) { c.Role = "leader" },
		"log.level":         func(c *Config) { c.Log.Level = "" },
		"log.format":        func(c *Config) { c.Log.Format = "xml" },
		"retention.reports": func(c *Config) { c.Retention.Reports = "long" },
		"retention.answers": func(c *Config) { c.Retention.Answers = "0s" },
		"limits.memory":     func(c *Config) { c.Limits.Memory = "much" },

		"limits.connections_per_address": func(c *Config) { c.Limits.ConnectionsPerAddress = -1 },
	} {
		c := goodConfig()
		change(&c)
		text, err := c.encode()
		if err != nil {
			t.Fatal(err)
		}
		_, err = decodeConfig("the/path", text)
		problem, ok := errors.AsType[*ConfigError](err)
		if !ok || problem.Field != field || problem.Path != "the/path" {
			t.Errorf("%s: got %v", field, err)
		}
	}
	for _, text := range []string{"role", "roll = 'leader'", "role = 1", "\x00"} {
		_, err := decodeConfig("x", []byte(text))
		if _, ok := errors.AsType[*ConfigError](err); !ok || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

func TestDefaultListen(t *testing.T) {
	for url, want := range map[string]string{
		"http://127.0.0.1:8080/x": "127.0.0.1:8080", "http://localhost:8080": "localhost:8080", "http://[::1]:8080/": "[::1]:8080",
		"https://leader.example/": ":443", "https://leader.example:8443/": ":8443", "http://10.0.0.1/": ":80",
	} {
		if got := DefaultListen(url); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
}

func FuzzDecodeConfig(f *testing.F) {
	c := goodConfig()
	text, err := c.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, text []byte) {
		c, err := decodeConfig("x", text)
		if err != nil {
			return
		}
		again, err := c.encode()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := decodeConfig("x", again); err != nil || back != c {
			t.Fatalf("%+v came back as %+v, %v", c, back, err)
		}
	})
}

func TestRetention(t *testing.T) {
	for _, test := range []struct {
		config RetentionConfig
		want   aggregator.Retention
	}{
		{RetentionConfig{}, aggregator.Retention{Reports: 90 * 24 * time.Hour, Answers: 90 * 24 * time.Hour}},
		{RetentionConfig{Reports: "forever", Answers: "36h"}, aggregator.Retention{Answers: 36 * time.Hour}},
	} {
		if got, err := test.config.retention(); err != nil || got != test.want {
			t.Errorf("%+v: got %+v, %v", test.config, got, err)
		}
	}
}
