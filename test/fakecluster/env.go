package fakecluster

import (
	"encoding/json"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"github.com/discluster/control/test/sim"
)

// Env is a bot that does not know CONTROL: it reads its shards from SHARDS, identifies them in
// waves of MAX_CONCURRENCY, and may show by its output or by HTTP that it is ready and healthy. The
// zero value, with Discord set, is a common bot.
type Env struct {
	Discord *sim.Discord
	Up      func(shard int, up bool) // as SDK.Up

	Library    Library       // decides how it starts its shards
	Boot       time.Duration // from exec to its first shard
	Silent     time.Duration // from exec to its first output, one line; 0: none
	ReadyLine  string        // a line of output once every shard is READY; "": none
	Site       string        // URL at which it answers 503, and 200 while every shard is READY; "": none
	Deaf       bool          // Discord never sends READY to its shards
	SickAfter  time.Duration // its site answers 500 from then on; 0: never
	DieAfter   time.Duration // it ends with exit 1 then; 0: never
	IgnoreTerm bool
	// It continues in another process, and the one that was started ends with exit 0.
	Background bool
}

// background is the time that a bot takes to put itself into the background.
const background = 200 * time.Millisecond

// Library decides the pace of a bot.
type Library int

// The libraries differ in how they start their shards. All of them leave 5 s between two shards,
// and 300 ms more here: the simulated net is late by less than that until a shard has connected and
// identified, and the library's own overlap is not CONTROL's.
const (
	DiscordJS Library = iota // 5 s and up to 1.5 s more, each bucket for itself
	DiscordPy                // 5 s and the time that connecting takes, one shard after the other whatever max_concurrency
	Eris                     // polls every 0.5 s whether 5 s are over, one after the other
	libraries
)

// AnyLibrary returns a random library.
func AnyLibrary(d *sim.Discord) Library { return Library(d.Chance(int(libraries))) }

// gap returns a random pause that a library leaves between two of the given shards.
func (l Library) gap(d *sim.Discord) time.Duration {
	const least = 5300 * time.Millisecond
	draw := func(most time.Duration) time.Duration { return time.Duration(d.Chance(int(most))) }
	switch l {
	case DiscordPy:
		return least + draw(1200*time.Millisecond)
	case Eris:
		return least + draw(500*time.Millisecond)
	default:
		return least + draw(1200*time.Millisecond)
	}
}

// inTurn reports whether a library starts all shards one after the other, whatever max_concurrency.
func (l Library) inTurn() bool { return l != DiscordJS }

// Program runs the bot as a process of a host.
func (e Env) Program(p *sim.Proc) {
	if e.Background {
		e.Background = false
		p.Fork(e.Program)
		p.After(background, func() { p.Exit(0, "") })
		return
	}
	b := newBot(SDK{Discord: e.Discord, Up: e.Up, NoSessions: true}, p)
	b.silent = true
	b.fatal = func(*shard, int, string) { p.Exit(1, "fatal\n") }
	b.shardStates = func() {
		if b.allReady() && e.ReadyLine != "" {
			p.Print(e.ReadyLine)
		}
	}
	p.OnSignal = func(sig syscall.Signal) {
		if !e.IgnoreTerm {
			b.drain(nil)
		}
	}
	p.OnEnd = b.gone
	began := time.Now()
	if e.Site != "" {
		p.Serve(e.Site, func() int {
			switch {
			case e.SickAfter > 0 && time.Since(began) > e.SickAfter:
				return http.StatusInternalServerError
			case b.allReady():
				return http.StatusOK
			default:
				return http.StatusServiceUnavailable
			}
		})
	}
	if e.DieAfter > 0 {
		p.After(e.DieAfter, func() { p.Exit(1, "Error: scripted exit\n") })
	}
	if e.Silent > 0 {
		p.After(e.Silent, func() { p.Print("starting") })
	}
	if !e.Deaf {
		p.After(e.Boot, func() { b.wave(e.Library) })
	}
}

// wave starts its shards at the pace of a library.
func (b *bot) wave(l Library) {
	var ids []int
	if err := json.Unmarshal([]byte(b.p.Env("SHARDS")), &ids); err != nil {
		panic(err) // a bug of CONTROL
	}
	b.count, _ = strconv.Atoi(b.p.Env("SHARD_COUNT"))
	buckets, _ := strconv.Atoi(b.p.Env("MAX_CONCURRENCY"))
	if l.inTurn() {
		buckets = 1
	}
	b.mine = len(ids)
	next := map[int]time.Duration{}
	for _, id := range ids {
		s := &shard{bot: b, id: id}
		b.shards = append(b.shards, s)
		b.p.After(next[id%buckets], s.connect)
		next[id%buckets] += l.gap(b.Discord)
	}
}
