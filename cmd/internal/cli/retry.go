package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"fettle/engine/event"
)

// retryFile is the list of the hosts that failed, which --limit @FILE takes.
type retryFile struct {
	path  string // "": none is wanted
	hosts []string
}

// retryFile follows the settings retry_files_enabled and retry_files_save_path.
func (ss *session) retryFile(playbooks []string) *retryFile {
	if !ss.cfg.Bool("RETRY_FILES_ENABLED") || len(playbooks) == 0 {
		return &retryFile{}
	}
	dir := ss.cfg.String("RETRY_FILES_SAVE_PATH")
	if dir == "" {
		dir = filepath.Dir(playbooks[0])
	}
	base := filepath.Base(playbooks[0])
	return &retryFile{path: filepath.Join(dir, strings.TrimSuffix(base, filepath.Ext(base))+".retry")}
}

func (r *retryFile) watch(e event.Event) {
	end, ok := e.(event.RunEnd)
	if !ok || r.path == "" {
		return
	}
	for _, s := range end.Stats {
		if s.Failed > 0 || s.Unreachable > 0 {
			r.hosts = append(r.hosts, s.Host)
		}
	}
}

// write writes the file when hosts failed.
func (r *retryFile) write(s *Streams) error {
	if len(r.hosts) == 0 {
		return nil
	}
	path, err := filepath.Abs(r.path)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("cannot write the retry file: %w", err)
	}
	if err := os.WriteFile(path, []byte(strings.Join(r.hosts, "\n")+"\n"), 0o644); err != nil {
		return fmt.Errorf("cannot write the retry file: %w", err)
	}
	fmt.Fprintf(s.Out, "\tto retry, use: --limit @%s\n\n", path)
	return nil
}
