package bot

import (
	"slices"
	"time"

	"github.com/discluster/control/messages"
)

// This file is for a process that runs the bot itself as its child, as the gateway host does.

// ChildDied reports a death of the child to CONTROL, which counts and shows it. cause is one line,
// tail the end of the child's output; the child is started again after retry. While CONTROL is away
// the newest deathsMax deaths are kept for it.
func (c *Cluster) ChildDied(cause, tail string, retry time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := messages.ChildDied{EventID: c.event(), Cause: cause, Tail: tail, RetryInMS: messages.Millis(retry)}
	if c.conn != nil {
		c.sendChild(m)
		return
	}
	m.RetryInMS = 0 // it will have been started by then
	c.deaths = append(c.deaths, m)
	c.deaths = c.deaths[max(0, len(c.deaths)-deathsMax):]
}

// deathsMax limits the deaths of the child that are kept while CONTROL is away.
const deathsMax = 16

// sendDeaths reports the deaths of the child that happened while CONTROL was away. mu is held.
func (c *Cluster) sendDeaths() {
	for _, m := range c.deaths {
		c.sendChild(m)
	}
	c.deaths = nil
}

// ChildSilent reports that the child lives, but never began to use this process; cause is one line.
// CONTROL then waits for the shards, and reports the bot to the operator. It returns false while
// CONTROL is away or takes no such report.
func (c *Cluster) ChildSilent(cause string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sendChild(messages.ChildSilent{EventID: c.event(), Cause: cause})
}

// Waiting reports how many events the child has not acknowledged, and the age of the oldest. deaf
// is the time since the last event of a deaf shard, 0 where it hears. They are sent like Figures.
func (s *Shard) Waiting(events int, oldest, deaf time.Duration) {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	was := &s.status
	if was.Waiting != nil && *was.Waiting == events && was.WaitingMS == messages.Millis(oldest) && was.DeafMS == messages.Millis(deaf) {
		return
	}
	was.Waiting, was.WaitingMS, was.DeafMS = &events, messages.Millis(oldest), messages.Millis(deaf)
	c.figuresMoved(s)
}

// Memory reports what is kept for the child. It is sent with what Waiting reports.
func (s *Shard) Memory(m messages.HostMemory) {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.status.HostMemory != m {
		s.status.HostMemory = m
		c.figuresMoved(s)
	}
}

// ChildTrouble reports what goes wrong between this process and the child; its event id is filled
// in. It returns false while CONTROL is away or takes no such report.
func (c *Cluster) ChildTrouble(m messages.ChildTrouble) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	m.EventID = c.event()
	return c.sendTo(messages.FeatureTrouble, m)
}

// sendChild sends a report if CONTROL takes it.
func (c *Cluster) sendChild(m messages.FromInstance) bool {
	return c.sendTo(messages.FeatureChild, m)
}

// sendTo sends a packet to a CONTROL that announced a feature. mu is held.
func (c *Cluster) sendTo(feature string, m messages.FromInstance) bool {
	if c.conn == nil || c.over || !slices.Contains(c.conn.features, feature) {
		return false
	}
	c.conn.send(m)
	return true
}
