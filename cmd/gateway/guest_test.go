package gateway

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/bot"
	"github.com/discluster/control/transport/guest"
)

// guestOf returns a manager with a bot, whose end of the channel it returns.
func guestOf(t *testing.T, kind guest.Kind) (*manager, *net.UnixConn, *bufio.Scanner) {
	t.Helper()
	m, err := newManager(string(kind), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	m.place = guest.Place{Clusters: 2, Shards: []int{0}, ShardCount: 2}
	m.open = &openCalls{path: filepath.Join(t.TempDir(), "calls")}
	m.cut = filepath.Join(t.TempDir(), "cut")
	own, bots, err := guest.Pair()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.begin(own); err != nil {
		t.Fatal(err)
	}
	conn, err := net.FileConn(bots)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = own.Close(), bots.Close()
	t.Cleanup(func() { _ = conn.Close() })
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, 16<<20)
	return m, conn.(*net.UnixConn), lines
}

// questions asks a manager as other clusters do, and returns the answers.
func (m *manager) questions(within time.Duration, all ...bot.GuestCall) <-chan string {
	answers := make(chan string, len(all))
	for _, c := range all {
		c.Within = within
		c.Answer = func(value json.RawMessage, thrown *messages.FailureError) {
			if thrown != nil {
				value = json.RawMessage(thrown.Name + ": " + thrown.Message + thrown.Stack)
			}
			answers <- string(value)
		}
		m.asked(c)
	}
	return answers
}

func eval(script string) bot.GuestCall {
	return bot.GuestCall{Eval: true, Data: json.RawMessage(`"` + script + `"`)}
}

