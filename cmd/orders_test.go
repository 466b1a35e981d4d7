package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/discluster/control/cmd/daemon"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/admin"
)

// controlStub is a CONTROL that answers every order with verdict and then sends the events of
// follow.
type controlStub struct {
	verdict messages.Verdict
	follow  messages.EventBatch

	received messages.Directive
}

func (s *controlStub) GetView(m messages.GetView) { m.Answer(messages.View{}) }

func (s *controlStub) Order(m messages.Order) {
	s.received = m.Directive
	m.Answer(s.verdict)
}

func (s *controlStub) Ask(m messages.Ask) { m.Answer(messages.AskAnswer{}) }

func (s *controlStub) Follow(m messages.Follow) { m.Deliver(s.follow) }

// accept-master is sent once it is confirmed, and ends when MASTER is linked or the link fails.
func TestAcceptMaster(t *testing.T) {
	given := messages.Verdict{After: 10}
	for name, c := range map[string]struct {
		verdict messages.Verdict
		follow  messages.EventBatch
		args    []string
		err     string
		want    string
		given   bool
	}{
		"linked": {given, eventBatch(messages.OrderGiven{Order: messages.OrderAccept}, messages.MasterLinked{Epoch: 6}), []string{"--yes"}, "", "epoch=6", true},
		"refused for another reason": {given, eventBatch(messages.MasterRefusedUs{CloseCode: 4001, Err: "Unauthorized"}), []string{"--yes"}, "accept-master: Unauthorized",
			"close_code=4001", true},
		"no MASTER":      {given, eventBatch(messages.MasterUnreachable{Err: "connection refused"}), []string{"--yes"}, "accept-master: connection refused", "", true},
		"nothing to do":  {messages.Verdict{Refusal: messages.RefusedNow, Reason: "MASTER is linked"}, messages.EventBatch{}, []string{"--yes"}, "MASTER is linked", "", true},
		"not waited for": {given, messages.EventBatch{}, []string{"--yes", "--no-wait"}, "", "", true},
		"not confirmed":  {given, messages.EventBatch{}, nil, "confirm with --yes", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "") // t.TempDir is too long for a socket
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			stub := &controlStub{verdict: c.verdict, follow: c.follow}
			server := admin.New(admin.Options{}, stub, nil)
			t.Cleanup(server.Close)
			if err := server.ListenUnix(filepath.Join(dir, daemon.AdminSocket)); err != nil {
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
			if _, is := stub.received.(messages.AcceptMaster); is != c.given {
				t.Errorf("CONTROL received %+v", stub.received)
			}
		})
	}
}

// The wait for an order ends with its success, another order or a halt.
func TestOrdersEnd(t *testing.T) {
	for _, c := range []struct {
		name  string
		ends  func(event) (bool, error)
		event event
		over  bool
		err   string
	}{
		{"up", startEnded, event{name: "cluster.ready"}, true, ""},
		{"taken back", startEnded, event{name: "cluster.adopted"}, true, ""},
		{"up, by itself", startEnded, event{name: "order.given", field: map[string]any{"order": "restart"}}, false, ""},
		{"up, and stopped", startEnded, event{name: "order.given", field: map[string]any{"order": "stop"}}, true, "superseded by another order: stop"},
		{"up, and drained", startEnded, event{name: "order.given", field: map[string]any{"order": "drain"}}, true, "superseded by another order: drain"},
		{"up, and halted", startEnded, event{name: "fleet.halted"}, true, "fleet.halted"},
		{"down", stopEnded, event{name: "cluster.stopped"}, true, ""},
		{"down, by itself", stopEnded, event{name: "order.given", field: map[string]any{"order": "drain"}}, false, ""},
		{"down, and up", stopEnded, event{name: "order.given", field: map[string]any{"order": "restart"}}, true, "superseded by another order: restart"},
	} {
		over, err := c.ends(c.event)
		if over != c.over || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, %v; want %v, %q", c.name, over, err, c.over, c.err)
		}
	}
}
