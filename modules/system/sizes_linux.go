package system

import (
	"syscall"

	"fettle/engine/value"
)

// fillSizes adds the blocks and inodes of the file system that is mounted at path.
func fillSizes(d *value.Dict, path string) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err == nil {
		size := int64(s.Frsize)
		if size == 0 {
			size = int64(s.Bsize)
		}
		for k, v := range map[string]int64{"size_total": size * int64(s.Blocks), "size_available": size * int64(s.Bavail), "block_size": int64(s.Bsize),
			"block_total": int64(s.Blocks), "block_available": int64(s.Bavail), "block_used": int64(s.Blocks - s.Bavail),
			"inode_total": int64(s.Files), "inode_available": int64(s.Ffree), "inode_used": int64(s.Files - s.Ffree)} { //nolint:gosec // counts of a file system
			d.SetString(k, v)
		}
	}
}
