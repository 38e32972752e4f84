package files

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"fettle/engine/value"
	"fettle/modules"
)

// The controller's half of copy and template
//
// The action calls the module of its own name (ansible.builtin.copy or
// ansible.builtin.template) with the task's arguments and the content as sources:
//
//   - It removes content from the arguments (it is a no_log option, and the host has it as
//     a source anyway) and, when a string was given for it, offers its bytes; other values
//     as JSON with Python's spaces ({"a": 1}).
//   - A single file, content, or a rendered template is the source named "src": Size,
//     SHA1, and Mode of the controller's file (0 for content). Nothing is read from it
//     when the host has the same content. Diffs of a changed file do read it.
//   - _original_basename is the base name of src; it is used when dest is a directory or
//     ends in a slash. Without it (content) such a dest is refused.
//   - _after_header names the new side of a diff: the full path of the controller's file
//     (for a template, of the template). Without it the host's path is used.
//   - A directory has no source "src" but _manifest, a list of {path, kind, link} in the
//     order of creation, directories before what is in them. path is relative to dest: the
//     action has put the directory's own name before it unless src ends in a slash.
//     kind is file (its source is named by path), directory, or link (to link, with
//     local_follow off). Sources carry the Mode of each file for mode: preserve.
//   - With remote_src the arguments are passed as they are, and there are no sources.
//   - src in the result of an unchanged or directory copy is the action's to set; the
//     host returns the src it was given.
//
// validate, backup, force, follow, mode: preserve, check mode and diff all happen here.

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.copy",
		Summary: "Copy files from the controller, or within the host, or write given content.",
		Check:   modules.Full,
		Diff:    modules.Full,
		Examples: `
- name: A file of the role
  ansible.builtin.copy:
    src: foo.conf
    dest: /etc/foo.conf
    owner: root
    group: root
    mode: "0644"

- name: Content from a variable
  ansible.builtin.copy:
    content: "{{ motd }}"
    dest: /etc/motd

- name: Checked before it is used
  ansible.builtin.copy:
    src: sudoers
    dest: /etc/sudoers.d/admins
    mode: "0440"
    validate: /usr/sbin/visudo -csf %s
`,
	}, copyModule)
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.template",
		Summary: "Render a template on the controller and write the result on the host.",
		Check:   modules.Full,
		Diff:    modules.Full,
		Examples: `
- name: Configuration from a template
  ansible.builtin.template:
    src: foo.conf.j2
    dest: /etc/foo.conf
    mode: "0644"
    backup: true
`,
	}, templateModule)
}

type copyArgs struct {
	Src           string         `arg:"src" type:"path" doc:"File or directory on the controller; with remote_src on the host."`
	Content       string         `arg:"content" no_log:"true" doc:"The content itself, in place of src."`
	Dest          string         `arg:"dest,required" type:"path" doc:"Where it shall be; a directory when it ends in a slash."`
	Backup        bool           `arg:"backup" default:"false" doc:"Keep the old file under a name with the time."`
	Force         bool           `arg:"force" default:"true" doc:"Replace a file that has other content."`
	Follow        bool           `arg:"follow" default:"false" doc:"Write through a link at dest in place of replacing it."`
	LocalFollow   *bool          `arg:"local_follow" doc:"Copy what links in src lead to."`
	RemoteSrc     bool           `arg:"remote_src" default:"false" doc:"src is on the host."`
	Validate      string         `arg:"validate" doc:"Command that checks the new file, given as %s, before it is put in place."`
	DirectoryMode value.Value    `arg:"directory_mode" type:"raw" doc:"Mode of directories that are made."`
	Checksum      string         `arg:"checksum" doc:"SHA-1 the content must have."`
	Decrypt       bool           `arg:"decrypt" default:"true" doc:"Decrypt a vaulted source."`
	OrigBasename  string         `arg:"_original_basename"`
	AfterHeader   string         `arg:"_after_header"`
	Manifest      []manifestItem `arg:"_manifest"`
	modules.FileArgs
}

type manifestItem struct {
	Path string `arg:"path,required"`
	Kind string `arg:"kind" default:"file" choices:"file,directory,link"`
	Link string `arg:"link"`
}

