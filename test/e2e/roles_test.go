package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/bot"
	"github.com/discluster/control/transport/ipc"
)

// roleVariable makes this test binary a cluster process.
const roleVariable = "E2E_ROLE"

// roleSetting makes a cluster process play a role.
const roleSetting = "cluster.env." + roleVariable

// roles are the behaviours of a cluster process, and the janitor's; each returns its exit code.
var roles = map[string]func() int{
	"janitor":    clean,
	"ready":      ready,
	"exits":      func() int { fmt.Println("cannot find module 'bot'"); return 3 },
	"no-socket":  untilTold,
	"silent":     silentSocket,
	"imposter":   imposter,
	"other-user": otherUser,
	"plain":      plain,
	"counts":     counts,
	"past":       past,
	"floods":     floods,
	"talks": func() int {
		fmt.Println("bot", os.Getpid())
		defer fmt.Println("bot", os.Getpid(), "ends")
		return ready()
	},
	"talks-much":      talksMuch,
	"stubborn":        func() int { signal.Ignore(syscall.SIGTERM); fmt.Println("deaf"); select {} },
	"silent-stubborn": func() int { signal.Ignore(syscall.SIGTERM); return silentSocket() },
	"asks":            asks,
	"asks-behind":     asksBehind,
	"titled":          titled,
	"background":      background,
	"helped":          helped,
	"waits":           func() int { fmt.Println("Logged in"); return untilTold() },
}

// play runs a role to its end.
func play(role string) int {
	act, known := roles[role]
	if !known {
		fmt.Fprintln(os.Stderr, "no such role:", role)
		return 1
	}
	return act()
}

// untilTold waits for SIGTERM.
func untilTold() int {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	<-term
	return 0
}

// ready is a good bot without Discord: its shards are ready as soon as they may identify.
func ready() int {
	ctx := context.Background()
	c, err := bot.Join(ctx, bot.Log(slog.New(slog.DiscardHandler)))
	if err == nil {
		err = c.Run(ctx, func(ctx context.Context, s *bot.Shard) error {
			permit, err := s.Permit(ctx, messages.CauseStart)
			if err != nil {
				return err
			}
			permit.Sent()
			s.State(messages.ShardReady, 0)
			<-c.Stopping()
			return nil
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// joinAsking joins as a cluster that answers with its process id and prints messages. Only a DRAIN
// has a deadline that is near.
func joinAsking(ctx context.Context) (*bot.Cluster, error) {
	return bot.Join(ctx, bot.Log(slog.New(slog.DiscardHandler)), bot.Grace(time.Hour),
		bot.Handle("pid", func(context.Context, bot.Request) (any, error) { return os.Getpid(), nil }),
		bot.Messages(func(m bot.Message) { fmt.Printf("%s heard %s of %s\n", os.Getenv("CLUSTER_ID"), m.Data, m.From) }))
}

// asks is a good bot that asks all clusters for their process ids repeatedly, prints the answers
// when they change, and then notifies all.
func asks() int {
	ctx := context.Background()
	c, err := joinAsking(ctx)
	if err == nil {
		err = c.Run(ctx, func(ctx context.Context, s *bot.Shard) error {
			permit, err := s.Permit(ctx, messages.CauseStart)
			if err != nil {
				return err
			}
			permit.Sent()
			s.State(messages.ShardReady, 0)
			if s.ID() == c.Shards()[0] {
				askPIDs(ctx, c)
			}
			<-c.Stopping()
			return nil
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// askPIDs asks until the cluster stops.
func askPIDs(ctx context.Context, c *bot.Cluster) {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for output := ""; ; {
		answers, err := bot.Ask[int](ctx, c, bot.AllClusters(), "pid", nil)
		text := fmt.Sprintf("%s asked: %v", c.ID(), err)
		if err == nil {
			text = fmt.Sprintf("%s asked: %v", c.ID(), answers)
			if _, err := c.Notify(bot.AllClusters(), "hello"); err != nil && !errors.Is(err, bot.ErrStopping) {
				text = err.Error()
			}
		}
		if text != output {
			fmt.Println(text)
			output = text
		}
		select {
		case <-again.C:
		case <-c.Stopping():
			return
		}
	}
}

// silentSocket opens its socket and sends nothing.
func silentSocket() int {
	listener, err := net.Listen("unix", os.Getenv("DISCLUSTER_SOCKET"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go io.Copy(io.Discard, conn)
		}
	}()
	return untilTold()
}

// imposter answers as another instance than the one that was started.
func imposter() int {
	_, err := ipc.Listen(os.Getenv("DISCLUSTER_SOCKET"), func(l transport.Link) {
		l.Receive(func(frame []byte) {
			l.Ack()
			if hello, err := ipc.DecodeFromManager(frame); err == nil {
				if hello, is := hello.(messages.Hello); is {
					answer, err := ipc.EncodeFromInstance(messages.Identify{ID: "14386345434600144177235209336163139585", EventID: hello.EventID})
					if err == nil {
						_ = l.Send(answer)
					}
				}
			}
		}, func(error) {})
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return untilTold()
}

// otherUser listens at its socket as a user other than CONTROL's, and would answer correctly. The
// kernel reports to a peer the user that called listen.
func otherUser() int {
	socket := os.Getenv("DISCLUSTER_SOCKET")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrUnix{Name: socket})
	}
	if err == nil {
		err = syscall.Setuid(65534)
	}
	if err == nil {
		err = syscall.Listen(fd, syscall.SOMAXCONN)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go func() { // else its backlog fills up, and the kernel refuses
		for {
			if peer, _, err := syscall.Accept(fd); err == nil {
				_ = syscall.Close(peer)
			}
		}
	}()
	return untilTold()
}

// floodBytes is the output of a flooding bot before it serves.
const floodBytes = 50 << 20

// talksMuch is a good bot that writes numbered lines, 4 MB a second, until it ends.
func talksMuch() int {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = ready()
	}()
	tick := time.NewTicker(5 * time.Millisecond)
	out := bufio.NewWriter(os.Stdout)
	for n := 0; ; {
		for range 200 {
			fmt.Fprintf(out, "line %d of %s\n", n, strings.Repeat("x", 80))
			n++
		}
		if out.Flush() != nil { // a full disk: it is unknown how much of it was written
			out.Reset(os.Stdout)
		}
		select {
		case <-ended:
			return 0
		case <-tick.C:
		}
	}
}

// floods writes 50 MB, in lines without an end, and is a good bot then.
func floods() int {
	chunk := bytes.Repeat([]byte("flood "), 64<<10/6)
	for written := 0; written < floodBytes; written += len(chunk) {
		if _, err := os.Stdout.Write(chunk); err != nil {
			return 1
		}
	}
	return ready()
}
