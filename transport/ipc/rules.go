package ipc

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/discluster/control/messages"
)

// required lists the keys of a packet's data that must be present because zero is a valid value.
func required(m any) []string {
	switch m.(type) {
	case messages.IPCBeat:
		return []string{"event_id"}
	case messages.ShardStatus, messages.Reconnect:
		return []string{"shard_id"}
	case messages.PermitAsk, messages.PermitSent:
		return []string{"event_id", "shard_id"}
	case messages.PermitGrant:
		return []string{"event_id", "shard_id", "granted"}
	case messages.Drain:
		return []string{"deadline_ms"}
	}
	return nil
}

// bearsSessions reports whether a packet's data may have "sessions".
func bearsSessions(m any) bool {
	switch m.(type) {
	case messages.Hello, messages.Identify, messages.InstanceSessions, messages.Drained:
		return true
	}
	return false
}

// check returns the first broken rule of a message, the same on both ends; the error names field,
// value and rule. Messages without rules pass.
func check(m any) error {
	switch m := m.(type) {
	case messages.Hello:
		return checkHello(m)
	case messages.Identify:
		return cmp.Or(
			briefText("id", m.ID),
			briefText("event_id", m.EventID),
			briefText("sdk", m.SDK),
			checkFeatures(m.Features),
			oneOf("state", m.State, "", messages.InstanceIdle, messages.InstanceServing, messages.InstanceDraining),
			within("pid", m.PID, 0, pidMax),
			within("shard_count", m.ShardCount, 0, shardsMax),
			checkShards("shards", m.Shards, m.ShardCount),
			checkSessions(m.Sessions))
	case messages.IPCBeat:
		return cmp.Or(briefText("event_id", m.EventID), within("lease_ms", m.LeaseMS, 0, durationMax))
	case messages.ShardStatus:
		return checkStatus(m)
	case messages.ChildDied:
		return cmp.Or(briefText("event_id", m.EventID), within("retry_in_ms", m.RetryInMS, 0, durationMax))
	case messages.ChildSilent:
		return briefText("event_id", m.EventID)
	case messages.Roll:
		return briefText("event_id", m.EventID)
	case messages.ChildTrouble:
		return checkTrouble(m)
	case messages.InstanceSessions:
		return cmp.Or(checkSessions(m.Sessions), checkShards("gone", m.Gone, 0))
	case messages.PermitAsk:
		return cmp.Or(
			briefText("event_id", m.EventID),
			within("shard_id", m.Shard, 0, shardsMax-1),
			oneOf("cause", m.Cause, messages.CauseStart, messages.CauseCrash, messages.CauseReidentify, messages.CauseOperator))
	case messages.PermitGrant:
		return cmp.Or(
			within("shard_id", m.Shard, 0, shardsMax-1),
			within("use_within_ms", m.UseWithinMS, 0, durationMax),
			within("use_before_up", m.UseBeforeUp, 0, wholeMax),
			within("retry_after_ms", m.RetryAfterMS, 0, durationMax))
	case messages.PermitSent:
		return cmp.Or(briefText("event_id", m.EventID), within("shard_id", m.Shard, 0, shardsMax-1))
	case messages.Reconnect:
		return within("shard_id", m.Shard, 0, shardsMax-1)
	case messages.Drain:
		return within("deadline_ms", m.DeadlineMS, 0, durationMax)
	case messages.Drained:
		return checkSessions(m.Sessions)
	}
	return nil
}

// checkHello also refuses what upstream accepts unchecked and then misreads: no shards, no total, a
// shard over the total (PROTOCOL A3, 8).
func checkHello(m messages.Hello) error {
	if len(m.Shards) == 0 {
		return errors.New("shards []: want at least one")
	}
	err := cmp.Or(
		within("total_shards", m.TotalShards, 1, shardsMax),
		checkShards("shards", m.Shards, m.TotalShards),
		within("heartbeat_interval", m.HeartbeatIntervalMS, 0, intervalMax),
		within("cluster_count", m.ClusterCount, 0, shardsMax),
		within("max_concurrency", m.MaxConcurrency, 0, countMax),
		within("lost_after_ms", m.LostAfterMS, 0, durationMax),
		within("lease_ms", m.LeaseMS, 0, durationMax),
		oneOf("on_lost", m.OnLost, "", messages.OnLostAutonomous, messages.OnLostExit))
	if err == nil && m.Cluster != nil {
		err = within("cluster", *m.Cluster, 0, shardsMax)
	}
	if err == nil && m.Sessions != nil {
		err = checkSessions(*m.Sessions)
	}
	return err
}

