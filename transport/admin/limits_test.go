package admin

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

// A client that sends more requests than people do must wait; reads and changes count apart.
func TestTooMany(t *testing.T) {
	s, at := serve(t, Options{}, &stub{})
	s.visits.of("127.0.0.1").changes = bucket{}
	if status, answer := request(t, at, "POST", "/api/v1/rolling-restart", "", asJSON); status != http.StatusTooManyRequests {
		t.Errorf("%d %s", status, answer)
	}
	if status, answer := request(t, at, "GET", "/api/v1/machine", ""); status != http.StatusOK {
		t.Errorf("%d %s", status, answer)
	}
}

func TestBudget(t *testing.T) {
	b, now := newBudget(), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i := range changesAtOnce {
		if !b.take(false, 1, now) {
			t.Fatalf("change %d is refused", i)
		}
	}
	for _, c := range []struct {
		read bool
		at   time.Duration
		want bool
	}{{false, 0, false}, {true, 0, true}, {false, 199 * time.Millisecond, false}, {false, 200 * time.Millisecond, true}, {false, 200 * time.Millisecond, false}, {false, -time.Hour, false}} {
		if got := b.take(c.read, 1, now.Add(c.at)); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// Idle connections shut no client out: neither the unix socket nor a probe over TCP.
func TestIdleConnections(t *testing.T) {
	dir := t.TempDir()
	s, at := serve(t, Options{}, &stub{view: aView()})
	path := filepath.Join(dir, "s")
	if err := s.ListenUnix(path); err != nil {
		t.Fatal(err)
	}
	for range connsMax + 50 {
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	if status, _ := request(t, at, "GET", "/healthz", ""); status != http.StatusOK {
		t.Errorf("%d over TCP", status)
	}
	local := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}, Timeout: 5 * time.Second}
	defer local.CloseIdleConnections()
	answer, err := local.Get("http://x/api/v1/machine")
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("over the unix socket: %v, %v", answer, err)
	}
	answer.Body.Close()
}

// A client that guesses tokens is slowed down, reported once, and disconnected; another address and
// the unix socket are not affected.
func TestWrongTokens(t *testing.T) {
	var got []messages.AdminRefused
	s, at := serve(t, Options{Token: "the right token", Refused: func(e messages.AdminRefused) { got = append(got, e) }}, &stub{view: aView()})
	guess := func(token string) (int, string) {
		r, err := http.NewRequest("GET", "http://"+at+"/api/v1/machine", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK && !answer.Close {
			t.Errorf("%d, and the connection is kept", answer.StatusCode)
		}
		return answer.StatusCode, answer.Header.Get("Retry-After")
	}
	refused, throttled, began := 0, 0, time.Now()
	for range 40 {
		switch status, after := guess("a wrong token"); {
		case status == http.StatusUnauthorized:
			refused++
		case status == http.StatusTooManyRequests && after != "":
			throttled++
		}
	}
	most := changesAtOnce + int(time.Since(began).Seconds()*changesPerSecond)
	if refused+throttled != 40 || refused > most {
		t.Errorf("of 40 wrong tokens %d were looked at, want %d at most; %d throttled", refused, most, throttled)
	}
	if len(got) != 1 || got[0].Remote != "127.0.0.1" || got[0].Status != http.StatusUnauthorized || got[0].Refused != 1 {
		t.Errorf("got %+v", got)
	}
	s.visits.of("127.0.0.1").reads.left = readsAtOnce
	if status, _ := guess("the right token"); status != http.StatusOK {
		t.Errorf("%d with the right token", status)
	}
}

func TestVisits(t *testing.T) {
	var v visits
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i := range 3 * visitorsMax {
		from := fmt.Sprint("10.0.", i/256, ".", i%256)
		if !v.take(from, true, 1, now.Add(time.Duration(i)*time.Millisecond)) {
			t.Fatalf("%s: the budget of another is used up", from)
		}
	}
	if len(v.all) != visitorsMax {
		t.Errorf("%d visitors are kept, want %d", len(v.all), visitorsMax)
	}
	var k rejections
	if first, second, later := k.count(now), k.count(now.Add(time.Second)), k.count(now.Add(reportEvery)); first != 1 || second != 0 || later != 2 {
		t.Errorf("got %d, %d, %d", first, second, later)
	}
}