// A question of another cluster is answered by the bot; or in time, at its end, and where there is
// none.
func TestGuestAnswers(t *testing.T) {
	m, conn, lines := guestOf(t, guest.DiscordJS)
	say := func(line string) {
		t.Helper()
		if _, err := conn.Write([]byte(line + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	hears := func(want string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != want {
			t.Errorf("the bot reads %q, want %q", lines.Text(), want)
		}
	}
	got := m.questions(time.Minute, eval("1"), eval("1"), bot.GuestCall{Data: json.RawMessage(`{"read":"a.b"}`)})
	hears(`{"_eval":"1"}`)
	hears(`{"_eval":"1/*1*/"}`)
	hears(`{"_fetchProp":"a.b"}`)
	say(`{"_eval":"1/*1*/","_result":"\ud800"}`)
	say(`{"_fetchProp":"a.b"}`)
	say(`{"_eval":"1","_error":{"name":"E","message":"m","stack":"s"}}`)
	for _, want := range []string{`{"result":"\ud800"}`, `{}`, `E: ms`} {
		if a := <-got; a != want {
			t.Errorf("answer %s, want %s", a, want)
		}
	}
	for _, c := range []struct {
		call bot.GuestCall
		want string
	}{
		{bot.GuestCall{Data: json.RawMessage(`{"read":""}`)}, "the path of the property is empty"},
		{bot.GuestCall{Data: json.RawMessage(`{}`)}, "its host does not know this request"},
		{bot.GuestCall{Data: json.RawMessage(`7`)}, "its host cannot read the request"},
		{bot.GuestCall{Data: json.RawMessage(`{"maintain":{}}`)}, "{}"},
		{bot.GuestCall{Eval: true, Data: json.RawMessage(`7`)}, "is not a text"},
		{eval(strings.Repeat("x", guest.LineMax)), "want at most 8388608"},
	} {
		if a := <-m.questions(time.Minute, c.call); !strings.Contains(a, c.want) {
			t.Errorf("answer %s, want %s", a, c.want)
		}
	}
	if a := <-m.questions(time.Millisecond, eval("late")); a != "Error: cluster 0: its bot did not answer in time" {
		t.Errorf("late: %s", a)
	}
	got = m.questions(time.Minute, eval("dies"))
	_ = conn.Close()
	if a := <-got; a != "Error: cluster 0: its bot died before it answered, or closed its channel" {
		t.Errorf("death: %s", a)
	}
	if a := <-m.questions(time.Minute, eval("dead")); a != "Error: cluster 0: its bot does not run" {
		t.Errorf("after the death: %s", a)
	}
	m.ended()
}

// A process that ends fails its questions, even where another process still has its channel.
func TestGuestEnds(t *testing.T) {
	m, _, _ := guestOf(t, guest.Hybrid)
	got := m.questions(time.Minute, eval("1"))
	m.ended()
	m.ended()
	if a := <-got; a != "Error: cluster 0: its bot died before it answered" {
		t.Errorf("answer %s", a)
	}
}

// What a bot asks of a manager that runs no code is refused, and a file that it passes.
func TestGuestRefuses(t *testing.T) {
	_, conn, lines := guestOf(t, guest.Hybrid)
	if _, err := conn.Write([]byte("{\"cmd\":\"NODE_HANDLE\"}\n\"stray\"\n{\"_type\":15}\n{\"_type\":18,\"nonce\":\"n\",\"_eval\":\"1\"}\n")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`{"cmd":"NODE_HANDLE_NACK"}`, `evalOnManager is refused`} {
		if !lines.Scan() || !strings.Contains(lines.Text(), want) {
			t.Errorf("the bot reads %q, want %q", lines.Text(), want)
		}
	}
}

func TestNoSuchManager(t *testing.T) {
	if _, err := newManager("eris", nil); err == nil || !strings.Contains(err.Error(), "want discordjs, hybrid or none") {
		t.Errorf("%v", err)
	}
	m, err := newManager("", nil)
	if err != nil || len(m.options()) > 0 || m.take(1, 1) != "" {
		t.Errorf("none: %+v, %v", m, err)
	}
	m.ended()
}

// The next host finds the calls that have no answer, in their order; what is torn is none.
func TestOpenCalls(t *testing.T) {
	o := &openCalls{path: filepath.Join(t.TempDir(), "calls")}
	lost := func() (all []string) {
		for _, key := range (&openCalls{path: o.path}).lost() {
			if line := guest.Lost(key); line != nil {
				all = append(all, strings.TrimSuffix(string(line), `,"_error":{"name":"Error","message":"the gateway host of this bot died before it answered",`+
					`"stack":"Error: the gateway host of this bot died before it answered\n    at CONTROL"}}`))
			}
		}
		return all
	}
	if got := lost(); got != nil {
		t.Errorf("at first %q", got)
	}
	a, b := o.begin([]byte(`"_sEval":"a"`)), o.begin([]byte(`"_sEval":"b c"`))
	o.begin([]byte(`"_sEval":"c"`))
	o.end(a)
	if got := lost(); !slices.Equal(got, []string{`{"_sEval":"b c"`, `{"_sEval":"c"`}) {
		t.Errorf("lost %q", got)
	}
	o.end(b)
	file, err := os.OpenFile(o.path, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = file.WriteString("\n+x y\n- \n+9 {\n+10 \"_sEval\":\"torn\"")
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := lost(); !slices.Equal(got, []string{`{"_sEval":"c"`}) {
		t.Errorf("with garbage %q", got)
	}
	o.reset()
	if got := lost(); got != nil {
		t.Errorf("after reset %q", got)
	}
	for range 3 {
		o.end(o.begin([]byte(strings.Repeat("x", openCallsMax))))
	}
	if info, err := os.Stat(o.path); err != nil || info.Size() > 2*openCallsMax {
		t.Errorf("the file grows: %v, %v", info, err)
	}
}

// A bot whose host died while it wrote a long line is not taken.
func TestCutLine(t *testing.T) {
	m, _, _ := guestOf(t, guest.DiscordJS)
	m.cuts(true)
	if why := m.take(os.Getpid(), 1); why != "its host died while it wrote to the bot's channel" {
		t.Errorf("why %q", why)
	}
	m.cuts(false)
	if why := m.take(os.Getpid(), 1); !strings.HasPrefix(why, "this host cannot take over its channel: ") {
		t.Errorf("why %q", why)
	}
}

// A bot that makes calls while it does not read gets an answer to each once it reads: a call
// without one never ends.
func TestCallsOfBotThatDoesNotRead(t *testing.T) {
	m, conn, lines := guestOf(t, guest.DiscordJS)
	t.Cleanup(m.ended)
	large := []byte(strings.Repeat("1", 16<<10))
	fill := 0
	for m.run.channel.Send(slices.Clone(large)) == nil {
		fill++
	}
	const calls = 64
	go func() {
		script := strings.Repeat("x", 16<<10)
		for i := range calls {
			if _, err := fmt.Fprintf(conn, "{\"_sEval\":\"%d%s\",\"_sEvalShard\":9}\n", i, script); err != nil {
				t.Error(err)
			}
		}
	}()
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil { // a lost answer must not hang the test
		t.Fatal(err)
	}
	for range fill {
		lines.Scan()
	}
	for i := range calls {
		lines.Scan()
		if begin := fmt.Sprintf("{\"_sEval\":\"%dx", i); !strings.HasPrefix(lines.Text(), begin) || !strings.Contains(lines.Text(), "_error") {
			t.Fatalf("answer %d is %.40q, %v", i, lines.Text(), lines.Err())
		}
	}
}