type templateArgs struct {
	Src    string `arg:"src,required" type:"path" doc:"The template, on the controller."`
	Dest   string `arg:"dest,required" type:"path" doc:"Where the result shall be."`
	Backup bool   `arg:"backup" default:"false" doc:"Keep the old file under a name with the time."`
	Force  bool   `arg:"force" default:"true" doc:"Replace a file that has other content."`
	Follow bool   `arg:"follow" default:"false" doc:"Write through a link at dest in place of replacing it."`

	Validate            string `arg:"validate" doc:"Command that checks the new file, given as %s, before it is put in place."`
	NewlineSequence     string `arg:"newline_sequence" default:"\\n" choices:"\\n,\\r,\\r\\n" doc:"What ends a line."`
	BlockStartString    string `arg:"block_start_string" default:"{%" doc:"Start of a block."`
	BlockEndString      string `arg:"block_end_string" default:"%}" doc:"End of a block."`
	VariableStartString string `arg:"variable_start_string" default:"{{" doc:"Start of an expression."`
	VariableEndString   string `arg:"variable_end_string" default:"}}" doc:"End of an expression."`
	CommentStartString  string `arg:"comment_start_string" doc:"Start of a comment."`
	CommentEndString    string `arg:"comment_end_string" doc:"End of a comment."`
	TrimBlocks          bool   `arg:"trim_blocks" default:"true" doc:"Drop the newline after a block."`
	LstripBlocks        bool   `arg:"lstrip_blocks" default:"false" doc:"Drop blanks before a block."`
	OutputEncoding      string `arg:"output_encoding" default:"utf-8" doc:"Encoding of the result."`

	OrigBasename string `arg:"_original_basename"`
	AfterHeader  string `arg:"_after_header"`
	modules.FileArgs
}

type copyReturn struct {
	Dest             string  `json:"dest,omitempty" doc:"The file." returned:"success"`
	Src              string  `json:"src,omitempty" doc:"What was copied." returned:"changed"`
	Path             string  `json:"path,omitempty" doc:"The file." returned:"unchanged"`
	Checksum         string  `json:"checksum,omitempty" doc:"SHA-1 of the file." returned:"a file was copied"`
	MD5Sum           string  `json:"md5sum,omitempty" doc:"MD5 of the file." returned:"a file was copied"`
	BackupFile       string  `json:"backup_file,omitempty" doc:"The old file's copy." returned:"changed and backup"`
	ExitStatus       *int    `json:"exit_status,omitempty" doc:"Exit code of the command that refused the file." returned:"validate failed"`
	Stdout           *string `json:"stdout,omitempty" doc:"Output of the command that refused the file." returned:"validate failed"`
	Stderr           *string `json:"stderr,omitempty" doc:"Its error output." returned:"validate failed"`
	ExpectedChecksum string  `json:"expected_checksum,omitempty" doc:"The checksum asked for." returned:"it differs"`
	modules.PathInfo
}

func templateModule(ctx context.Context, h *modules.Host, a templateArgs) (modules.Result[copyReturn], error) {
	if _, ok := h.Sources["src"]; !ok {
		return modules.Result[copyReturn]{}, modules.Failf("the controller sent no rendered template")
	}
	return copyModule(ctx, h, copyArgs{Src: a.Src, Dest: a.Dest, Backup: a.Backup, Force: a.Force, Follow: a.Follow,
		Validate: a.Validate, OrigBasename: a.OrigBasename, AfterHeader: a.AfterHeader, FileArgs: a.FileArgs})
}

// copyTask is one call.
type copyTask struct {
	ctx context.Context
	h   *modules.Host
	a   copyArgs
	r   modules.Result[copyReturn]
}

func copyModule(ctx context.Context, h *modules.Host, a copyArgs) (modules.Result[copyReturn], error) {
	t := &copyTask{ctx: ctx, h: h, a: a}
	src, single := h.Sources["src"]
	var err error
	switch {
	case a.RemoteSrc:
		err = t.remote()
	case single:
		t.r.AlwaysDiff = true
		err = t.single(src)
	case a.Manifest != nil:
		t.r.AlwaysDiff = true
		err = t.directory()
	default:
		err = modules.Failf("the controller sent nothing to copy")
	}
	return t.r, err
}

// single copies one offered file.
func (t *copyTask) single(src modules.Source) error {
	t.r.Data.Checksum = src.SHA1
	if t.a.Checksum != "" && t.a.Checksum != src.SHA1 {
		t.r.Data.ExpectedChecksum = t.a.Checksum
		return modules.Failf("Copied file does not match the expected checksum. Transfer failed.")
	}
	dest, err := t.destination(t.a.OrigBasename)
	if err != nil {
		return err
	}
	return t.place(content{Source: src, header: t.a.AfterHeader}, dest, t.a.FileArgs)
}

