package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/admin"
)

// controlStub is a CONTROL that answers every order alike, and then tells this.
type controlStub struct {
	verdict messages.Verdict
	follow  messages.Telling

	given messages.Directive
}

func (s *controlStub) Look(m messages.Look) { m.Answer(messages.View{}) }

func (s *controlStub) Order(m messages.Order) {
	s.given = m.Directive
	m.Answer(s.verdict)
}

func (s *controlStub) Follow(m messages.Follow) { m.Tell(s.follow) }

// accept-master is passed on when it is meant, and ends with the link, or with why there is none.
func TestAcceptMaster(t *testing.T) {
	given := messages.Verdict{After: 10}
	for name, c := range map[string]struct {
		verdict messages.Verdict
		follow  messages.Telling
		args    []string
		err     string
		want    string
		given   bool
	}{
		"linked": {given, tells(messages.OrderGiven{Order: messages.OrderAccept}, messages.MasterLinked{Epoch: 6}), []string{"--yes"}, "", "epoch=6", true},
		"refused for another reason": {given, tells(messages.MasterRefusedUs{CloseCode: 4001, Err: "Unauthorized"}), []string{"--yes"}, "accept-master: Unauthorized",
			"close_code=4001", true},
		"nobody there":   {given, tells(messages.MasterUnreachable{Err: "connection refused"}), []string{"--yes"}, "accept-master: connection refused", "", true},
		"nothing to do":  {messages.Verdict{Refusal: messages.RefusedNow, Reason: "MASTER is linked"}, messages.Telling{}, []string{"--yes"}, "MASTER is linked", "", true},
		"not waited for": {given, messages.Telling{}, []string{"--yes", "--no-wait"}, "", "", true},
		"not meant":      {given, messages.Telling{}, nil, "say --yes", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "") // whose name is short enough for a socket
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			stub := &controlStub{verdict: c.verdict, follow: c.follow}
			server := admin.New(admin.Options{}, stub, nil)
			t.Cleanup(server.Close)
			if err := server.ListenUnix(filepath.Join(dir, adminSocket)); err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			command := acceptMasterCommand()
			command.SetArgs(append([]string{"--state.dir", dir}, c.args...))
			command.SetOut(&text)
			command.SilenceUsage, command.SilenceErrors = true, true
			err = command.ExecuteContext(t.Context())
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("%v, want %q", err, c.err)
			}
			if !strings.Contains(text.String(), c.want) {
				t.Errorf("%q, want %q", text.String(), c.want)
			}
			if _, is := stub.given.(messages.AcceptMaster); is != c.given {
				t.Errorf("CONTROL was given %+v", stub.given)
			}
		})
	}
}

// What ends the wait for an order, beside what was wanted: another order, a halt.
func TestOrdersEnd(t *testing.T) {
	for _, c := range []struct {
		name  string
		ends  func(event) (bool, error)
		event event
		over  bool
		err   string
	}{
		{"up", comesUp, event{name: "cluster.ready"}, true, ""},
		{"taken back", comesUp, event{name: "cluster.adopted"}, true, ""},
		{"up, by itself", comesUp, event{name: "order.given", field: map[string]any{"order": "restart"}}, false, ""},
		{"up, and stopped", comesUp, event{name: "order.given", field: map[string]any{"order": "stop"}}, true, "stop was ordered meanwhile"},
		{"up, and drained", comesUp, event{name: "order.given", field: map[string]any{"order": "drain"}}, true, "drain was ordered meanwhile"},
		{"up, and halted", comesUp, event{name: "fleet.halted"}, true, "fleet.halted"},
		{"down", goesDown, event{name: "cluster.stopped"}, true, ""},
		{"down, by itself", goesDown, event{name: "order.given", field: map[string]any{"order": "drain"}}, false, ""},
		{"down, and up", goesDown, event{name: "order.given", field: map[string]any{"order": "restart"}}, true, "a restart was ordered meanwhile"},
	} {
		over, err := c.ends(c.event)
		if over != c.over || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, %v; want %v, %q", c.name, over, err, c.over, c.err)
		}
	}
}