// checkStatus checks a SHARD; an unknown figure is absent.
func checkStatus(m messages.ShardStatus) error {
	err := cmp.Or(
		within("shard_id", m.Shard, 0, shardsMax-1),
		oneOf("state", m.State, messages.ShardIdle, messages.ShardWaitingPermit, messages.ShardConnecting, messages.ShardIdentifying,
			messages.ShardResuming, messages.ShardReady, messages.ShardDisconnected, messages.ShardFailed),
		within("close_code", m.CloseCode, 0, closeMax),
		within("latency_ms", m.LatencyMS, 0, intervalMax),
		within("waiting_ms", m.WaitingMS, 0, durationMax),
		within("deaf_ms", m.DeafMS, 0, durationMax),
		within("guilds_bytes", m.GuildsBytes, 0, wholeMax),
		within("events_bytes", m.EventsBytes, 0, wholeMax),
		within("events_max_bytes", m.EventsMax, 0, wholeMax))
	if err == nil && m.Guilds != nil {
		err = within("guilds", *m.Guilds, 0, wholeMax)
	}
	if err == nil && m.Events != nil {
		err = within("events", *m.Events, 0, wholeMax)
	}
	if err == nil && m.Waiting != nil {
		err = within("waiting", *m.Waiting, 0, wholeMax)
	}
	return err
}

func checkTrouble(m messages.ChildTrouble) error {
	shard := 0
	if m.Shard != nil {
		shard = *m.Shard
	}
	return cmp.Or(
		briefText("event_id", m.EventID),
		briefText("kind", m.Kind),
		within("shard_id", shard, 0, shardsMax-1),
		within("events", m.Events, 0, wholeMax),
		within("close_code", m.CloseCode, 0, closeMax))
}

// checkShards wants every id in 0..total-1; total 0 means unknown.
func checkShards(field string, ids []int, total int) error {
	for _, id := range ids {
		switch {
		case id < 0:
			return fmt.Errorf("%s: shard %d: want at least 0", field, id)
		case id >= shardsMax:
			return fmt.Errorf("%s: shard %d: want less than %d", field, id, shardsMax)
		case total > 0 && id >= total:
			return fmt.Errorf("%s: shard %d: want less than the shard count %d", field, id, total)
		}
	}
	return nil
}

// Bounds of a peer's numbers. A value beyond them is a mistake that would be obeyed: as a list too
// long for memory, or a time that overflows.
const (
	shardsMax   = 1_000_000 // as on the link to MASTER
	countMax    = messages.CountMax
	featuresMax = 64
	pidMax      = 1 << 31
	closeMax    = 65535
	intervalMax = messages.Milliseconds(time.Hour / time.Millisecond)
	durationMax = messages.Milliseconds(366 * 24 * time.Hour / time.Millisecond)
	wholeMax    = 1<<53 - 1 // the largest exact integer of JavaScript
)

func checkFeatures(all []string) error {
	if len(all) > featuresMax {
		return fmt.Errorf("features: %d texts: want at most %d", len(all), featuresMax)
	}
	for _, one := range all {
		if err := briefText("features", one); err != nil {
			return err
		}
	}
	return nil
}

// textMax limits, in bytes, the texts that are forwarded to MASTER, in whose packets 1,000 sessions
// have to fit. Discord's are a tenth of it.
const textMax = 256

// checkSessions returns an error for a session that no process could resume. A missing shard count
// is 0, which is an error too.
func checkSessions(sessions []messages.Session) error {
	for _, s := range sessions {
		switch {
		case s.ShardCount < 1:
			return fmt.Errorf("sessions: shard %d: shard_count %d: want at least 1", s.Shard, s.ShardCount)
		case s.ShardCount > shardsMax:
			return fmt.Errorf("sessions: shard %d: shard_count %d: want at most %d", s.Shard, s.ShardCount, shardsMax)
		case s.Shard < 0 || s.Shard >= s.ShardCount:
			return fmt.Errorf("sessions: shard %d: want 0 to %d", s.Shard, s.ShardCount-1)
		case s.SessionID == "":
			return fmt.Errorf("sessions: shard %d: session_id missing or empty", s.Shard)
		case len(s.SessionID) > textMax || len(s.ResumeGatewayURL) > textMax || len(s.UserID) > textMax || len(s.ApplicationID) > textMax:
			return fmt.Errorf("sessions: shard %d: session_id, resume_gateway_url, user_id or application_id over %d bytes", s.Shard, textMax)
		case s.Seq < 0 || s.Seq > wholeMax:
			return fmt.Errorf("sessions: shard %d: seq %d: want 0 to %d", s.Shard, s.Seq, int64(wholeMax))
		}
	}
	return nil
}

func briefText[S ~string](field string, v S) error {
	if len(v) > textMax {
		return fmt.Errorf("%s: %d bytes: want at most %d", field, len(v), textMax)
	}
	return nil
}

// within returns an error for a number beyond its bounds.
func within[N ~int | ~int64](field string, v, least, most N) error {
	switch {
	case v < least:
		return fmt.Errorf("%s %d: want at least %d", field, v, least)
	case v > most:
		return fmt.Errorf("%s %d: want at most %d", field, v, most)
	}
	return nil
}

// oneOf keeps a set closed, so that code may switch on it and it may label a metric.
func oneOf[S ~string](field string, v S, known ...S) error {
	if !slices.Contains(known, v) {
		return fmt.Errorf("%s %.40q: want one of %q", field, v, known)
	}
	return nil
}
