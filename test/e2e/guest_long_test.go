//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// orders is the socket by which a test gives commands to bots (node/guest/orders.mjs).
type orders struct {
	t    *testing.T
	path string

	mu      sync.Mutex
	bots    map[int]*obeying // by their first shard, or their cluster
	last    int
	answers map[int]chan string
}

// obeying is a bot that takes commands.
type obeying struct {
	conn net.Conn
	pid  int
}

func takeOrders(t *testing.T) *orders {
	t.Helper()
	o := &orders{t: t, path: filepath.Join(folder(t), "orders"), bots: map[int]*obeying{}, answers: map[int]chan string{}}
	l, err := net.Listen("unix", o.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go o.read(conn)
		}
	}()
	return o
}

// read takes the lines of a bot.
func (o *orders) read(conn net.Conn) {
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var said struct {
			Who, PID, N  int
			Value, Error json.RawMessage
		}
		if json.Unmarshal(lines.Bytes(), &said) != nil {
			return
		}
		o.mu.Lock()
		if said.PID != 0 {
			o.bots[said.Who] = &obeying{conn, said.PID}
		} else if answer := o.answers[said.N]; said.Error != nil {
			answer <- "error " + string(said.Error)
		} else {
			answer <- string(said.Value)
		}
		o.mu.Unlock()
	}
}

// there waits until two bots other than those before take commands, and returns their processes.
func (o *orders) there(before ...int) (pids [2]int) {
	o.t.Helper()
	eventually(o.t, "two bots take commands", func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		for who := range pids {
			bot := o.bots[who]
			if bot == nil || len(before) > who && before[who] == bot.pid {
				return false
			}
			pids[who] = bot.pid
		}
		return true
	})
	return pids
}

// give gives a command to the first bot.
func (o *orders) give(command string) (answer <-chan string) {
	o.t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last++
	answers := make(chan string, 1)
	o.answers[o.last] = answers
	if _, err := fmt.Fprintf(o.bots[0].conn, "{\"n\":%d,\"command\":%q}\n", o.last, command); err != nil {
		o.t.Fatal(err)
	}
	return answers
}

// got waits for an answer.
func (o *orders) got(what string, answer <-chan string) string {
	o.t.Helper()
	select {
	case text := <-answer:
		return text
	case <-time.After(patience):
		o.t.Fatalf("no answer to %s", what)
		return ""
	}
}

// slow gives a command that takes 20 s, and returns when every bot is at it.
func (o *orders) slow() (answer <-chan string) {
	o.t.Helper()
	answer = o.give("slow")
	o.ask("ids")
	return answer
}

// ask gives a command and waits for the answer.
func (o *orders) ask(command string) string {
	o.t.Helper()
	return o.got(command, o.give(command))
}

// guests are bots of other managers: their commands whose answers are the same under their own
// manager, and those that are better here.
var guests = map[string]struct {
	shards, perCluster int
	depends            string
	same               []string
	better             map[string]string // part of the answer
}{
	"discordjs": {2, 1, "discord.js", []string{
		"stats", "who", "ids", "context", "one", "own", "property", "nothing", "through", "undefined", "values", "throws", "unknown", "text", "large", "send", "same",
	}, map[string]string{"empty": "path of the property is empty", "long": "bytes: want at most"}},
	"hybrid": {4, 2, "discord-hybrid-sharding", []string{
		"stats", "who", "text", "context", "one", "several", "shard", "guild", "unknown", "negative", "none", "property", "through", "undefined", "values", "throws", "timeout", "same", "send", "next", "maintain",
	}, map[string]string{"request": "request is refused", "manager": "evalOnManager is refused", "long": "bytes: want at most"}},
}

// underItsManager returns the answers of a bot under its own manager.
func underItsManager(t *testing.T, name string, shards int, commands []string) map[string]string {
	t.Helper()
	preload, err := filepath.Abs("../../cmd/gateway/preload/preload.cjs")
	if err != nil {
		t.Fatal(err)
	}
	d, o := startDiscord(t, shards, shards, "--guilds", "40"), takeOrders(t)
	m := start(t, []string{"DISCORD_TOKEN=" + token, "E2E_ORDERS=" + o.path, "NODE_OPTIONS=--require=" + preload, "CONTROL_GATEWAY=" + strings.Replace(d.base, "http", "ws", 1)},
		node(t), "node/guest/"+name+"-manager.mjs")
	o.there()
	answers := map[string]string{}
	for _, command := range commands {
		answers[command] = o.ask(command)
	}
	_ = m.cmd.Process.Signal(syscall.SIGTERM)
	<-m.ended
	return answers
}

