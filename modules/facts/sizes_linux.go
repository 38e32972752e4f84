package facts

import (
	"syscall"

	"fettle/engine/value"
)

// fillSizes adds the blocks and inodes of the file system that is mounted at path.
func fillSizes(d *value.Dict, path string) {
	var s syscall.Statfs_t
	if syscall.Statfs(path, &s) != nil {
		return
	}
	block, frag := int64(s.Bsize), int64(s.Frsize)
	total, free := int64(s.Blocks), int64(s.Bavail)
	inodes, inodesFree := int64(s.Files), int64(s.Ffree)
	for _, kv := range []struct {
		k string
		v int64
	}{{"size_total", frag * total}, {"size_available", frag * free}, {"block_size", block}, {"block_total", total}, {"block_available", free},
		{"block_used", total - free}, {"inode_total", inodes}, {"inode_available", inodesFree}, {"inode_used", inodes - inodesFree}} {
		d.SetString(kv.k, kv.v)
	}
}
