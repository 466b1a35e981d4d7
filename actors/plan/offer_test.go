package plan

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

func TestOffer(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	good := Kept{Session: messages.Session{Shard: 3, ShardCount: 8, SessionID: "s", Intents: 5}}
	change := func(f func(*Kept)) Kept {
		k := good
		f(&k)
		return k
	}
	for _, c := range []struct {
		name string
		kept Kept
		want int
	}{
		{"its owner is alive, or died this moment", good, 1},
		{"a minute old", change(func(k *Kept) { k.Since = now.Add(-time.Minute) }), 1},
		{"older", change(func(k *Kept) { k.Since = now.Add(-time.Minute - time.Millisecond) }), 0},
		{"of another shard count", change(func(k *Kept) { k.ShardCount = 16 }), 0},
		{"with other intents", change(func(k *Kept) { k.Intents = 7 }), 0},
		{"without an id", change(func(k *Kept) { k.SessionID = "" }), 0},
	} {
		if got := len(Offer([]Kept{c.kept}, 8, 5, now)); got != c.want {
			t.Errorf("%s: %d offered, want %d", c.name, got, c.want)
		}
	}
}

func TestMerge(t *testing.T) {
	known := messages.Session{Shard: 3, SessionID: "s", Seq: 10, UserID: "u", ApplicationID: "a", Guilds: []string{"g"}}
	for _, c := range []struct {
		name   string
		report messages.Session
		want   messages.Session
	}{
		{"seq moves, the values of READY stay", messages.Session{Shard: 3, SessionID: "s", Seq: 12}, messages.Session{Shard: 3, SessionID: "s", Seq: 12, UserID: "u", ApplicationID: "a", Guilds: []string{"g"}}},
		{"an older report changes nothing", messages.Session{Shard: 3, SessionID: "s", Seq: 9}, known},
		{"another session begins", messages.Session{Shard: 3, SessionID: "t", Seq: 1}, messages.Session{Shard: 3, SessionID: "t", Seq: 1}},
		{"READY again", messages.Session{Shard: 3, SessionID: "s", Seq: 11, UserID: "v", Guilds: []string{}}, messages.Session{Shard: 3, SessionID: "s", Seq: 11, UserID: "v", Guilds: []string{}}},
	} {
		if got := Merge(known, c.report); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %s, want %s", c.name, fmt.Sprint(got), fmt.Sprint(c.want))
		}
	}
}
