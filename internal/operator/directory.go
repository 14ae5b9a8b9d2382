package operator

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/privatefile"
)

// The files of a directory.
const (
	configFile = "config.toml"
	keyFile    = "store.key"
	socketFile = "operator.sock"
	claimFile  = ".initializing" // while init is at work

	databaseSuffix = ".db" // after the role
)

// Directory is an initialized directory of one role.
type Directory struct {
	path   string
	role   dap.Role
	Config Config
}

// NotInitializedError says that a directory does not hold an aggregator.
type NotInitializedError struct {
	Path string
	Role dap.Role
}

func (e *NotInitializedError) Error() string {
	return fmt.Sprintf("%s was never initialized: run %s init --dir %s --url URL", e.Path, e.Role, e.Path)
}

// WrongRoleError says that a directory belongs to the other role.
type WrongRoleError struct {
	Path string
	Role dap.Role // what it is
}

func (e *WrongRoleError) Error() string {
	return fmt.Sprintf("%s is the directory of a %s: use the command %s", e.Path, e.Role, e.Role)
}

// InUseError says that a directory cannot be initialized because something is
// in it.
type InUseError struct {
	Path        string
	Initialized bool
	// Unfinished says that an init is at work there, or was interrupted.
	Unfinished bool
}

func (e *InUseError) Error() string {
	if e.Initialized {
		return fmt.Sprintf("%s is initialized already; nothing was changed", e.Path)
	}
	if e.Unfinished {
		return fmt.Sprintf("an init of %s is at work, or was interrupted: in that case remove the directory, which was never used. Nothing was changed", e.Path)
	}
	return fmt.Sprintf("%s is not empty; choose a new directory. Nothing was changed", e.Path)
}

// OpenDirectory opens the directory of a role. It reads the configuration, not the
// database.
func OpenDirectory(path string, role dap.Role) (*Directory, error) {
	text, err := os.ReadFile(filepath.Join(path, configFile))
	if errors.Is(err, fs.ErrNotExist) || isNotDirectory(path) {
		return nil, &NotInitializedError{path, role}
	}
	if err != nil {
		return nil, err
	}
	config, err := decodeConfig(filepath.Join(path, configFile), text)
	if err != nil {
		return nil, err
	}
	if config.role() != role {
		return nil, &WrongRoleError{path, config.role()}
	}
	return &Directory{path: path, role: role, Config: config}, nil
}

func isNotDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

func (d *Directory) file(name string) string { return filepath.Join(d.path, name) }

func (d *Directory) databasePath() string { return d.file(d.role.String() + databaseSuffix) }

// Socket is the path of the operator socket of a running server.
func (d *Directory) Socket() string { return d.file(socketFile) }

// Role is the directory's role.
func (d *Directory) Role() dap.Role { return d.role }

// InitOptions are what an operator decides about a new directory.
type InitOptions struct {
	Role            dap.Role
	URL, Listen     string // Listen may be empty: DefaultListen
	TLSCert, TLSKey string
	AllowPlainHTTP  bool
	Asynchronous    bool
	PostQuantum     bool // offer X-Wing before the mandatory suite
}

// Init makes a directory of a role: mode 0700, with a configuration, a key, a
// database and HPKE keys. Whatever goes wrong, nothing is left behind.
func Init(ctx context.Context, path string, options InitOptions) (*Directory, error) {
	config := Config{
		Role: options.Role.String(), URL: options.URL, Listen: options.Listen,
		AllowPlainHTTP: options.AllowPlainHTTP, Asynchronous: options.Asynchronous,
		Limits: defaultLimits, Retention: defaultRetention,
		Log: LogConfig{Level: "info", Format: "text"},
	}
	for _, file := range []struct {
		given string
		path  *string
	}{{options.TLSCert, &config.TLSCert}, {options.TLSKey, &config.TLSKey}} {
		if file.given != "" {
			absolute, err := filepath.Abs(file.given)
			if err != nil {
				return nil, err
			}
			*file.path = absolute
		}
	}
	if config.Listen == "" {
		config.Listen = DefaultListen(config.URL)
	}
	if err := config.check(); err != nil {
		return nil, err
	}
	created, err := makeDirectory(path)
	if err != nil {
		return nil, err
	}
	d := &Directory{path: path, role: options.Role, Config: config}
	if err := d.fill(ctx, options.PostQuantum); err != nil {
		return nil, errors.Join(err, d.empty(created))
	}
	return d, nil
}

// makeDirectory makes the directory, or takes an empty one, and tells which. It
// claims it, so that of several at once one goes on.
func makeDirectory(path string) (created bool, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, err
	}
	err = os.Mkdir(path, 0o700)
	created = err == nil
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	if err := checkEmpty(path); err != nil {
		return false, err
	}
	claim := filepath.Join(path, claimFile)
	f, err := os.OpenFile(claim, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return false, &InUseError{Path: path, Unfinished: true}
	}
	if err != nil {
		return false, err
	}
	// Another may have come and gone before the claim.
	if err := errors.Join(f.Close(), checkEmpty(path)); err != nil {
		return false, errors.Join(err, os.Remove(claim))
	}
	return created, os.Chmod(path, 0o700)
}

// checkEmpty checks that nothing but the claim is in the directory. Its error may be
// an *InUseError.
func checkEmpty(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	var inUse *InUseError
	for _, entry := range entries {
		if inUse == nil {
			inUse = &InUseError{Path: path}
		}
		inUse.Initialized = inUse.Initialized || entry.Name() == configFile
		inUse.Unfinished = inUse.Unfinished || entry.Name() == claimFile
	}
	if inUse == nil || inUse.Unfinished && len(entries) == 1 {
		return nil
	}
	return inUse
}

// fill makes the files. The configuration comes last: with it the directory is
// initialized, and all that it needs is on the disk.
func (d *Directory) fill(ctx context.Context, postQuantum bool) error {
	key, fromEnvironment, err := rootKeyFromEnvironment()
	if err != nil {
		return err
	}
	if !fromEnvironment {
		var text []byte
		key, text = newRootKey()
		if err := privatefile.Write(d.file(keyFile), text); err != nil {
			return err
		}
	}
	local, err := d.open(key, openOptions{create: true})
	if err != nil {
		return err
	}
	preference := 0
	if postQuantum {
		_, err = local.engine.AddHpkeKey(ctx, postQuantumSuite, preference)
		preference++
	}
	if err == nil {
		_, err = local.engine.AddHpkeKey(ctx, aggregator.MandatorySuite, preference)
	}
	if err = errors.Join(err, local.Close()); err != nil {
		return err
	}
	text, err := d.Config.encode()
	if err != nil {
		return err
	}
	if err := privatefile.Write(d.file(configFile), text); err != nil {
		return err
	}
	return errors.Join(os.Remove(d.file(claimFile)), privatefile.SyncDirectory(filepath.Dir(d.path)))
}

// empty removes what fill has made.
func (d *Directory) empty(created bool) error {
	if created {
		return os.RemoveAll(d.path)
	}
	var errs []error
	for _, path := range []string{d.file(keyFile), d.databasePath(), d.file(configFile), d.file(claimFile)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
