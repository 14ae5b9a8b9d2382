//go:build !unix

package processes

import "io/fs"

func allocated(info fs.FileInfo) int64 { return info.Size() }
