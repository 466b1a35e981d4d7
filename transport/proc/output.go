package proc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unicode/utf8"
)

// openOutput opens the file for a child's output, and returns its size, which earlier runs wrote. A
// file that is missing is made of the spare one.
// O_APPEND lets several writers share it, and lets other programs cut it. It has a shared lock
// while the child, or a process that inherited it, has it open: a reader that cannot lock it
// exclusively knows that it is still written to. Where files cannot be locked this stays unknown.
func openOutput(path, spare string) (*os.File, int64, error) {
	switch info, err := os.Stat(path); {
	case err == nil && info.Mode()&fs.ModeNamedPipe != 0:
		return nil, 0, outputError(path, "a named pipe: opening it waits for a reader, and losing that reader would kill the bot")
	case errors.Is(err, fs.ErrNotExist) && isSpare(spare):
		_ = os.Rename(spare, path) // another start may have taken it: then the file is created
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, 0, explainOutput(path, err)
	}
	_ = syscall.Flock(int(file.Fd()), syscall.LOCK_SH)
	info, err := file.Stat()
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("bot output %q: %w", path, err), file.Close())
	}
	return file, info.Size(), nil
}

// SpareOutput returns the Spec.Spare of a folder with the outputs of runs, which it is none of
// (botlog.Files), "" for no folder. All runs share it.
func SpareOutput(dir string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, ".next")
}

// isSpare reports whether a file is one that makeSpare made.
func isSpare(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode() == 0o600 && info.Size() == 0
}

// makeSpare makes the output file of a later run ahead. It is best effort: without it that start
// creates its file.
func makeSpare(path string) {
	if file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err == nil {
		_ = file.Close() // nothing was written
	}
}

// explainOutput returns an error that names the mistake in path.
func explainOutput(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return outputError(path, fmt.Sprintf("its folder %q does not exist", filepath.Dir(path)))
	case errors.Is(err, syscall.ENOTDIR):
		return outputError(path, fmt.Sprintf("%q is not a folder", filepath.Dir(path)))
	case errors.Is(err, syscall.EISDIR):
		return outputError(path, "a folder, where a file is needed")
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return outputError(path, "no permission to write it, or to create it in its folder")
	default: // a full disk, too many open files: it may pass
		return fmt.Errorf("bot output %q: %w", path, err)
	}
}

// outputError is a SpecError about the output.
func outputError(path, rule string) error {
	return &SpecError{Thing: "bot output", Value: path, Rule: rule, Kind: ErrOutput}
}

// Tail returns the end of a file beyond its first before bytes, as Exit.Tail has it. It is best
// effort: a file that cannot be read has no tail.
func Tail(path string, before int64) string {
	info, err := os.Stat(path)
	// "" is not a file either; reading a device might block forever
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }() // only read from
	if info.Size() < before {
		before = 0 // cut by a log rotation: all of it is new
	}
	// one byte more than is kept, to see whether a line begins there
	from := max(before, info.Size()-TailMax-1)
	b, err := io.ReadAll(io.NewSectionReader(file, from, info.Size()-from))
	if err != nil {
		return ""
	}
	if len(b) > TailMax {
		b = cut(b)
	}
	b = bytes.Trim(bytes.TrimLeft(b, "\x00"), "\n") // zeros: a hole that a log rotation punched
	return strings.ToValidUTF8(string(b), "?")      // no longer than what it replaces
}

// cut returns the last TailMax bytes of b, which is one longer: from the beginning of a line, or,
// in a line that fills all of it, of a character.
func cut(b []byte) []byte {
	if line := bytes.IndexByte(b[:len(b)-1], '\n'); line >= 0 {
		return b[line+1:]
	}
	b = b[1:]
	for len(b) > 0 && !utf8.RuneStart(b[0]) {
		b = b[1:]
	}
	return b
}
