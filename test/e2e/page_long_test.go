//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/admin"
)

// The page of a real machine shows its state, and tiles change as a cluster dies and returns,
// without a reload. The page shows that CONTROL ended.
func TestPage(t *testing.T) {
	b := browse(t)
	bots := serving(t, 8, 4, settings{"admin.listen": "127.0.0.1:0"}, "--events", "2")
	b.look(1280, 800, "light")
	b.open("http://" + fmt.Sprint(bots.line("admin listens")["listen"]))
	b.until(`document.querySelectorAll("button.good").length === 8`)
	// Two reports of figures later.
	b.until(`/^Shard 5: ready(, \d+ ms)?, [\d.]+ events\/s$/.test(document.querySelector("button[value='5']").title)`)
	for what, expression := range map[string]string{
		"✓ 2 clusters serve":  `document.querySelector("#summary").textContent`,
		"8 of 8 shards ready": `document.querySelector("#ready").textContent`,
		"e2e":                 `document.querySelector("#machine-title").textContent`,
		"✓ serving":           `document.querySelectorAll("#clusters tbody")[1].innerText`,
		"cluster.ready":       `document.querySelector("#events").innerText`,
	} {
		if got := b.text(expression); !strings.Contains(got, what) {
			t.Errorf("%s: %q, want %q", expression, got, what)
		}
	}
	b.shoot("page")

	// The page records every later title of tile 5.
	b.eval(`window.noted = []; new MutationObserver(() => noted.push(document.querySelector("button[value='5']").title)).observe(document.querySelector("button[value='5']"), { attributes: true }); 1`, nil)
	for range 3 { // the first time it is back at once, the third time after two seconds
		killed := bots.view().Clusters[1].PID
		bots.signal(killed, syscall.SIGKILL)
		eventually(t, "another process serves", func() bool {
			c := bots.view().Clusters[1]
			return c.PID != killed && c.State == messages.ClusterServing
		})
	}
	b.until(`noted.some((title) => !title.includes("ready"))`)
	b.until(`document.querySelector("button[value='5']").title.includes("ready")`)
	b.until(`document.querySelector("#events").innerText.includes("cluster.died") && document.querySelectorAll(".death")[1].innerText.includes("signal killed")`)
	t.Logf("tile 5: %s", b.text(`noted.join("; ")`))
	b.shoot("page-after-a-death")

	bots.stop()
	b.until(`document.querySelector("#live").textContent.startsWith("✕ not live since")`)
}

// The output and the name of a bot are shown as text everywhere. The details of a cluster that gave
// up are one press away.
func TestPageHostile(t *testing.T) {
	b := browse(t)
	s, at := set(t, 2*perCluster, admin.Options{})
	const hostile = `</pre><script>window.hacked=1</script><img src=x onerror="window.hacked=1">"><svg onload=window.hacked=1>`
	s.happens(messages.OrderGiven{Order: hostile, By: hostile}, func(v *messages.View) {
		v.Machine.Source, v.Machine.Host, v.Machine.Version = hostile, hostile, hostile
	})
	s.giveUp(1, hostile)
	b.open("http://" + at)
	s.giveUp(0, hostile) // also by the stream
	b.until(`document.querySelectorAll("#events details, .death:not([hidden])").length === 4`)
	b.eval(`document.querySelectorAll("#events summary").forEach((s) => s.click()); document.querySelectorAll(".death")[1].click()`, nil)
	b.until(`document.querySelector("dialog pre")`)
	if got := b.text(`document.querySelector("dialog pre").textContent`); got != hostile {
		t.Errorf("output %q", got)
	}
	if n := b.text(`document.querySelectorAll("dialog li").length`); n != "4" {
		t.Errorf("%s attempts", n)
	}
	for _, where := range []string{"#name", "#machine", "#events", ".death"} {
		if got := b.text(fmt.Sprintf(`document.querySelector(%q).textContent`, where)); !strings.Contains(got, hostile) {
			t.Errorf("%s: %q", where, got)
		}
	}
	if got := b.text(`window.hacked + " " + document.querySelectorAll("script:not([src]), img, svg").length`); got != "undefined 0" {
		t.Errorf("it was run, or became markup: %s", got)
	}
	b.shoot("page-forensics")
}

