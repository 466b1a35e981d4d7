package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Kinds of mistakes in a Spec, which a SpecError wraps.
var (
	ErrArgs          = errors.New("arguments or environment that no program can take")
	ErrNotFound      = errors.New("program not found")
	ErrNotExecutable = errors.New("program cannot be executed")
	ErrDir           = errors.New("working directory cannot be entered")
	ErrOutput        = errors.New("output cannot be opened")
	ErrFolder        = errors.New("folder cannot be made or used")
)

// SpecError reports that a Spec cannot be started as it is: no retry helps, an operator must change
// something. It names the thing, its value and the rule that was broken.
type SpecError struct {
	Thing string // "bot command"
	Value string
	Rule  string // "not found in PATH"
	Kind  error  // one of the above
}

// Error returns `bot command "x": not found in PATH`.
func (e *SpecError) Error() string { return fmt.Sprintf("%s %q: %s", e.Thing, e.Value, e.Rule) }

// Unwrap returns the kind, for errors.Is.
func (e *SpecError) Unwrap() error { return e.Kind }

// commandError is a SpecError about the command.
func commandError(name, rule string, kind error) error {
	return &SpecError{Thing: "bot command", Value: name, Rule: rule, Kind: kind}
}

// check finds the program and checks the working directory, whose errors have the same numbers in
// the kernel as the program's.
func check(spec Spec) (path string, err error) {
	if len(spec.Argv) == 0 || spec.Argv[0] == "" {
		return "", commandError("", "at least a program is needed", ErrArgs)
	}
	if err := checkDir(spec.Dir); err != nil {
		return "", err
	}
	name := spec.Argv[0]
	if path = name; !strings.Contains(name, "/") {
		// a program that only a relative entry of PATH offers is refused too: it would depend on
		// our working directory
		if path, err = exec.LookPath(name); err != nil {
			return "", commandError(name, "not found in PATH", ErrNotFound)
		}
	}
	if len(spec.Runner) == 0 {
		return path, nil // the kernel resolves it, from Dir
	}
	return spec.Runner[0], executable(spec, path)
}

// executable returns the reason why the kernel would refuse to run path.
func executable(spec Spec, path string) error {
	at := path
	if !filepath.IsAbs(at) {
		at = filepath.Join(spec.Dir, at)
	}
	const execute = 1 // X_OK of access(2)
	err := syscall.Access(at, execute)
	if info, failed := os.Stat(at); failed == nil && info.IsDir() {
		err = syscall.EACCES
	}
	if err == nil {
		return nil
	}
	return explain(spec, path, err)
}

// makeFolders creates folders that the process needs and that were removed: logind removes
// XDG_RUNTIME_DIR with the last login, and cleaners remove old files. It checks that a file can be
// created in each, since a bot that cannot create its socket ends as if it were broken.
func makeFolders(dirs []string) error {
	for _, dir := range dirs {
		rule, err := "is gone and cannot be made again: ", os.MkdirAll(dir, 0o700)
		if err == nil {
			rule, err = "takes no file: ", Probe(dir)
		}
		switch {
		case err == nil:
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EROFS):
			return &SpecError{Thing: "folder", Value: dir, Rule: rule + err.Error(), Kind: ErrFolder}
		default: // a full disk: it may pass
			return fmt.Errorf("folder %q: %w", dir, err)
		}
	}
	return nil
}

// Probe returns why no file can be created in a folder; nil: one can. Its name is always the same,
// so that the error is the same at every try; probes at one time may share the file.
func Probe(dir string) error {
	path := filepath.Join(dir, ".probe")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_ = os.Remove(path) // another probe may have removed it
	return f.Close()
}

// checkDir returns the reason why dir cannot be a working directory.
func checkDir(dir string) error {
	if dir == "" {
		return nil
	}
	rule := ""
	switch _, err := os.Stat(dir + "/."); { // the dot checks the permission to enter
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		rule = "does not exist"
	case errors.Is(err, fs.ErrPermission):
		rule = "no permission to enter it"
	case errors.Is(err, syscall.ENOTDIR):
		rule = "not a folder"
	default:
		return fmt.Errorf("bot folder %q: %w", dir, err)
	}
	return &SpecError{Thing: "bot folder", Value: dir, Rule: rule, Kind: ErrDir}
}

// explain turns the kernel's refusal to run path into an error that names what to fix. It contains
// no value of the environment: the token may be one.
func explain(spec Spec, path string, err error) error {
	name := spec.Argv[0]
	if !filepath.IsAbs(path) {
		path = filepath.Join(spec.Dir, path)
	}
	info, missing := os.Stat(path)
	switch {
	case errors.Is(err, syscall.E2BIG):
		return commandError(name, fmt.Sprintf("arguments and environment, %d bytes, are more than the kernel accepts (Linux: 128 KiB each, a quarter of the stack limit in all)", size(spec)), ErrArgs)
	case errors.Is(err, syscall.EINVAL) && holdsZero(spec):
		return commandError(name, "an argument or a variable contains a zero byte", ErrArgs)
	case errors.Is(err, syscall.ENOENT) && missing == nil:
		return commandError(name, "exists, but its interpreter does not: the one its first line names, or the loader (libc) it was built for", ErrNotExecutable)
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.ENAMETOOLONG):
		return commandError(name, "does not exist", ErrNotFound)
	case errors.Is(err, syscall.EACCES) && missing == nil && info.IsDir():
		return commandError(name, "is a folder", ErrNotExecutable)
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return commandError(name, "no permission to execute it", ErrNotExecutable)
	case errors.Is(err, syscall.ENOEXEC):
		return commandError(name, "not a program for this machine, and not a script: its first line does not begin with #!", ErrNotExecutable)
	default:
		return fmt.Errorf("start %q: %w", name, err)
	}
}

// Cure returns what an operator can do about a start that failed.
func Cure(err error) string {
	for _, c := range []struct {
		err  error
		cure string
	}{
		{ErrNotFound, "put the program back, or correct cluster.command"},
		{ErrNotExecutable, "make the program executable, or correct cluster.command"},
		{ErrDir, "put the folder back, or correct cluster.dir"},
		{ErrFolder, "allow this user to create it and to write there; folders below XDG_RUNTIME_DIR are removed with the last login: loginctl enable-linger, or set sockets.dir"},
		{ErrOutput, "allow this user to write there, or set state.dir"},
		{syscall.ENOSPC, "make room on the disk"},
		{syscall.EDQUOT, "make room on the disk"},
		{syscall.EMFILE, "raise the number of open files (LimitNOFILE=, ulimit -n)"},
		{syscall.ENFILE, "raise the system's number of open files (fs.file-max)"},
		{syscall.EAGAIN, "raise the number of processes (TasksMax=, ulimit -u)"},
		{syscall.ENOMEM, "make room in memory"},
		{syscall.ETXTBSY, "end the process that writes to the program"},
		{syscall.EIO, "check the disk"},
	} {
		if errors.Is(err, c.err) {
			return c.cure
		}
	}
	return "see the error"
}

// size returns what the kernel counts: every string with its final zero.
func size(spec Spec) (bytes int) {
	for _, list := range [][]string{spec.Argv, spec.Env} {
		for _, s := range list {
			bytes += len(s) + 1
		}
	}
	return bytes
}

// holdsZero reports whether a string contains a zero byte, which would cut it.
func holdsZero(spec Spec) bool {
	return strings.Contains(strings.Join(spec.Argv, "")+strings.Join(spec.Env, ""), "\x00")
}
