package bot

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/discluster/control/messages"
)

// environment is the environment of a process of CONTROL (PROTOCOL B4). The shards come with HELLO.
type environment struct {
	socket            string // where to listen
	manager, instance messages.Snowflake
	cluster           messages.ClusterID
	clusters          int             // in the whole fleet
	maxConcurrency    int             // identifies per 5 s
	token             messages.Secret // empty where HELLO brings it
}

// ErrStandalone reports that DISCLUSTER_SOCKET is not set: CONTROL did not start the process. A bot
// may then run as it would without Discluster.
var ErrStandalone = errors.New("DISCLUSTER_SOCKET is not set: not started by CONTROL")

// readEnvironment reads all of it, and reports every mistake at once.
func readEnvironment(lookup func(string) (string, bool)) (environment, error) {
	if _, set := lookup("DISCLUSTER_SOCKET"); !set {
		return environment{}, ErrStandalone
	}
	var wrong []error
	text := func(name, rule string, good func(string) bool) string {
		v, set := lookup(name)
		switch {
		case !set:
			wrong = append(wrong, fmt.Errorf("%s is not set: want %s", name, rule))
		case !good(v):
			wrong = append(wrong, fmt.Errorf("%s is %q: want %s", name, v, rule))
		}
		return v
	}
	number := func(name string, least int) (n int) {
		text(name, fmt.Sprintf("a whole number of at least %d", least), func(v string) bool {
			var err error
			n, err = strconv.Atoi(v)
			return err == nil && n >= least
		})
		return n
	}
	snowflake := func(name string) messages.Snowflake {
		return messages.Snowflake(text(name, "a snowflake: a decimal number of at most 128 bits", func(v string) bool {
			_, err := messages.Snowflake(v).Parts()
			return err == nil
		}))
	}
	e := environment{
		socket: text("DISCLUSTER_SOCKET", fmt.Sprintf("an absolute path of at most %d bytes", messages.SocketMax), func(v string) bool {
			return filepath.IsAbs(v) && len(v) <= messages.SocketMax
		}),
		manager:        snowflake("SHARDING_MANAGER_IPC"),
		instance:       snowflake("SHARDING_INSTANCE_IPC"),
		cluster:        messages.ClusterID(number("CLUSTER_ID", 0)),
		clusters:       number("CLUSTER_COUNT", 1),
		maxConcurrency: number("MAX_CONCURRENCY", 1),
	}
	token, _ := lookup("DISCORD_TOKEN")
	e.token = messages.Secret(token)
	return e, errors.Join(wrong...)
}
