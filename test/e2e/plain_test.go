package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/discord/client"
)

// This file tests a bot that knows only its environment.

// leave is the permit of a bot that does not ask for one.
type leave struct{}

func (leave) Overdue() bool { return false }
func (leave) Sent()         {}
func (leave) Unused()       {}

// plain is a bot that does not know Discluster. It answers HTTP at SITE_PORT + CLUSTER_ID, if that
// is set: 200 while its shards are READY, 503 before, and 500 after SIGUSR1.
func plain() int {
	if err := runPlain(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func runPlain() error {
	var shards []int
	err := json.Unmarshal([]byte(os.Getenv("SHARDS")), &shards)
	count, countErr := strconv.Atoi(os.Getenv("SHARD_COUNT"))
	if err := cmp.Or(err, countErr); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	secret := messages.Secret(os.Getenv("DISCORD_TOKEN"))
	gateway, err := client.GatewayURL(ctx, os.Getenv("DISCORD_API"), secret)
	if err != nil {
		return err
	}
	ready := make([]atomic.Bool, len(shards))
	if err := site(ready); err != nil {
		return err
	}
	ended := make(chan error, len(shards))
	for i, id := range shards {
		cl := client.New(client.Config{
			Token: secret, Shard: id, ShardCount: count, Intents: 1,
			Gateway: func(context.Context) (string, error) { return gateway, nil },
			Permit:  func(context.Context, messages.IdentifyCause) (client.Permit, error) { return leave{}, nil },
			State:   func(s messages.ShardState, _ int) { ready[i].Store(s == messages.ShardReady) },
		})
		go func() { ended <- cl.Run(ctx) }()
	}
	for range shards {
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
	}
	return nil
}

// site serves the bot's health.
func site(ready []atomic.Bool) error {
	if os.Getenv("SITE_PORT") == "" {
		return nil
	}
	first, err := strconv.Atoi(os.Getenv("SITE_PORT"))
	cluster, clusterErr := strconv.Atoi(os.Getenv("CLUSTER_ID"))
	if err := cmp.Or(err, clusterErr); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(first+cluster))
	if err != nil {
		return err
	}
	var sick atomic.Bool
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	go func() { <-signals; sick.Store(true) }()
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := range ready {
			if !ready[i].Load() {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
		}
		if sick.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	return nil
}

// lastPort is the last port that twoPorts tried. Below 32768 no system takes a port by itself, for
// another test or a connection, before the bot listens.
var lastPort atomic.Int32

// twoPorts returns the first of two free ports in a row, which no other test gets.
func twoPorts(t *testing.T) int {
	t.Helper()
	free := func(port int) bool {
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		return err == nil && l.Close() == nil
	}
	for range 1000 {
		if port := 20000 + int(lastPort.Add(2)); free(port) && free(port+1) {
			return port
		}
	}
	t.Fatal("no two free ports in a row")
	return 0
}

// bySite returns the settings of bots whose readiness and health are checked by HTTP.
func bySite(t *testing.T) settings {
	t.Helper()
	port := strconv.Itoa(twoPorts(t))
	site := "http://127.0.0.1:{" + port + "+cluster}/"
	return settings{"cluster.protocol": "env", "cluster.ready": site, "cluster.probe": site, "cluster.env.SITE_PORT": port}
}

// of returns the one process of a cluster.
func (b *bots) of(cluster string) int {
	b.t.Helper()
	pids := b.byCluster()[cluster]
	if len(pids) != 1 {
		b.t.Fatalf("cluster %s has the processes %v, want one", cluster, pids)
	}
	return pids[0]
}

// replaced waits until a cluster serves in another process than pid, and returns the cause of that
// process's death.
func (b *bots) replaced(cluster string, pid int) (cause string) {
	b.t.Helper()
	id, err := strconv.ParseFloat(cluster, 64)
	if err != nil {
		b.t.Fatal(err)
	}
	readies := func() int {
		return len(slices.DeleteFunc(b.lines("cluster.ready"), func(l line) bool { return l["cluster"] != id }))
	}
	eventually(b.t, "cluster "+cluster+" serves again", func() bool {
		now := b.byCluster()[cluster]
		return readies() > 1 && len(now) == 1 && now[0] != pid
	})
	for _, died := range b.lines("cluster.died") {
		if died["cluster"] == id {
			cause = fmt.Sprint(died["cause"], ": ", died["err"])
		}
	}
	return cause
}

// A bot of no protocol is ready some time after its start, no sooner than its identifies take; it
// gets only SIGTERM for a stop.
func TestPlainBotReadyAfter(t *testing.T) {
	t.Parallel()
	d := startDiscord(t, 4, 4)
	b := startMake(t, d, 4, 2, settings{"cluster.protocol": "env", "cluster.ready": "after 1s", roleSetting: "plain"}, self)
	b.logged("cluster.ready", 2)
	for _, ready := range b.lines("cluster.ready") {
		if took, _ := ready["took_ms"].(float64); took < 5000 {
			t.Errorf("ready sooner than Discord lets the next one identify: %v", ready)
		}
	}
	b.cared()
	if all := b.complaints(); len(all) > 0 {
		t.Errorf("complaints: %v", all)
	}
	b.stop()
	eventually(t, "Discord sees the connections go", func() bool { return d.stats().Connections == 0 })
}

// A bot of no protocol that reports its health by HTTP: ready when it answers so, replaced when it
// hangs or is unhealthy, and adopted by its pid.
func TestPlainBotProbed(t *testing.T) {
	t.Parallel()
	d := startDiscord(t, 4, 4)
	s := bySite(t)
	s[roleSetting], s["cluster.heartbeat_interval"] = "plain", "500ms"
	b := startMake(t, d, 4, 2, s, self)
	b.logged("cluster.ready", 2)
	b.cared()
	hangs, sick := b.of("0"), b.of("1")
	b.signal(hangs, syscall.SIGSTOP)
	b.signal(sick, syscall.SIGUSR1)
	for cluster, pid := range map[string]int{"0": hangs, "1": sick} {
		t.Logf("cluster %s died of %s", cluster, b.replaced(cluster, pid))
	}
	before := b.clusters()
	b = b.killed()
	b.logged("cluster.adopted", 2)
	b.kept(before)
	if s := d.stats(); s.Identifies != 8 || s.Violations > 0 {
		t.Errorf("%d identifies of 4 shards that were started twice, %d violations", s.Identifies, s.Violations)
	}
	b.stop()
}
