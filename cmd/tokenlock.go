package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/rs/zerolog"

	"github.com/discluster/control/config"
	"github.com/discluster/control/messages"
)

// This file keeps two programs of one machine from identifying one bot: a CONTROL with its MASTER
// inside, or a MASTER, holds a lock by the token's fingerprint. CONTROLs that have a MASTER
// elsewhere share its token and hold none.
//
// On Linux the lock is the name of an abstract unix socket, which the kernel frees when its holder
// dies or is replaced by exec, and which all users of a network namespace share: two containers
// with networks of their own do not see each other. Elsewhere it is a file in the folder for
// temporary files, which often is one user's.

// tokenLockMax is how much of what another program says of itself is shown; tokenLockWait how long
// it may take to say it.
const (
	tokenLockMax  = 512
	tokenLockWait = time.Second
)

// lockToken takes the lock for as long as this program runs, or until release. An error names the
// program that has it. What keeps the lock itself from working is logged and is no reason to leave
// the bots down.
func lockToken(c *config.Config, role string, log zerolog.Logger) (release func(), err error) {
	name := "discluster-token-" + messages.Secret(strings.TrimRight(c.Discord.API, "/")+"\n"+c.Discord.Token.Reveal()).Fingerprint()
	self := fmt.Sprintf("%s with pid %d and state.dir %s", role, os.Getpid(), c.State.Dir)
	ctx, cancel := context.WithTimeout(context.Background(), lockLimit) // one that was killed a moment ago is gone by then
	defer cancel()
	var holder string
	if runtime.GOOS == "linux" {
		release, holder, err = holdSocket(ctx, "@"+name, self)
	} else {
		release, holder, err = holdFile(ctx, filepath.Join(os.TempDir(), name), self)
	}
	switch {
	case holder != "":
		return nil, usageError{fmt.Errorf("discord.token: another program of this machine runs a bot with it, %q; two would end each other's sessions and break Discord's identify limit. "+
			"Stop one of them, or let them have one MASTER (master.url)", holder)}
	case err != nil:
		log.Warn().Err(err).Msg("cannot see whether another program of this machine has the same token")
		return func() {}, nil
	}
	return release, nil
}

// holdSocket listens on an abstract socket, or returns what its holder says of itself.
func holdSocket(ctx context.Context, name, self string) (release func(), holder string, err error) {
	ticker := time.NewTicker(lockStep)
	defer ticker.Stop()
	for {
		l, err := net.Listen("unix", name)
		if err == nil {
			go introduce(l, self)
			return func() { _ = l.Close() }, "", nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return nil, "", err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil, whoHolds(name), nil
		}
	}
}

// introduce tells whoever connects who holds a socket, until it is closed.
func introduce(l net.Listener, self string) {
	for {
		conn, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // no descriptors: they come back
			<-time.After(tokenLockWait)
			continue
		}
		_ = conn.SetWriteDeadline(time.Now().Add(tokenLockWait))
		_, _ = io.WriteString(conn, self) // the other end may be gone
		_ = conn.Close()
	}
}

// whoHolds asks the holder of a socket who it is.
func whoHolds(name string) string {
	const nobody = "it does not say which"
	conn, err := net.DialTimeout("unix", name, tokenLockWait)
	if err != nil {
		return nobody
	}
	defer func() { _ = conn.Close() }() // only read from
	_ = conn.SetReadDeadline(time.Now().Add(tokenLockWait))
	text, err := io.ReadAll(io.LimitReader(conn, tokenLockMax))
	if err != nil || len(text) == 0 {
		return nobody
	}
	return string(text)
}

// holdFile locks a file, or returns what its holder wrote into it.
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
