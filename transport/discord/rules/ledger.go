package rules

import (
	"slices"
	"time"
)

// ledger collects the score.
type ledger struct {
	Counts
	start       time.Time
	violations  []Violation
	duplicates  []Duplicate // ended
	doubles     []Duplicate // lasting
	resumptions []Resumption
	shards      map[shardKey]*ShardScore
}

// shardKey is the "shard" of an IDENTIFY.
type shardKey struct{ shard, count int }

// record appends to a bounded list: once full, the first entries stay.
func record[T any](list *[]T, v T, limit int) {
	if len(*list) < limit {
		*list = append(*list, v)
	}
}

// shardsMax limits the shards with a score of their own: more than any bot has, so that nonsense in
// IDENTIFY cannot fill memory.
const shardsMax = 100_000

// shard returns the score of one [shard, count].
func (l *ledger) shard(shard, count int) *ShardScore {
	key := shardKey{shard, count}
	s := l.shards[key]
	if s == nil {
		s = &ShardScore{Shard: shard, ShardCount: count}
		if len(l.shards) < shardsMax {
			l.shards[key] = s
		}
	}
	return s
}

func (l *ledger) identified(now time.Time, in Identify) {
	l.Identifies++
	s := l.shard(in.Shard, in.ShardCount)
	s.Identifies++
	record(&s.IdentifyAt, now, shardListMax)
}

func (l *ledger) violated(v Violation) {
	l.Violations++
	record(&l.violations, v, listMax)
}

func (l *ledger) ready(now time.Time, s *session) {
	sh := l.shard(s.shard, s.count)
	sh.Readies++
	sh.LastReady = now
	if sh.FirstReady.IsZero() {
		sh.FirstReady = now
	}
}

func (l *ledger) resumed(r Resumption) {
	l.Resumes++
	l.shard(r.Shard, r.ShardCount).Resumes++
	record(&l.resumptions, r, listMax)
}

// doubled records that s gets a connection while old has one.
func (l *ledger) doubled(now time.Time, old, s *session, conn Conn) {
	l.Duplicates++
	l.doubles = append(l.doubles, Duplicate{
		Shard: s.shard, ShardCount: s.count,
		Sessions: [2]string{old.id, s.id}, Conns: [2]Conn{old.conn.id, conn}, From: now,
	})
}

// single records that s loses its connection, which ends its duplicates.
func (l *ledger) single(now time.Time, s *session) {
	l.doubles = slices.DeleteFunc(l.doubles, func(d Duplicate) bool {
		if d.Sessions[0] != s.id && d.Sessions[1] != s.id {
			return false
		}
		d.To = now
		record(&l.duplicates, d, listMax)
		return true
	})
}
