package main

import (
	"context"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// libprio is the Rust program's source.
//
//go:embed libprio/Cargo.toml libprio/Cargo.lock libprio/src
var libprio embed.FS

// errNoCargo says that there is no cargo on this machine.
var errNoCargo = errors.New("cargo is not installed")

// buildRust builds the Rust program in the user's cache directory, and returns
// its path.
func buildRust(ctx context.Context, cargo string, log io.Writer) (string, error) {
	cargo, err := findCargo(cargo)
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	cache = filepath.Join(cache, "twofold-bench-peers")
	source, err := unpack(libprio, "libprio", cache)
	if err != nil {
		return "", fmt.Errorf("the Rust program's source cannot be written: %w", err)
	}
	fmt.Fprintf(log, "building the Rust program in %s\n", cache)
	target := filepath.Join(cache, "target")
	c := exec.CommandContext(ctx, cargo, "build", "--release", "--locked", "--quiet",
		"--manifest-path", filepath.Join(source, "Cargo.toml"), "--target-dir", target)
	c.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "CARGO_ENCODED_RUSTFLAGS=") })
	c.Env = append(c.Env, "RUSTFLAGS=-C target-cpu=native")
	c.Stdout, c.Stderr = log, log
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("cargo could not build the Rust program: %w; --cargo= leaves libprio-rs out", err)
	}
	return filepath.Join(target, "release", "twofold-bench-libprio"), nil
}

// findCargo also looks where rustup puts cargo. Its error is errNoCargo.
func findCargo(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	if home, err := os.UserHomeDir(); err == nil && name == "cargo" {
		if path, err := exec.LookPath(filepath.Join(home, ".cargo", "bin", name)); err == nil {
			return path, nil
		}
	}
	return "", errNoCargo
}

// unpack writes the files below root into a directory below dir that is named
// for what they hold, unless it is there, and returns its path.
func unpack(files fs.FS, root, dir string) (string, error) {
	files, err := fs.Sub(files, root)
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	err = fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, path)
		fmt.Fprintf(hash, "%s %d\n%s", path, len(content), content)
		return err
	})
	if err != nil {
		return "", err
	}
	target := filepath.Join(dir, fmt.Sprintf("source-%x", hash.Sum(nil)[:8]))
	if _, err := os.Stat(target); err == nil {
		return target, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	unfinished, err := os.MkdirTemp(dir, "unfinished-")
	if err != nil {
		return "", err
	}
	if err := os.CopyFS(unfinished, files); err != nil {
		return "", errors.Join(err, os.RemoveAll(unfinished))
	}
	return target, os.Rename(unfinished, target)
}

// rustCompiler is what the compiler beside cargo says of itself, or nothing.
func rustCompiler(ctx context.Context, cargo string) string {
	cargo, err := findCargo(cargo)
	if err != nil {
		return ""
	}
	out, err := exec.CommandContext(ctx, filepath.Join(filepath.Dir(cargo), "rustc"), "--version").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

var lockedPrio = regexp.MustCompile(`(?m)^name = "prio"\nversion = "([^"]+)"$`)

// prioVersion is the version of the crate prio that Cargo.lock names.
func prioVersion() (string, error) {
	lock, err := libprio.ReadFile("libprio/Cargo.lock")
	if err != nil {
		return "", err
	}
	m := lockedPrio.FindSubmatch(lock)
	if m == nil {
		return "", errors.New("libprio/Cargo.lock does not name the crate prio")
	}
	return string(m[1]), nil
}