// Bots of other managers run under these, and then, unchanged, under CONTROL: their commands have
// the same answers. A bot dies at an eval, is killed during another, then its host, then CONTROL:
// each call has an error or its answer, and later ones are right. respawnAll is a rolling restart.
// A shard identifies once.
func TestGuests(t *testing.T) {
	for name, c := range guests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program := programOf(t, node(t))
			want := underItsManager(t, name, c.shards, c.same)
			o := takeOrders(t)
			script := linked(t, "node/guest/"+name+".mjs")
			if err := os.WriteFile(filepath.Join(filepath.Dir(script), "package.json"), []byte(`{"dependencies":{"discord.js":"14","`+c.depends+`":"*"}}`), 0o600); err != nil {
				t.Fatal(err)
			}
			b := startMake(t, startDiscord(t, c.shards, c.shards, "--guilds", "40"), c.shards, c.perCluster,
				settings{"cluster.env.DISCORD_API": "-", "cluster.env.E2E_ORDERS": o.path}, program, script)
			b.logged("cluster.ready", 2)
			if chosen := b.line("cluster guest chosen"); chosen["guest"] != name {
				t.Errorf("chosen: %v", chosen)
			}
			pids := o.there()
			right := func(when string) {
				t.Helper()
				for _, command := range c.same {
					if got := o.ask(command); got != want[command] {
						t.Errorf("%s %s\n  answers %s\n under its manager %s", command, when, short(got), short(want[command]))
					}
				}
			}
			right("at first")
			for command, part := range c.better {
				if got := o.ask(command); !strings.HasPrefix(got, "error ") || !strings.Contains(got, part) {
					t.Errorf("%s answers %s", command, got)
				}
			}
			began := time.Now()
			if got := o.ask("dies"); !strings.Contains(got, "cluster 1: its bot died before it answered") || !strings.Contains(got, `"stack":"string"`) {
				t.Errorf("a bot dies at an eval: %s", got)
			}
			pids = o.there(0, pids[1])
			right("after a death")

			slow := o.slow()
			b.signal(pids[1], syscall.SIGKILL)
			if got := o.got("slow", slow); !strings.Contains(got, "cluster 1: its bot died before it answered") {
				t.Errorf("a bot is killed during an eval: %s", got)
			}
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("the errors took %v", took)
			}
			pids = o.there(0, pids[1])
			right("after a kill")

			slow = o.slow()
			for i, cluster := range []string{"0", "1"} {
				_, host := b.hosted(cluster, program)
				b.signal(host, syscall.SIGKILL)
				b.logged("cluster.ready", 3+i)
			}
			if got := o.got("slow", slow); !strings.Contains(got, "the gateway host of this bot died before it answered") {
				t.Errorf("its host is killed during an eval: %s", got)
			}
			right("behind the next hosts")

			slow = o.slow()
			b.crash()
			if got := o.got("slow", slow); !strings.HasPrefix(got, "error ") || !strings.Contains(got, "CONTROL is away") {
				t.Errorf("CONTROL is killed during an eval: %s", got)
			}
			if got := o.ask("stats"); !strings.Contains(got, "CONTROL is away") {
				t.Errorf("without CONTROL: %s", got)
			}
			b.process = b.again()
			b.logged("cluster.adopted", 2)
			right("behind the next CONTROL")
			if now := o.there(); now != pids {
				t.Errorf("bots %v, were %v", now, pids)
			}

			// discord.js does not exit by itself where it was about to resume
			eventually(t, "the bots have resumed", func() bool { return o.ask("ready") == "[true,true]" })
			o.give("respawn")
			b.logged("cluster.ready", 2)
			pids = o.there(pids[:]...)
			eventually(t, "the rolling restart is done", func() bool {
				for _, moved := range b.lines("rolling_restart.moved") {
					if moved["state"] == "done" {
						return true
					}
				}
				return false
			})
			if by := b.line("order.given")["by"]; by != "the bot of cluster 0" {
				t.Errorf("ordered by %v", by)
			}
			right("after respawnAll")
			b.cared()
			b.stop()
			if printed := b.printed(); strings.Contains(printed, "Error") || strings.Contains(printed, "bot did not stop in time") {
				t.Errorf("the bots complain:\n%s", short(printed))
			}
		})
	}
}

// With ipc.eval off an eval is refused by name, and properties are still read.
func TestGuestsWithoutEval(t *testing.T) {
	t.Parallel()
	for name, command := range map[string]string{"discordjs": "ids", "hybrid": "text"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program, o := node(t), takeOrders(t)
			b := startMake(t, startDiscord(t, 2, 2, "--guilds", "4"), 2, 1,
				settings{"cluster.env.DISCORD_API": "-", "cluster.env.E2E_ORDERS": o.path, "ipc.eval": "false", "cluster.guest": name}, program, "node/guest/"+name+".mjs")
			b.logged("cluster.ready", 2)
			o.there()
			if got := o.ask(command); !strings.HasPrefix(got, "error ") || !strings.Contains(got, "(ipc.eval)") {
				t.Errorf("%s: %s", command, got)
			}
			id, err := strconv.Unquote(strings.Trim(o.ask("property"), "[]"))
			if _, bad := strconv.ParseUint(id, 10, 64); err != nil || bad != nil {
				t.Errorf("property: %q, %v, %v", id, err, bad)
			}
			b.stop()
		})
	}
}
