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
	"github.com/discluster/control/transport/guest"
	"github.com/discluster/control/transport/hosted"
	"github.com/discluster/control/transport/proc"
)

// This file takes back the bot of an earlier host, which died without it: this host listens where
// that bot connects.

// previousBot is the result of the search for that bot.
type previousBot struct {
	bot    *hosted.Bot // nil: none lives
	record hosted.Record
	err    error // why it is unknown whether one lives
}

// findPrevious searches for the bot of an earlier host of this cluster: by the record, or without
// one by its environment.
func findPrevious(file hosted.File) (e previousBot) {
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

// startID returns a hash of how a bot is started. A bot that was started otherwise is not taken
// back.
func startID(c *bot.Cluster, argv []string, api string, kind guest.Kind) string {
	how := []any{argv, c.Shards(), c.ShardCount(), api, c.Token().Reveal()}
	if kind != guest.None {
		how = append(how, kind)
	}
	text, err := json.Marshal(how)
	if err != nil {
		panic(err) // texts and numbers
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// listen listens where the previous bot connects if that can go on, else anywhere. path is the
// gateway's there, "" for a new one.
func (e previousBot) listen(startID string) (l net.Listener, path string, err error) {
	if u, bad := url.Parse(e.record.URL); e.bot != nil && e.record.Start == startID && bad == nil {
		if l, err = net.Listen("tcp", u.Host); err == nil {
			return l, u.Path, nil
		}
	}
	l, err = net.Listen("tcp", "127.0.0.1:0")
	return l, "", err
}

// refused returns why the previous bot cannot go on behind this host; "": it can.
func (e previousBot) refused(url, startID string) string {
	switch {
	case e.record.Start == "":
		return "it has no record"
	case e.record.Start != startID:
		return "it was started in another way: another command, token, set of shards or cluster.guest"
	case e.record.URL != url:
		return "this host cannot listen where the bot connects"
	}
	return ""
}

// inherit returns the bot with which this host goes on; nil: there is none. It ends one that cannot
// go on, and does not return while it is unknown whether one lives: two bots would do everything
// twice. false: the cluster ends.
func (r *runner) inherit(e previousBot, shardsEnded <-chan struct{}) (*hosted.Bot, bool) {
	reported := false
	for tries := 0; e.err != nil; tries++ {
		if tries == 0 {
			r.log.Error("no bot is started: it is unknown whether that of an earlier host lives", "err", e.err)
		}
		if !reported {
			reported = r.cluster.ChildTrouble(messages.ChildTrouble{Kind: messages.TroubleDoubt, Err: e.err.Error()})
		}
		select {
		case <-time.After(plan.SearchAgain(tries, rand.Float64())):
		case <-r.cluster.Stopping():
			return nil, false
		case <-shardsEnded:
			return nil, false
		}
		e = findPrevious(r.file)
	}
	if reported {
		r.cluster.ChildTrouble(messages.ChildTrouble{Kind: messages.TroubleDoubt, Over: true})
	}
	if e.bot == nil {
		return nil, true
	}
	why := e.refused(r.host.URL(), r.startID)
	if why == "" {
		why = r.manager.take(e.bot.PID(), e.record.Channel)
	}
	if why == "" {
		r.record = e.record
		r.log.Info("bot of an earlier host goes on", "pid", e.bot.PID())
		return e.bot, true
	}
	r.log.Warn("bot of an earlier host is ended", "pid", e.bot.PID(), "why", why)
	r.cluster.ChildDied("CONTROL ends the bot of an earlier gateway host: "+why, "", 0)
	e.bot.Signal(syscall.SIGTERM)
	goesOn := true
	select {
	case <-e.bot.Ended():
		return nil, true
	case <-time.After(endGrace):
	case <-r.cluster.Stopping():
		goesOn = false
	case <-shardsEnded:
		goesOn = false
	}
	e.bot.Signal(syscall.SIGKILL)
	<-e.bot.Ended()
	return nil, goesOn
}

// recordStart records the bot. CONTROL ends a bot without a record by its environment.
func (r *runner) recordStart(mark proc.Mark) {
	mark.Output = outputFile()
	r.record.Mark = mark
	r.saveRecord()
}

// saveRecord saves the record, and reports the first failure in a row.
func (r *runner) saveRecord() {
	err := r.file.Save(r.record)
	if err != nil && r.saveErr == nil {
		r.log.Error("cannot record the bot; retrying", "err", err)
	}
	r.saveErr = err
}

// outputFile returns the path of the file of our output; "": it is no file.
func outputFile() string {
	path, err := os.Readlink("/proc/self/fd/1")
	if info, bad := os.Stat(path); err != nil || bad != nil || !info.Mode().IsRegular() {
		return ""
	}
	return path
}

// silenceOf returns the silence of a run, with the limit for its kind.
func (r *runner) silenceOf(inherited bool) silence {
	if inherited && r.record.Served != 0 {
		return silence{limit: returnMax}
	}
	return silence{limit: silentMax}
}

// endError returns why a bot ended without an order; exit code 0 is an error, too.
func endError(e proc.Exit, killed string) error {
	if killed != "" {
		return fmt.Errorf("killed: %s", killed)
	}
	return fmt.Errorf("%s", e.String())
}