// The search, the tiles and the details work by keyboard.
func TestPageKeyboard(t *testing.T) {
	b := browse(t)
	_, at := set(t, 4*perCluster, admin.Options{})
	b.look(1280, 800, "light")
	b.open("http://" + at)
	focus := `(document.activeElement.value ?? "") + "@" + document.activeElement.id`
	wide := `[...document.querySelectorAll("tbody")[0].querySelectorAll(".tiles button")].filter((t, _, all) => t.offsetTop === all[0].offsetTop).length`
	if got := b.text(wide); got != "15" && got != "16" {
		t.Logf("%s tiles a line", got)
	}
	b.press("/")
	b.do("Input.insertText", map[string]any{"text": "81384788765712384"}, nil) // >> 22 is 19403645698, and shard 2 of 64
	b.press("Enter")
	b.until(`document.querySelector("output button")`)
	if got := b.text(`document.querySelector("output").textContent`); got != "shard 2 of 64: cluster 0 on stage, ready, 42 ms Show it" {
		t.Errorf("whereis: %q", got)
	}
	b.press("Tab", "Tab", "Enter") // Where is it?, Show it
	for _, c := range []struct {
		keys []string
		want string
	}{
		{nil, "2"}, {[]string{"ArrowRight"}, "3"}, {[]string{"ArrowLeft", "ArrowLeft"}, "1"}, {[]string{"End"}, "15"}, {[]string{"ArrowRight"}, "16"}, {[]string{"ArrowLeft"}, "15"},
		{[]string{"Home"}, "0"}, {[]string{"PageDown", "PageDown"}, "32"}, {[]string{"PageUp"}, "16"}, {[]string{"ArrowRight", "ArrowUp"}, "1"}, {[]string{"ArrowDown"}, "17"},
	} {
		b.press(c.keys...)
		if got := b.text(focus); got != c.want+"@" {
			t.Errorf("after %v: %s, want %s", c.keys, got, c.want)
		}
	}
	if got := b.text(`document.querySelectorAll(".tiles button[tabindex='0']").length`); got != "1" {
		t.Errorf("Tab stops at %s tiles, want one", got)
	}
	b.press("Enter")
	b.until(`document.querySelector("dialog").open`)
	if got := b.text(`document.querySelector("dialog").innerText.replace(/\s+/g, " ")`); !strings.Contains(got, "Shard 17 State ✓ ready Latency 42 ms Events 12.5/s Cluster 1, serving") {
		t.Errorf("details: %s", got)
	}
	b.press("Escape")
	b.until(`!document.querySelector("dialog").open`)
	if got := b.text(focus); got != "17@" {
		t.Errorf("after the details: %s", got)
	}
	b.press("/")
	if got := b.text(`document.activeElement.id`); got != "guild" {
		t.Errorf("after /: %s", got)
	}
}

// A screen reader gets names and roles, and only the summary without asking.
func TestPageAccessibility(t *testing.T) {
	b := browse(t)
	s, at := set(t, 2*perCluster, admin.Options{})
	s.turn(3, messages.ShardIdentifying)
	s.giveUp(1, "exit code 3")
	b.open("http://" + at)
	var tree struct {
		Nodes []struct {
			Ignored    bool
			Role, Name struct{ Value any }
		}
	}
	b.do("Accessibility.getFullAXTree", nil, &tree)
	there := map[string]int{}
	for _, n := range tree.Nodes {
		name := fmt.Sprint(n.Name.Value)
		if role := fmt.Sprint(n.Role.Value); !n.Ignored {
			there[role+" "+name]++
			there[role]++
			if (role == "button" || role == "textbox" || role == "checkbox" || role == "columnheader") && name == "" {
				t.Errorf("a %s without a name", role)
			}
		}
	}
	for _, want := range []string{"heading CONTROL stage", "heading Machine stage", "heading Clusters", "heading Events", "search ", "textbox Server id", "button Where is it?", "main ", "banner ",
		"checkbox only those that are not well", "table Clusters", "columnheader Last exit", "rowheader 1", "cell ✕ failed", "group Shards of cluster 0", "status ",
		"button Shard 3: identifying, 49 ms, 13.5 events/s", "button Shard 4: ready, 42 ms, 12.5 events/s", "button Shard 31: idle or not known, 42 ms, 12.5 events/s", "list Shards by state"} {
		if there[want] == 0 {
			t.Errorf("no %s", want)
		}
	}
	// The summary and the answer of the search.
	if there["row"] != 5 || there["columnheader"] != 9 || there["status"] != 2 {
		t.Errorf("%d rows, %d columns, %d of status", there["row"], there["columnheader"], there["status"])
	}
	if t.Failed() {
		t.Logf("%v", there)
	}
	if got := b.text(`document.querySelectorAll("[aria-live]").length`); got != "0" {
		t.Errorf("%s more live regions", got)
	}
}

