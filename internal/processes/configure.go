package processes

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// configuration is the name of the file with the settings in an aggregator's
// directory.
const configuration = "config.toml"

// Set changes a setting in the server's configuration, as its operator would with
// an editor: name is as in the file, and value in TOML. The server reads it when it
// is started next.
func (s *Server) Set(name, value string) error {
	path := filepath.Join(s.Dir, configuration)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		if key, _, found := strings.Cut(line, "="); found && strings.TrimSpace(key) == name {
			lines[i] = name + " = " + value
			return os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600)
		}
	}
	return fmt.Errorf("the %s's configuration has no setting %s", s.Role, name)
}