// destination is the final path of a single file; base is its name in a directory.
func (t *copyTask) destination(base string) (string, error) {
	dest := t.a.Dest
	slash := strings.HasSuffix(dest, "/")
	if slash || modules.IsDir(dest) {
		if base == "" {
			return "", modules.Failf("can not use content with a dir as dest")
		}
		dest = filepath.Join(dest, base)
	}
	dir := filepath.Dir(dest)
	if slash {
		if err := t.makeParents(dir); err != nil {
			return "", err
		}
	} else if !modules.IsDir(dir) && (!t.h.Check || t.a.RemoteSrc) {
		return "", modules.Failf("Destination directory %s does not exist", dir)
	}
	if t.a.Follow && modules.IsLink(dest) {
		if _, err := os.Stat(dest); err == nil {
			dest = modules.RealPath(dest)
		}
	}
	return dest, nil
}

// makeParents makes missing directories with directory_mode and the owner of the task.
func (t *copyTask) makeParents(dir string) error {
	if modules.IsDir(dir) {
		return nil
	}
	attrs := t.a.FileArgs
	attrs.Mode = t.a.DirectoryMode
	return makeDirectories(t.ctx, t.h, dir, attrs)
}

// makeDirectories makes dir and what is missing above it.
func makeDirectories(ctx context.Context, h *modules.Host, dir string, attrs modules.FileArgs) error {
	f := &fileTask{ctx: ctx, h: h, a: fileModuleArgs{Path: dir, FileArgs: attrs}, times: fileTimes{fileTime{keep: true}, fileTime{keep: true}}}
	return h.Act(func() error { return f.makeDirs(dir) })
}

// directory copies a manifest.
func (t *copyTask) directory() error {
	dest := strings.TrimRight(t.a.Dest, "/") + "/"
	dirAttrs := t.a.FileArgs
	dirAttrs.Mode = t.a.DirectoryMode
	files := 0
	for _, item := range t.a.Manifest {
		if item.Kind == "file" {
			files++
		}
	}
	outer := t.r
	for _, item := range t.a.Manifest {
		path := filepath.Join(dest, filepath.Clean("/"+item.Path)) // a path never leaves dest
		t.r = modules.Result[copyReturn]{}
		if err := t.item(item, path, dirAttrs); err != nil {
			t.r.Data.Dest = path
			return err
		}
		if item.Kind == "file" && (files == 1 || !t.r.OneDiff) {
			outer.Diff, outer.OneDiff = append(outer.Diff, t.r.Diff...), t.r.OneDiff
		}
		if files == 1 && item.Kind == "file" {
			outer.Data = t.r.Data
		}
	}
	t.r = outer
	if files != 1 {
		t.r.Data = copyReturn{Dest: dest, Src: t.a.Src}
		if strings.HasSuffix(t.a.Dest, "/") || t.a.Dest == "" {
			t.r.Data.Dest = t.a.Dest
		}
	}
	return nil
}

func (t *copyTask) item(item manifestItem, path string, dirAttrs modules.FileArgs) error {
	if item.Kind != "file" {
		f := &fileTask{ctx: t.ctx, h: t.h, prev: kindOf(path), times: fileTimes{fileTime{keep: true}, fileTime{keep: true}}}
		f.a = fileModuleArgs{Path: path, Follow: true, FileArgs: dirAttrs}
		make := f.directory
		if item.Kind == "link" {
			f.a = fileModuleArgs{Path: path, Src: item.Link, Force: true, FileArgs: modules.FileArgs{Owner: dirAttrs.Owner, Group: dirAttrs.Group}}
			make = f.link
		}
		return make()
	}
	src, ok := t.h.Sources[item.Path]
	if !ok {
		return modules.Failf("the controller did not offer %q", item.Path)
	}
	if dir := filepath.Dir(path); !modules.IsDir(dir) {
		if err := makeDirectories(t.ctx, t.h, dir, dirAttrs); err != nil {
			return err
		}
	}
	return t.place(content{Source: src, header: filepath.Join(t.a.AfterHeader, item.Path)}, path, t.a.FileArgs)
}
