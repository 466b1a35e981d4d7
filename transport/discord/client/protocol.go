package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/discluster/control/messages"
)

// Gateway opcodes (Discord docs, Gateway Opcodes).
const (
	opDispatch       = 0  // receive
	opHeartbeat      = 1  // both
	opIdentify       = 2  // send
	opResume         = 6  // send
	opReconnect      = 7  // receive
	opInvalidSession = 9  // receive
	opHello          = 10 // receive
	opHeartbeatACK   = 11 // receive
)

const (
	helloTimeout = 20 * time.Second // Discord sends HELLO at once
	// op 1 is answered at most so often: 120 sends a minute are allowed (PROTOCOL B5), and all others
	// are few
	beatSpacing = time.Second
)

// packet is one frame of the gateway.
type packet struct {
	Op   int             `json:"op"`
	Data json.RawMessage `json:"d"`
	Seq  int64           `json:"s"`
	Kind string          `json:"t"`
}

// greeting awaits HELLO and gives the heartbeat interval.
func (k *connection) greeting() (time.Duration, error) {
	select {
	case p, open := <-k.in:
		if !open {
			return 0, k.err
		}
		var hello struct {
			Interval messages.Milliseconds `json:"heartbeat_interval"`
		}
		if err := json.Unmarshal(p.Data, &hello); p.Op != opHello || err != nil || hello.Interval <= 0 {
			return 0, fmt.Errorf("first gateway packet has op %d: want HELLO (op %d) with a heartbeat_interval", p.Op, opHello)
		}
		return hello.Interval.Duration(), nil
	case <-time.After(helloTimeout):
		return 0, fmt.Errorf("no HELLO within %s", helloTimeout)
	case <-k.running.Done():
		return 0, errStopped
	}
}

// live is the whole conversation: HELLO, our answer, then one turn for whatever happens next.
func (k *connection) live() error {
	interval, err := k.greeting()
	if err == nil {
		err = k.open()
	}
	beat := time.NewTimer(time.Duration(float64(interval) * k.cfg.Rand())) // the first one jittered (Discord docs, Sending Heartbeats)
	defer beat.Stop()
	for err == nil {
		in, queue, held := k.in, chan event(nil), event{}
		if k.held != nil {
			in, queue, held = nil, k.queue, *k.held
		}
		sends, later := k.sendable()
		select {
		case p, open := <-in:
			if !open {
				return k.err
			}
			err = k.packet(p)
		case s := <-sends:
			k.pace.note(time.Now())
			err = k.write(s.op, s.data)
		case <-later:
		case queue <- held:
			k.held = nil
		case <-beat.C:
			beat.Reset(interval)
			err = k.beat()
		case g := <-k.asked:
			err = k.identify(g)
		case <-k.reconnect:
			err = errors.New("asked to reconnect")
		case <-k.running.Done():
			err = errStopped
		}
	}
	return err
}

// open resumes the session, or asks for a permit to identify, unless one is under way: a connection
// that died while waiting does not lose its place in the queue.
func (k *connection) open() error {
	if s := k.Session(); s != nil {
		k.tell(messages.ShardResuming, 0)
		return k.write(opResume, map[string]any{"token": k.cfg.Token.Reveal(), "session_id": s.SessionID, "seq": k.received})
	}
	k.tell(messages.ShardWaitingPermit, 0)
	if k.asked == nil {
		answer, cause := make(chan grant, 1), k.cause
		k.asked = answer
		go func() {
			p, err := k.cfg.Permit(k.running, cause)
			answer <- grant{p, err}
		}()
	}
	return nil
}

// identify spends a permit, or asks for another where it is overdue.
func (k *connection) identify(g grant) error {
	k.asked = nil
	if g.err != nil {
		err := fmt.Errorf("ask for a permit to identify: %w", g.err)
		k.halt(err)
		return err
	}
	if g.permit.Overdue() {
		g.permit.Unused()
		return k.open()
	}
	k.tell(messages.ShardIdentifying, 0)
	d := map[string]any{}
	if k.cfg.Identify != nil {
		for key, v := range k.cfg.Identify() {
			d[key] = v
		}
	}
	d["token"] = k.cfg.Token.Reveal()
	d["intents"] = k.cfg.Intents
	d["shard"] = [2]int{k.cfg.Shard, k.cfg.ShardCount}
	d["properties"] = map[string]string{"os": runtime.GOOS, "browser": "discluster", "device": "discluster"}
	err := k.write(opIdentify, d)
	g.permit.Sent()
	k.cause = messages.CauseReidentify
	return err
}

// packet is Discord's side of the protocol. An opcode we do not know is none of our business.
func (k *connection) packet(p packet) error {
	switch p.Op {
	case opDispatch:
		return k.dispatch(p)
	case opHeartbeat:
		if time.Since(k.beatAt) >= beatSpacing {
			return k.heartbeat()
		}
	case opReconnect:
		return errors.New("told to reconnect (op 7)")
	case opInvalidSession:
		if string(p.Data) == "true" {
			return errors.New("invalid session, resumable (op 9)")
		}
		k.forget()
		k.pause = time.Second + time.Duration(k.cfg.Rand()*float64(4*time.Second)) // 1–5 s (Discord docs, Invalid Session)
		return errors.New("invalid session (op 9)")
	case opHeartbeatACK:
		if k.acked = true; k.cfg.Latency != nil {
			k.cfg.Latency(time.Since(k.beatAt))
		}
	}
	return nil
}

// dispatch queues one event for the handler. READY begins a session, RESUMED goes on with one.
func (k *connection) dispatch(p packet) error {
	k.received = p.Seq
	switch p.Kind {
	case "READY":
		s, err := k.ready(p)
		if err != nil {
			return err
		}
		k.keep(s)
		k.fails = 0
		k.tell(messages.ShardReady, 0)
	case "RESUMED":
		k.resumed, k.fails = time.Now(), 0
		k.tell(messages.ShardReady, 0)
	}
	e := event{Event: Event{p.Kind, p.Seq, p.Data}}
	if s := k.Session(); s != nil {
		e.session = s.SessionID
	}
	select {
	case k.queue <- e:
	default:
		k.held, k.deaf = &e, true
	}
	return nil
}

// beat is one turn of the heart.
func (k *connection) beat() error {
	if !k.acked && !k.deaf {
		return errors.New("heartbeat not answered before the next one")
	}
	k.acked, k.deaf = false, k.held != nil
	return k.heartbeat()
}

// heartbeat sends the seq of the last event that came, null before the first.
func (k *connection) heartbeat() error {
	k.beatAt = time.Now()
	if k.received == 0 {
		return k.write(opHeartbeat, nil)
	}
	return k.write(opHeartbeat, k.received)
}