// contrasts returns the texts with a contrast below 4.5 to 1 (WCAG 2.2, 1.4.3).
const contrasts = `(() => {
	const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
	const luminance = (color) => {
		paint.fillStyle = color; paint.fillRect(0, 0, 1, 1);
		const [r, g, b] = [...paint.getImageData(0, 0, 1, 1).data].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const behind = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (c !== "rgba(0, 0, 0, 0)") return c; } return "white"; };
	const bad = new Set();
	for (const e of document.querySelectorAll("body *")) {
		const spoken = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) || e.dataset.mark;
		if (!spoken || !e.checkVisibility()) continue;
		const [a, b] = [luminance(getComputedStyle(e).color), luminance(behind(e))].sort((a, b) => b - a);
		if ((a + 0.05) / (b + 0.05) < 4.5) bad.add(e.tagName + "." + e.className + " " + ((a + 0.05) / (b + 0.05)).toFixed(2));
	}
	return [...bad].join(", ");
})()`

// Light and dark, wide and on a phone: every text is readable, and nothing is wider than the
// window.
func TestPageLooks(t *testing.T) {
	b := browse(t)
	s, at := set(t, 4*perCluster, admin.Options{})
	s.giveUp(2, "exit code 3")
	for i, state := range []messages.ShardState{messages.ShardIdle, messages.ShardWaitingPermit, messages.ShardConnecting, messages.ShardIdentifying, messages.ShardResuming,
		messages.ShardDisconnected, messages.ShardFailed} {
		s.turn(i, state)
	}
	b.open("http://" + at)
	for _, c := range []struct {
		name          string
		width, height int
		scheme        string
	}{{"wide-light", 1280, 900, "light"}, {"wide-dark", 1280, 900, "dark"}, {"phone-light", 390, 844, "light"}, {"phone-dark", 390, 844, "dark"}} {
		b.look(c.width, c.height, c.scheme)
		b.until(fmt.Sprintf(`innerWidth === %d && matchMedia("(prefers-color-scheme: %s)").matches`, c.width, c.scheme))
		if bad := b.text(contrasts); bad != "" {
			t.Errorf("%s: hard to read: %s", c.name, bad)
		}
		if wide := b.text(`document.documentElement.scrollWidth`); wide != fmt.Sprint(c.width) {
			t.Errorf("%s: %s pixels wide", c.name, wide)
		}
		b.shoot("page-" + c.name)
	}
	b.eval(`document.querySelector("#ill").click()`, nil)
	if got := b.text(`[...document.querySelectorAll("tbody")].filter((b) => b.checkVisibility()).length`); got != "2" {
		t.Errorf("%s clusters are not well, want 2", got)
	}
}

