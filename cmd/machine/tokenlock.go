package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// This file keeps two programs of one machine from identifying one bot: a MASTER, or a CONTROL with
// an embedded one, holds a lock named by the token's fingerprint. CONTROLs whose MASTER is
// elsewhere share its token and hold none.
//
// On Linux the lock is the name of an abstract unix socket, which the kernel frees when its holder
// dies or is replaced by exec, and which all users of a network namespace share: two containers
// with networks of their own do not see each other. Elsewhere it is a file in the folder for
// temporary files, which may be one user's.

// tokenLockMax bounds the description of the holder, in bytes; tokenLockWait the wait for it.
const (
	tokenLockMax  = 512
	tokenLockWait = time.Second
)

// LockToken takes the lock of a token, by its fingerprint, until release or the end of this
// program. If another program holds it, LockToken returns what that gave as self, or its pid. With
// an error, the lock cannot be used at all.
func LockToken(fingerprint, self string) (release func(), holder string, err error) {
	name := "discluster-token-" + fingerprint
	ctx, cancel := context.WithTimeout(context.Background(), lockLimit) // a killed holder ends in it
	defer cancel()
	if runtime.GOOS == "linux" {
		return holdSocket(ctx, "@"+name, self)
	}
	return holdFile(ctx, filepath.Join(os.TempDir(), name), self)
}

// holdSocket listens on an abstract socket, or returns the description of its holder.
func holdSocket(ctx context.Context, name, self string) (release func(), holder string, err error) {
	ticker := time.NewTicker(lockStep)
	defer ticker.Stop()
	for {
		l, err := net.Listen("unix", name)
		if err == nil {
			go sendHolder(l, self)
			return func() { _ = l.Close() }, "", nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return nil, "", err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil, readHolder(name), nil
		}
	}
}

// sendHolder sends the holder's description to every program that connects, until l is closed.
func sendHolder(l net.Listener, self string) {
	for {
		conn, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // out of descriptors, for a while
			<-time.After(tokenLockWait)
			continue
		}
		_ = conn.SetWriteDeadline(time.Now().Add(tokenLockWait))
		_, _ = io.WriteString(conn, self) // the other end may have closed
		_ = conn.Close()
	}
}

// readHolder returns the description of the holder of a socket; the pid of one that does not
// answer, because it is stopped or hangs.
func readHolder(name string) string {
	const unknown = "unknown"
	conn, err := net.DialTimeout("unix", name, tokenLockWait)
	if err != nil {
		return unknown
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetReadDeadline(time.Now().Add(tokenLockWait))
	text, err := io.ReadAll(io.LimitReader(conn, tokenLockMax))
	switch pid := listenerOf(conn); {
	case err == nil && len(text) > 0:
		return string(text)
	case pid > 0:
		return fmt.Sprintf("pid %d, which does not answer", pid)
	}
	return unknown
}

// holdFile locks a file and writes self into it, or returns what its holder wrote.
func holdFile(ctx context.Context, path, self string) (release func(), holder string, err error) {
	lock := flock.New(path)
	mine, err := lock.TryLockContext(ctx, lockStep)
	switch {
	case mine:
		err = os.WriteFile(path, []byte(self), 0o600)
		return func() { _ = lock.Unlock() }, "", err
	case err != nil && !errors.Is(err, context.DeadlineExceeded):
		return nil, "", err
	}
	text, err := os.ReadFile(path)
	return nil, fmt.Sprintf("%.*s", tokenLockMax, text), err
}
