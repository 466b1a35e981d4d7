package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/bot"
	"github.com/discluster/control/transport/hosted"
	"github.com/discluster/control/transport/proc"
)

// This file goes on with the bot of the host before, which died alone: the next host listens where
// that bot connects.

// earlier is the answer to where that bot is.
type earlier struct {
	bot    *hosted.Bot // nil: none lives
	record hosted.Record
	err    error // why it is unknown whether one lives
}

// seek searches for the bot of an earlier host of this cluster: by the record, or without one by
// its environment.
func seek(file hosted.File) (e earlier) {
	if e.record, e.err = file.Read(); e.err != nil {
		return e
	}
	mark, own := e.record.Mark, ownerMark()
	switch {
	case own == "": // not started by CONTROL
	case mark.Env == "":
		mark.Env, mark.Owner = own, own
	default:
		mark.Owner = own
	}
	if mark.Env != "" {
		e.bot, e.err = hosted.Find(mark)
	}
	return e
}

// ownerMark returns the entry that every bot of this cluster has in its environment.
func ownerMark() string {
	for _, kv := range os.Environ() {
		if strings.HasPrefix(kv, plan.OwnerVariable) {
			return plan.BotMark(kv)
		}
	}
	return ""
}

// startOf returns how a bot is started, in short: one that was started otherwise does not go on.
func startOf(c *bot.Cluster, argv []string, api string) string {
	text, err := json.Marshal([]any{argv, c.Shards(), c.ShardCount(), api, c.Token().Reveal()})
	if err != nil {
		panic(err) // texts and numbers
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// listen listens where the earlier bot connects if that may go on, or else anywhere. path is the
// gateway's there, "" for a new one.
func (e earlier) listen(start string) (l net.Listener, path string, err error) {
	if u, bad := url.Parse(e.record.URL); e.bot != nil && e.record.Start == start && bad == nil {
		if l, err = net.Listen("tcp", u.Host); err == nil {
			return l, u.Path, nil
		}
	}
	l, err = net.Listen("tcp", "127.0.0.1:0")
	return l, "", err
}

// refused returns why the earlier bot cannot go on behind this host; "": it can.
func (e earlier) refused(url, start string) string {
	switch {
	case e.record.Start == "":
		return "it has no record"
	case e.record.Start != start:
		return "it was started in another way: another command, token or set of shards"
	case e.record.URL != url:
		return "this host cannot listen where the bot connects"
	}
	return ""
}

// inherit returns the bot with which this host goes on, after it has ended one that cannot go on.
// nil: another is to be started. It does not return while it is unknown whether one lives: two bots
// would do everything twice. false: the cluster ends.
func (p *behind) inherit(e earlier, over <-chan struct{}) (*hosted.Bot, bool) {
	doubted := false // it was reported
	for tries := 0; e.err != nil; tries++ {
		if tries == 0 {
			p.log.Error("no bot is started: it is unknown whether that of an earlier host lives", "err", e.err)
		}
		if !doubted {
			doubted = p.cluster.ChildTrouble(messages.ChildTrouble{Kind: messages.TroubleDoubt, Err: e.err.Error()})
		}
		select {
		case <-time.After(plan.SearchAgain(tries, rand.Float64())):
		case <-p.cluster.Stopping():
			return nil, false
		case <-over:
			return nil, false
		}
		e = seek(p.file)
	}
	if doubted {
		p.cluster.ChildTrouble(messages.ChildTrouble{Kind: messages.TroubleDoubt, Over: true})
	}
	if e.bot == nil {
		return nil, true
	}
	why := e.refused(p.host.URL(), p.start)
	if why == "" {
		p.record = e.record
		p.log.Info("bot of an earlier host goes on", "pid", e.bot.PID())
		return e.bot, true
	}
	p.log.Warn("bot of an earlier host is ended", "pid", e.bot.PID(), "why", why)
	p.cluster.ChildDied("CONTROL ends the bot of an earlier gateway host: "+why, "", 0)
	e.bot.Signal(syscall.SIGTERM)
	goesOn := true
	select {
	case <-e.bot.Ended():
		return nil, true
	case <-time.After(endGrace):
	case <-p.cluster.Stopping():
		goesOn = false
	case <-over:
		goesOn = false
	}
	e.bot.Signal(syscall.SIGKILL)
	<-e.bot.Ended()
	return nil, goesOn
}

// save records the bot. CONTROL ends a bot without a record by its environment.
func (p *behind) save(mark proc.Mark) {
	mark.Output = output()
	p.record.Mark = mark
	p.saveAgain()
}

// saveAgain saves the record, and reports the first failure in a row.
func (p *behind) saveAgain() {
	err := p.file.Save(p.record)
	if err != nil && p.saved == nil {
		p.log.Error("cannot record the bot; retrying", "err", err)
	}
	p.saved = err
}

// output returns the file of our output, "" where it is none.
func output() string {
	path, err := os.Readlink("/proc/self/fd/1")
	if info, bad := os.Stat(path); err != nil || bad != nil || !info.Mode().IsRegular() {
		return ""
	}
	return path
}

// silenceOf returns how long a bot may be without a connection, and its state.
func (p *behind) silenceOf(inherited bool) silence {
	if inherited && p.record.Served != 0 {
		return silence{most: returnMax}
	}
	return silence{most: silentMax}
}

// exited returns the reason why a bot ended without an order; exit code 0 is a reason, too.
func exited(e proc.Exit, killed string) error {
	if killed != "" {
		return fmt.Errorf("killed: %s", killed)
	}
	return fmt.Errorf("%s", e.String())
}
