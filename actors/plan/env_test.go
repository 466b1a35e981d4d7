package plan

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

var (
	someSettings = messages.Settings{Token: "the-bot-token", ShardCount: 25, MaxConcurrency: 16, ShardsPerCluster: 10}
	someCluster  = Cluster{ID: 2, Shards: messages.ShardRange{First: 20, Last: 24}}
	someRun      = Run{Manager: "111", Instance: "222", Socket: "/run/x/222", Owner: "m1:/var/x"}
)

func TestEnvironment(t *testing.T) {
	base := []string{"PATH=/bin", "CONTROL_STATE=/var", "CONTROL_", "SHARDING_MANAGER=true", "DISCORD_TOKEN=old", "CLUSTER_ID=7", "HOME=/root", "ODD", "CONTROLS=kept",
		"NODE_CHANNEL_FD=3", "NODE_CHANNEL_SERIALIZATION_MODE=json", "NODE_UNIQUE_ID=1",
		"SHARDING_MANAGER_MODE=process", "CLUSTER_MANAGER=true", "CLUSTER_MANAGER_MODE=process", "CLUSTER_QUEUE_MODE=auto"}
	extra := []string{"LANG=C", "PATH=/opt/bin"}
	ours := []string{"CLUSTER_ID=2", "CLUSTER_COUNT=3", "SHARD_IDS=20,21,22,23,24", "SHARDS=[20,21,22,23,24]", "SHARD_COUNT=25", "MAX_CONCURRENCY=16",
		"SHARDING_MANAGER_IPC=111", "SHARDING_INSTANCE_IPC=222", "SHARDING_INSTANCE=2", "DISCLUSTER_SOCKET=/run/x/222", "DISCLUSTER_OWNER=m1:/var/x#2"}
	for _, c := range []struct {
		name    string
		byHello bool
		want    []string
	}{
		{"the token in the environment", false, slices.Concat([]string{"PATH=/bin", "HOME=/root", "ODD", "CONTROLS=kept"}, ours, []string{"DISCORD_TOKEN=the-bot-token"}, extra)},
		{"the token by HELLO", true, slices.Concat([]string{"PATH=/bin", "HOME=/root", "ODD", "CONTROLS=kept"}, ours, extra)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Environment(base, someSettings, someCluster, someRun, extra, c.byHello); !slices.Equal(got, c.want) {
				t.Errorf("\n got %q\nwant %q", got, c.want)
			}
		})
	}
}

// A cluster of another installation is not this one's, however alike their names.
func TestOwnedCluster(t *testing.T) {
	for value, want := range map[string]messages.ClusterID{"m1:/var/x#0": 0, "m1:/var/x#17": 17, "m1:/var/x#-1": -1, "m1:/var/x#01": -1, "m1:/var/x#": -1, "m1:/var/x": -1,
		"m1:/var/xy#1": -1, "m11:/var/x#1": -1, "": -1,
		"m1:/var/x#3/bot": 3, "m1:/var/x#3/bot/bot": -1, "m1:/var/x#/bot": -1} {
		if id, ok := OwnedCluster("m1:/var/x", value); ok != (want >= 0) || ok && id != want {
			t.Errorf("%q: cluster %d, %v", value, id, ok)
		}
	}
	if mark := OwnerMark("m1:/var/x", 3); mark != OwnedBy("m1:/var/x")+"3" {
		t.Errorf("mark %q", mark)
	}
}

// A bot behind a gateway host has what the host has, but an id, a socket and marks of its own:
// those of the host name another process.
func TestBotEnvironment(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_000)
	instance, err := messages.SnowflakeParts{Time: at, Worker: 4242, Shard: 2, Increment: 9}.Snowflake()
	if err != nil {
		t.Fatal(err)
	}
	run := Run{Manager: someRun.Manager, Instance: instance, Socket: "/run/x/" + string(instance), Owner: someRun.Owner}
	host := Environment([]string{"PATH=/bin"}, someSettings, someCluster, run, []string{"A=SHARDING_INSTANCE_IPC=1"}, false)
	env, mark := BotEnvironment(host, 4)
	own := OwnerMark(someRun.Owner, someCluster.ID)
	for i, kv := range host {
		want := kv
		switch {
		case kv == own:
			want = BotMark(own)
		case strings.HasPrefix(kv, "DISCLUSTER_SOCKET="):
			want = "DISCLUSTER_SOCKET=/run/x/bot-2"
		case strings.HasPrefix(kv, "SHARDING_INSTANCE_IPC="):
			want = mark
		}
		if env[i] != want {
			t.Errorf("%q, want %q", env[i], want)
		}
	}
	id, is := strings.CutPrefix(mark, "SHARDING_INSTANCE_IPC=")
	parts, err := messages.Snowflake(id).Parts()
	if want := (messages.SnowflakeParts{Time: at, Worker: 4242, Shard: 1<<31 | 2, Increment: 4}); !is || err != nil || parts != want {
		t.Errorf("mark %q: %+v, %v, want %+v", mark, parts, err, want)
	}
	if _, second := BotEnvironment(host, 5); second == mark {
		t.Errorf("two runs have the mark %q", mark)
	}
	if id, ok := OwnedCluster(someRun.Owner, strings.TrimPrefix(BotMark(own), OwnerVariable)); !ok || id != someCluster.ID {
		t.Errorf("cluster %d, %v", id, ok)
	}
}

// Whatever CONTROL's own environment holds, nothing of CONTROL's reaches a bot, and its variables
// are there once.
func FuzzEnvironment(f *testing.F) {
	f.Add("CONTROL_TOKEN=x\nSHARDS=[1]\nA=b")
	f.Fuzz(func(t *testing.T, text string) {
		env := Environment(strings.Split(text, "\n"), someSettings, someCluster, someRun, nil, false)
		seen := map[string]int{}
		for _, kv := range env {
			name, _, _ := strings.Cut(kv, "=")
			seen[name]++
			if strings.HasPrefix(name, "CONTROL_") || neverGiven(name) {
				t.Fatalf("%q reaches the bot", kv)
			}
		}
		for _, name := range messages.ReservedEnv {
			if !neverGiven(name) && seen[name] != 1 {
				t.Fatalf("%s is set %d times", name, seen[name])
			}
		}
	})
}

// neverGiven lists the names of ReservedEnv that no cluster process has.
func neverGiven(name string) bool {
	return name == "SHARDING_MANAGER" || name == "SHARDING_MANAGER_MODE" || name == "CLUSTER_QUEUE_MODE" || strings.HasPrefix(name, "CLUSTER_MANAGER") || strings.HasPrefix(name, "NODE_")
}
