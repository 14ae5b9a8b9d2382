package processes

import "os"

// DiskBytes returns what all files in a server's directory take of the disk.
// Databases grow in steps of megabytes; what is not written yet does not count
// where the system can tell.
func (s *Server) DiskBytes() (int64, error) {
	total := int64(0)
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		return 0, err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			return 0, err
		}
		if info.Mode().IsRegular() {
			total += allocated(info)
		}
	}
	return total, nil
}