// The page shows changes at once, by the stream alone: its refresh after 5 s never runs here. A
// page that loses the stream shows that, and is right again when the stream is back, though it
// missed events.
func TestPageStream(t *testing.T) {
	b := browse(t)
	s, at := set(t, 2*perCluster, admin.Options{})
	b.do("Page.addScriptToEvaluateOnNewDocument", map[string]any{"source": `const soon = setTimeout; window.setTimeout = (f, ms) => (ms < 5000 ? soon(f, ms) : 0);`}, nil)
	b.open("http://" + at)
	for _, shard := range []int{5, 3} { // the first may be in the view that comes with the stream
		s.turn(shard, messages.ShardDisconnected)
		b.until(fmt.Sprintf(`document.querySelector("button[value='%d']").className === "bad"`, shard))
	}

	s.server.Close()
	b.until(`document.querySelector("#live").textContent.startsWith("✕ not live since")`)
	s.giveUp(1, "exit code 3")
	s.turn(3, messages.ShardReady)
	s.forgetful = true
	s.serve(at, admin.Options{})
	b.until(`document.querySelector("#live").textContent === "● live"`)
	b.until(`document.querySelector("button[value='3']").className === "good" && document.querySelector("#events").textContent.includes("cluster.gave_up")`)
	if got := b.text(`document.querySelectorAll("#events > li").length`); got != "1" {
		t.Errorf("%s events", got)
	}
}

// The page of MASTER has a row for each machine, also for one that is lost.
func TestPageFleet(t *testing.T) {
	b := browse(t)
	f := &fleetStage{FleetView: messages.FleetView{State: "serving", Started: time.Now(), ShardCount: 32, ShardsReady: 32, MaxConcurrency: 16, ShardsPerCluster: 16}}
	for i, source := range []string{"m1", "m2", "m3"} {
		m := messages.FleetMachine{Source: source, Host: "box", Linked: true, Spare: i == 2, Granted: []messages.ShardRange{}, Ranges: []messages.RangeInfo{}}
		if !m.Spare {
			r := messages.ShardRange{First: 16 * i, Last: 16*i + 15}
			m.Granted, m.Ranges = append(m.Granted, r), append(m.Ranges, messages.RangeInfo{Range: r, State: messages.RangeOperational})
			m.Clusters.Serving, m.ShardsReady = 1, 16
		}
		f.Machines = append(f.Machines, m)
	}
	server := admin.New(admin.Options{}, nil, f)
	t.Cleanup(server.Close)
	at, err := server.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.do("Page.navigate", map[string]any{"url": "http://" + at}, nil)
	b.until(`document.querySelector("#live")?.textContent === "● live" && document.querySelectorAll("#machines tbody").length === 3`)
	line := func(i int) string {
		return b.text(fmt.Sprintf(`[...document.querySelectorAll("#machines tbody")[%d].rows[0].cells].map((c) => c.textContent).join("|")`, i))
	}
	for i, want := range []string{"m1|✓ linked|box|0–15 operational|16 of 16|1 serve", "m2|✓ linked|box|16–31 operational|16 of 16|1 serve", "m3|– spare|box||0 of 0|"} {
		if got := line(i); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for _, c := range []struct {
		width  int
		scheme string
	}{{1280, "light"}, {390, "dark"}} {
		b.look(c.width, 844, c.scheme)
		b.until(fmt.Sprintf("innerWidth === %d", c.width))
		if bad := b.text(contrasts); bad != "" {
			t.Errorf("hard to read: %s", bad)
		}
		if wide := b.text(`document.documentElement.scrollWidth`); wide != fmt.Sprint(c.width) {
			t.Errorf("%s pixels wide", wide)
		}
		b.shoot(fmt.Sprintf("page-fleet-%d", c.width))
	}
	b.eval(`document.querySelector("#guild").value = "81384788765712384"; document.querySelector("#whereis button").click()`, nil)
	b.until(`document.querySelector("output").textContent.startsWith("shard 2 of 32: cluster 0 on m1")`)
	f.lose(1)
	b.until(`document.querySelectorAll("#machines .bad").length === 1 && document.querySelector("#summary").textContent.includes("no link to m2")`)
	b.until(`document.querySelector("#events").textContent.includes("machine.lost")`)
}

// With a token the browser asks its user, and the page never sees the token.
func TestPageToken(t *testing.T) {
	b := browse(t)
	s, at := set(t, 2*perCluster, admin.Options{Token: authorization})
	b.open("http://operator:" + authorization + "@" + at)
	s.turn(3, messages.ShardDisconnected)
	b.until(`document.querySelector("button[value='3']").title.startsWith("Shard 3: disconnected")`)
	wantSilent(t, "the page", b.text(`document.documentElement.outerHTML + JSON.stringify(localStorage) + JSON.stringify(sessionStorage) + document.cookie`))
}
