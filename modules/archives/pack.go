package archives

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"fettle/modules"
)

// compressors are the programs of the formats that are not packed here.
var compressors = map[string]string{"bz2": "bzip2", "xz": "xz", "zstd": "zstd"}

// write packs the members.
func (p *archiver) write(w io.Writer) error {
	switch p.a.Format {
	case "zip":
		return p.zip(w)
	case "tar":
		return p.plain(w)
	case "gz":
		z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
		if err != nil {
			return err
		}
		return errors.Join(p.plain(z), z.Close())
	}
	dir, err := p.h.TempDir()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, "plain"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := p.plain(f); err != nil {
		return err
	}
	packed, err := p.filter(compressors[p.a.Format], f, "-c")
	if err != nil {
		return err
	}
	defer packed.Close()
	_, err = io.Copy(w, modules.WithContext(p.ctx, packed))
	return err
}

// filter runs a program of the host over a file and gives its output as another.
func (p *archiver) filter(program string, f *os.File, option string) (*os.File, error) {
	at := p.h.LookPath(program)
	if at == "" {
		return nil, modules.Failf("the format %s needs the program %s on the host", p.a.Format, program)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	dir, err := p.h.TempDir()
	if err != nil {
		return nil, err
	}
	out := filepath.Join(dir, "out")
	r, err := p.h.Run(p.ctx, modules.Command{Argv: []string{"/bin/sh", "-c", `umask 077; exec "$0" "$1" > "$2"`, at, option, out}, Stdin: f, C: true})
	if err == nil && r.RC != 0 {
		err = modules.Failf("%s failed: %s", program, bytes.TrimSpace(r.Stderr))
	}
	if err != nil {
		return nil, err
	}
	return os.Open(out)
}

// plain writes a tar archive, or a single file's content.
func (p *archiver) plain(w io.Writer) error {
	if p.single {
		return p.copyIn(w, p.members[0])
	}
	t := tar.NewWriter(w)
	for _, m := range p.members {
		h, err := tar.FileInfoHeader(m.info, m.link)
		if err != nil {
			return err
		}
		if h.Name = m.name; m.info.IsDir() {
			h.Name += "/"
		}
		h.Uname, h.Gname = p.h.UserName(p.ctx, h.Uid), p.h.GroupName(p.ctx, h.Gid)
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if h.Typeflag == tar.TypeReg {
			if err := p.copyIn(t, m); err != nil {
				return err
			}
		}
	}
	return t.Close()
}

func (p *archiver) copyIn(w io.Writer, m packItem) error {
	f, err := os.Open(m.path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, modules.WithContext(p.ctx, f))
	return err
}

func (p *archiver) zip(w io.Writer) error {
	z := zip.NewWriter(w)
	for _, m := range p.members {
		h, err := zip.FileInfoHeader(m.info)
		if err != nil {
			return err
		}
		h.Name, h.Method = m.name, zip.Deflate
		if m.info.IsDir() {
			h.Name += "/"
		}
		f, err := z.CreateHeader(h)
		if err != nil {
			return err
		}
		if !m.info.IsDir() {
			if err := p.copyIn(f, m); err != nil {
				return err
			}
		}
	}
	return z.Close()
}

// same tells whether the archive that is there has just these members with their contents.
func (p *archiver) same() (bool, error) {
	have, err := p.contents()
	if err != nil || have == nil {
		return false, err
	}
	want := map[string]string{}
	for _, m := range p.members {
		switch {
		case m.info.IsDir():
			want[m.name] = "directory"
		case m.link != "":
			want[m.name] = "link " + m.link
		default:
			f, err := os.Open(m.path)
			if err != nil {
				return false, err
			}
			want[m.name] = sumOf(modules.WithContext(p.ctx, f))
			_ = f.Close()
			if want[m.name] == broken {
				return false, modules.Failf("cannot read %s", m.path)
			}
		}
	}
	if p.single {
		return have[""] == want[p.members[0].name], nil
	}
	return maps.Equal(have, want), nil
}

// contents reads the archive that is there: names, and checksums of files. nil stands for
// one that cannot be read, and so is replaced.
func (p *archiver) contents() (map[string]string, error) {
	f, err := os.Open(p.a.Dest)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var r io.Reader = f
	switch p.a.Format {
	case "zip":
		return zipContents(f)
	case "gz":
		r, err = gzip.NewReader(f)
	case "bz2":
		r = bzip2.NewReader(f)
	case "xz", "zstd":
		var plain *os.File
		if plain, err = p.filter(compressors[p.a.Format], f, "-dc"); err == nil {
			defer plain.Close()
			r = plain
		}
	}
	if err != nil {
		return nil, nil
	}
	r = modules.WithContext(p.ctx, r)
	if p.single {
		return map[string]string{"": sumOf(r)}, nil
	}
	have := map[string]string{}
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return have, nil
		}
		if err != nil {
			return nil, p.ctx.Err()
		}
		switch h.Typeflag {
		case tar.TypeDir:
			have[strings.TrimSuffix(h.Name, "/")] = "directory"
		case tar.TypeSymlink:
			have[h.Name] = "link " + h.Linkname
		default:
			have[h.Name] = sumOf(t)
		}
	}
}

// broken is the sum of what cannot be read.
const broken = "broken"

func sumOf(r io.Reader) string {
	w := sha1.New()
	if _, err := io.Copy(w, r); err != nil {
		return broken
	}
	return hex.EncodeToString(w.Sum(nil))
}

func zipContents(f *os.File) (map[string]string, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	z, err := zip.NewReader(f, info.Size())
	if err != nil {
		return nil, nil
	}
	have := map[string]string{}
	for _, e := range z.File {
		if e.Mode()&fs.ModeDir != 0 {
			have[strings.TrimSuffix(e.Name, "/")] = "directory"
			continue
		}
		r, err := e.Open()
		if err != nil {
			return nil, nil
		}
		have[e.Name] = sumOf(r)
		_ = r.Close()
	}
	return have, nil
}
