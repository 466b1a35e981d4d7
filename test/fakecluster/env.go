package fakecluster

import (
	"encoding/json"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"github.com/discluster/control/test/sim"
)

// Env is a bot that knows nothing of us: it reads its shards from SHARDS, identifies them in waves of MAX_CONCURRENCY, and may say in its output, or by HTTP, that it is
// ready and well. The zero value, with Discord set, is a bot as most are.
type Env struct {
	Discord *sim.Discord
	Up      func(shard int, up bool) // as SDK.Up

	Boot       time.Duration // from exec to its first shard
	Says       string        // a line of output once every shard is READY; "": none
	Site       string        // where it answers HTTP from its start: 503, and 200 while every shard is READY; "": nowhere
	Deaf       bool          // Discord never lets its shards be READY
	SickAfter  time.Duration // its site answers 500 from then on; 0: never
	DieAfter   time.Duration // it ends with exit 1 then; 0: never
	IgnoreTerm bool
}

// envWave is what a bot keeps between two identifies of a bucket, by its own clock.
const envWave = 5500 * time.Millisecond

// Program is what the process does.
func (e Env) Program(p *sim.Proc) {
	b := newBot(SDK{Discord: e.Discord, Up: e.Up, NoSessions: true}, p)
	b.silent = true
	b.fatal = func(*shard, int, string) { p.Exit(1, "fatal\n") }
	b.shardStates = func() {
		if b.allReady() && e.Says != "" {
			p.Print(e.Says)
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
		p.After(e.DieAfter, func() { p.Exit(1, "Error: as told\n") })
	}
	if !e.Deaf {
		p.After(e.Boot, b.wave)
	}
}

// wave starts its shards, each bucket's one after the other.
func (b *bot) wave() {
	var ids []int
	if err := json.Unmarshal([]byte(b.p.Env("SHARDS")), &ids); err != nil {
		panic(err) // CONTROL's own mistake
	}
	b.count, _ = strconv.Atoi(b.p.Env("SHARD_COUNT"))
	buckets, _ := strconv.Atoi(b.p.Env("MAX_CONCURRENCY"))
	b.mine = len(ids)
	turns := map[int]int{}
	for _, id := range ids {
		s := &shard{bot: b, id: id}
		b.shards = append(b.shards, s)
		b.p.After(time.Duration(turns[id%buckets])*envWave, s.connect)
		turns[id%buckets]++
	}
}
