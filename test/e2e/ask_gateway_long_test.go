//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// A bot on the SDK behind gateway hosts: clusters ask each other and get each other's messages, as
// directly under CONTROL. kill -9 of CONTROL, of a host and of a bot each cost an error in between;
// none ends another process, or costs an identify.
func TestSDKBehindHosts(t *testing.T) {
	d := startDiscord(t, 4, 4, "--guilds", "8", "--events", "20")
	b := startMake(t, d, 4, 2, settings{roleSetting: "asks-behind", "cluster.protocol": "gateway"}, self)
	b.logged("cluster.ready", 2)
	bots := map[string]int{}
	look := func() {
		t.Helper()
		for _, id := range []string{"0", "1"} {
			if bots[id], _ = b.hosted(id, self); bots[id] == 0 {
				t.Fatalf("cluster %s has no bot", id)
			}
		}
	}
	// more waits until each line, of both bots or as it is, was printed once more than before what
	// happens.
	more := func(what string, happens func(), lines ...string) {
		t.Helper()
		before := b.printed()
		happens()
		eventually(t, what, func() bool {
			now := b.printed()
			return !slices.ContainsFunc(lines, func(line string) bool { return strings.Count(now, line) <= strings.Count(before, line) })
		})
	}
	answers := func(by string) string {
		return fmt.Sprintf("%s asked: [{0 %d <nil>} {1 %d <nil>}]\n", by, bots["0"], bots["1"])
	}
	look()
	more("both ask and hear both", func() {}, `0 heard "hello" of 0`, `0 heard "hello" of 1`, `1 heard "hello" of 0`, `1 heard "hello" of 1`)
	for _, by := range []string{"0", "1"} {
		if !strings.Contains(b.printed(), answers(by)) {
			t.Errorf("it has not printed %s", answers(by))
		}
	}
	const away = " asked: ask pid: "
	more("both notice that CONTROL is away", b.crash, "0"+away, "1"+away)
	more("both ask both, by the next CONTROL", func() { b.process = b.again() }, answers("0"), answers("1"))

	b.goesOn("cluster 0 has what a host keeps", bots["0"], "0", "1")
	b.goesOn("and so has cluster 1", bots["1"], "2", "3")
	_, host := b.hosted("0", self)
	more("the bot of the dead host asks both, by the next host", func() { b.signal(host, syscall.SIGKILL) }, "0"+away, answers("0"))

	another := func() {
		t.Helper()
		before := bots["1"]
		eventually(t, "another bot", func() bool { bots["1"], _ = b.hosted("1", self); return bots["1"] != 0 && bots["1"] != before })
		eventually(t, "both ask both, with another bot", func() bool {
			return strings.Contains(b.printed(), answers("0")) && strings.Contains(b.printed(), answers("1"))
		})
	}
	b.signal(bots["1"], syscall.SIGKILL)
	another() // it is started again at once, and after a second the next time
	more("an error for the dead bot", func() { b.signal(bots["1"], syscall.SIGKILL) }, fmt.Sprintf("0 asked: [{0 %d <nil>} {1 0 its bot ", bots["0"]))
	another()

	b.does(fmt.Sprintf("0        %d\n1        %d\n", bots["0"], bots["1"]), "ask", "all", "pid")
	b.cared()
	if s := b.d.stats(); s.Identifies != 4 {
		t.Errorf("%d identifies of 4 shards", s.Identifies)
	}
	b.stop()
	for _, by := range []string{"0", "1"} {
		if !strings.Contains(b.printed(), by+" drained, ") {
			t.Errorf("the bot of cluster %s got no DRAIN", by)
		}
	}
}
