package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/discluster/control/messages"
)

// Session returns the current session, nil if there is none.
func (c *Client) Session() *messages.Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		return nil
	}
	s := *c.session
	return &s
}

// keep takes a new session over and reports it.
func (c *Client) keep(s messages.Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = &s
	if c.cfg.Session != nil {
		c.cfg.Session(s)
	}
}

// moved takes the seq of a handled event over into the session, if that is still the one it came
// by.
func (c *Client) moved(e event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mute || c.session == nil || c.session.SessionID != e.session || e.Seq <= c.session.Seq {
		return
	}
	c.session.Seq, c.session.At = e.Seq, messages.At(time.Now())
	if c.cfg.Session != nil {
		c.cfg.Session(*c.session)
	}
}

// forget drops the session: the next connection identifies.
func (c *Client) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cause, c.received = messages.CauseReidentify, 0
	if c.session == nil {
		return
	}
	c.session = nil
	if c.cfg.SessionGone != nil {
		c.cfg.SessionGone()
	}
}

// ready reads the session out of READY. READY is the client's own event: its seq counts at once.
func (c *Client) ready(p packet) (messages.Session, error) {
	type object struct {
		ID string `json:"id"`
	}
	var d struct {
		SessionID   string   `json:"session_id"`
		URL         string   `json:"resume_gateway_url"`
		User        object   `json:"user"`
		Application object   `json:"application"`
		Guilds      []object `json:"guilds"`
	}
	if err := json.Unmarshal(p.Data, &d); err != nil {
		return messages.Session{}, fmt.Errorf("read READY: %w", err)
	}
	if d.SessionID == "" {
		return messages.Session{}, errors.New("read READY: it has no session_id")
	}
	s := messages.Session{
		Shard: c.cfg.Shard, ShardCount: c.cfg.ShardCount, Intents: c.cfg.Intents, SessionID: d.SessionID, Seq: p.Seq, ResumeGatewayURL: d.URL,
		At: messages.At(time.Now()), UserID: d.User.ID, ApplicationID: d.Application.ID,
	}
	for _, g := range d.Guilds {
		s.Guilds = append(s.Guilds, g.ID)
	}
	return s, nil
}
