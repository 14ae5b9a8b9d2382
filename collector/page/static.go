package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed static
var staticFiles embed.FS

// static is the style sheet, the script and the icon. Their addresses hold a hash of their contents, so that browsers
// may keep them for ever.
type static struct {
	addresses map[string]string // by the file's name
	contents  map[string][]byte // by the last part of the address
}

var mediaTypes = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

func loadStatic() (*static, error) {
	s := &static{map[string]string{}, map[string][]byte{}}
	entries, err := fs.ReadDir(staticFiles, "static")
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		content, err := staticFiles.ReadFile("static/" + entry.Name())
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(content)
		stem, extension, _ := strings.Cut(entry.Name(), ".")
		name := stem + "." + hex.EncodeToString(sum[:6]) + "." + extension
		s.addresses[entry.Name()] = "/static/" + name
		s.contents[name] = content
	}
	return s, nil
}

// address returns where a file is to be found.
func (s *static) address(name string) (string, error) {
	address, ok := s.addresses[name]
	if !ok {
		return "", fmt.Errorf("page: there is no static file %q", name)
	}
	return address, nil
}

func (s *static) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	content, ok := s.contents[r.PathValue("file")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("Content-Type", mediaTypes[path.Ext(r.PathValue("file"))])
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}
