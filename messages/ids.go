package messages

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"
)

// Secret is a text that must never be shown: the bot token, an authorization, a webhook's address.
// Every way of printing it writes "[redacted]"; only Reveal returns the text, so that each use can
// be found by that name.
type Secret string

const redacted = "[redacted]"

func (Secret) String() string               { return redacted }
func (Secret) GoString() string             { return redacted }
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Format keeps wrong verbs silent too: %d of a text would print it inside its error.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// Reveal returns the text itself, for the one place that has to send it.
func (s Secret) Reveal() string { return string(s) }

// Fingerprint identifies the secret without revealing it: the first 8 bytes of its SHA-256, in hex.
// Empty for the empty secret.
func (s Secret) Fingerprint() string {
	if s == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}

// CountMax limits every number of shards or machines that an operator or Discord states: ten times
// the largest known bot. More is a mistake, and would be obeyed.
const CountMax = 100_000

// Milliseconds is a duration as the wire has it: a JSON integer of milliseconds.
type Milliseconds int64

// Millis returns d in whole milliseconds, rounded down.
func Millis(d time.Duration) Milliseconds { return Milliseconds(d / time.Millisecond) }

// Duration returns m as a time.Duration, clamped to what that can hold.
func (m Milliseconds) Duration() time.Duration {
	const most = math.MaxInt64 / Milliseconds(time.Millisecond)
	return time.Duration(min(max(m, -most), most)) * time.Millisecond
}

// UnixMillis is a moment as the wire has it: a JSON integer of milliseconds since 1970.
type UnixMillis int64

// At returns the moment t.
func At(t time.Time) UnixMillis { return UnixMillis(t.UnixMilli()) }

// Time returns m as a time.Time, clamped to the years 1938 to 2110, so that the difference of two
// moments, and the sum of two such differences, fits a time.Duration although a clock is wrong by
// centuries.
func (m UnixMillis) Time() time.Time {
	return time.UnixMilli(int64(min(max(m, momentLeast), momentMost)))
}

const momentLeast, momentMost UnixMillis = -1_000_000_000_000, 4_417_977_600_000

// Left returns the time until a moment that was computed from time.Now, by the clock that shows
// less: the monotonic clock stops while the machine is suspended, and the wall clock may be set
// back. A deadline is therefore never missed, though a wall clock that is set forward makes it come
// early.
func Left(until time.Time) time.Duration {
	now := time.Now()
	return min(until.Sub(now), until.Round(0).Sub(now.Round(0)))
}

// CheckLeftEvery is the interval at which a deadline that must be kept is compared with Left, since
// a timer alone may fire too late.
const CheckLeftEvery = time.Second

// ShardRange is First..Last, both included, 0-based; on the wire [first,last]. PROTOCOL B1 settles
// "inclusive", which upstream states nowhere.
type ShardRange struct{ First, Last int }

// Len returns the number of shards.
func (r ShardRange) Len() int { return r.Last - r.First + 1 }

// Contains reports whether shard lies in r.
func (r ShardRange) Contains(shard int) bool { return r.First <= shard && shard <= r.Last }

// Overlaps reports whether r and o share a shard.
func (r ShardRange) Overlaps(o ShardRange) bool { return r.First <= o.Last && o.First <= r.Last }

// And returns the intersection; some is false where it is empty.
func (r ShardRange) And(o ShardRange) (both ShardRange, some bool) {
	return ShardRange{First: max(r.First, o.First), Last: min(r.Last, o.Last)}, r.Overlaps(o)
}

// Shards lists every shard of r in order.
func (r ShardRange) Shards() []int {
	all := make([]int, 0, max(r.Len(), 0))
	for s := r.First; s <= r.Last; s++ {
		all = append(all, s)
	}
	return all
}

// String returns "0-9", or "7" for a single shard.
func (r ShardRange) String() string {
	if r.First == r.Last {
		return strconv.Itoa(r.First)
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// MarshalJSON writes [first,last].
func (r ShardRange) MarshalJSON() ([]byte, error) {
	text := append(make([]byte, 0, 16), '[')
	text = append(strconv.AppendInt(text, int64(r.First), 10), ',')
	return append(strconv.AppendInt(text, int64(r.Last), 10), ']'), nil
}

// UnmarshalJSON reads [first,last]; anything but two whole numbers with 0 ≤ first ≤ last is an
// error.
func (r *ShardRange) UnmarshalJSON(b []byte) error {
	var v []int
	if err := json.Unmarshal(b, &v); err != nil {
		return fmt.Errorf("shard range %.60s: want [first,last]: %w", b, err)
	}
	if len(v) != 2 || v[0] < 0 || v[1] < v[0] {
		return fmt.Errorf("shard range %v: want [first,last] with 0 <= first <= last", v)
	}
	*r = ShardRange{First: v[0], Last: v[1]}
	return nil
}

// ClusterID names a cluster in the whole fleet: its first shard divided by shards_per_cluster.
// Discordoo's instance index is the same number.
type ClusterID int

// String returns the decimal number, which is also the name of the cluster's actor.
func (c ClusterID) String() string { return strconv.Itoa(int(c)) }

// inText matches the place of a cluster's id in a text: {cluster}, or {9000+cluster} for a sum.
var inText = regexp.MustCompile(`\{(?:(\d{1,9})\+)?cluster\}`)

// In puts the id into a text: {cluster} becomes the id, {9000+cluster} the sum, which may be a
// port.
func (c ClusterID) In(text string) string {
	return inText.ReplaceAllStringFunc(text, func(m string) string {
		base, _ := strconv.Atoi(inText.FindStringSubmatch(m)[1]) // "": 0
		return strconv.Itoa(base + int(c))
	})
}

// Place is a machine's slot in the fleet, for the pace without MASTER (PROTOCOL B3): number Index
// of Of. Number 1 of 1 has no slot.
type Place struct {
	Index int `json:"index"`
	Of    int `json:"of"`
}

// HasSlots reports whether a machine has slots.
func (p Place) HasSlots() bool { return p.Of > 0 && p != NoSlot }

// NoSlot is the place of a machine that identifies by MASTER's permits alone: other machines have
// all slots.
var NoSlot = Place{Index: 1, Of: 1}
