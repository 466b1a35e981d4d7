package cache_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/discluster/control/transport/discord/cache"
)

// heap returns the bytes that are in use.
func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func start() *cache.Cache {
	c := &cache.Cache{}
	c.Apply("READY", []byte(`{"user":{"id":"1000"},"guilds":[]}`))
	return c
}

// large returns a guild with channels, and with members and presences that are not kept.
func large(id, channels, members int) []byte {
	list := func(n int, one string) string {
		all := make([]string, n)
		for i := range all {
			all[i] = fmt.Sprintf(one, 1_000_000+i)
		}
		return strings.Join(all, ",")
	}
	return fmt.Appendf(nil, `{"id":"%d","channels":[%s],"members":[{"user":{"id":"1000"}},%s],"presences":[%s]}`, id,
		list(channels, `{"id":"%d","name":"a channel","topic":"what it is about","permission_overwrites":[]}`),
		list(members, `{"user":{"id":"%d","username":"a member"},"roles":[],"joined_at":"2020-01-01"}`),
		list(members, `{"user":{"id":"%d"},"status":"online","activities":[]}`))
}

// TestSize: the size is what the cache takes in memory, and guilds of any size do not add up to
// more than they must: most are closed, and members that are not kept take nothing.
func TestSize(t *testing.T) {
	var c *cache.Cache
	for what, fill := range map[string]func(){
		"guilds with members": func() { // 400 KB each, of which 20 KB are kept
			for id := range 20 {
				c.Apply("GUILD_CREATE", large(id+1, 200, 3_000))
			}
		},
		"large guilds": func() { // 1 MB each
			for id := range 10 {
				c.Apply("GUILD_CREATE", large(id+100, 10_000, 10))
			}
		},
	} {
		c = start()
		fill() // what all caches share is there from now on
		c = nil
		before := heap()
		c = start()
		fill()
		took, size := heap()-before, c.Size()
		if size < took/2 || size > 2*took || took > 6<<20 {
			t.Errorf("%s: %d bytes are in use, and the size is %d", what, took, size)
		}
		t.Logf("%s: %d bytes are in use, and the size is %d", what, took, size)
		runtime.KeepAlive(c)
	}
}

// TestSizeIsBounded: what comes without end does not add up.
func TestSizeIsBounded(t *testing.T) {
	c := start()
	c.Apply("GUILD_CREATE", large(1, 3, 3))
	for i := range 5_000 {
		c.Apply("USER_UPDATE", fmt.Appendf(nil, `{"id":"1000","username":"name %d","bio":%q}`, i, strings.Repeat("x", 1000)))
	}
	for i := range 5_000 {
		c.Apply("MESSAGE_CREATE", fmt.Appendf(nil, `{"id":"%d","channel_id":"%d","guild_id":"1"}`, i+1, 2_000_000+i))
	}
	if n := c.Size(); n > 200_000 {
		t.Errorf("%d bytes", n)
	}
	if _, d := c.Guild(1); !strings.Contains(string(c.Ready("s", "u")), `"name 4999"`) || len(d) > 2000 {
		t.Errorf("the guild is %s", d)
	}
}
