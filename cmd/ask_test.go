package cmd

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/discluster/control/cmd/daemon"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/admin"
)

// askStub is a CONTROL of two clusters of which one answers.
type askStub struct {
	controlStub
	answer messages.AskAnswer
	asked  *messages.Ask
}

func (s *askStub) GetView(m messages.GetView) {
	m.Answer(messages.View{Clusters: []messages.ClusterView{{Cluster: 3, Shards: messages.ShardRange{First: 6, Last: 7}, State: messages.ClusterServing}}})
}

func (s *askStub) Ask(m messages.Ask) {
	s.asked = &m
	m.Answer(s.answer)
}

// ask prints a row for each cluster, and fails where one did not answer.
func TestAsk(t *testing.T) {
	both := messages.AskAnswer{Results: []messages.AskResult{{Cluster: 1, Value: json.RawMessage(`{"up":true}`)}, {Cluster: 2, Value: json.RawMessage("\"a\u0085\"")}}}
	partial := messages.AskAnswer{Results: both.Results[:1], Errors: []messages.AskError{{Cluster: 0, Err: "its handler\nfailed\x1b[2J"}}}
	for name, c := range map[string]struct {
		answer messages.AskAnswer
		args   []string
		err    string
		code   int
		want   string
		data   string // that CONTROL gets
	}{
		"all answer":           {both, []string{"all", "up"}, "", 0, "CLUSTER  ANSWER\n1        {\"up\":true}\n2        \"a\\u0085\"\n", ""},
		"with a value":         {both, []string{"3", "up", `{"a":1}`}, "", 0, "CLUSTER", `{"a":1}`},
		"one does not":         {partial, []string{"all", "up"}, "no value from 1 of 2 clusters", exitFailed, "CLUSTER  ANSWER\n0        error: its handler\\nfailed\\x1b[2J\n1        {\"up\":true}\n", ""},
		"in JSON":              {partial, []string{"all", "up", "--json"}, "1 of 2", exitFailed, `{"results":[{"cluster":1,"value":{"up":true}}],"errors":[{"cluster":0,"error":"its handler\nfailed\u001b[2J"}]}` + "\n", ""},
		"refused":              {messages.AskAnswer{Refusal: messages.RefusedUnknown, Reason: "cluster 9 is not of this machine"}, []string{"9", "up"}, "cluster 9 is not of this machine", exitFailed, "", ""},
		"no target":            {both, []string{"some", "up"}, `target "some": want all, the number of a cluster, or the id of a server, which has 17 digits or more`, exitUsage, "", "-"},
		"too short a server":   {both, []string{"16777216", "up"}, `target "16777216": want all, the number of a cluster, or the id of a server, which has 17 digits or more`, exitUsage, "", "-"},
		"a value that is none": {both, []string{"all", "up", "{a:1}"}, `value "{a:1}": want JSON`, exitUsage, "", "-"},
		"too long a time":      {both, []string{"all", "up", "--timeout", "6m"}, "--timeout 6m0s: want 1ms to 5m0s", exitUsage, "", "-"},
		"no handler":           {both, []string{"all"}, "not 1 arguments", exitUsage, "", "-"},
		"a value in words":     {both, []string{"all", "up", "{", "}"}, "not 4 arguments", exitUsage, "", "-"},
	} {
		t.Run(name, func(t *testing.T) {
			stub := &askStub{answer: c.answer}
			text, err := stub.run(t, c.args...)
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("%v, want %q", err, c.err)
			}
			if err != nil && (&program{parsed: true}).exitCode(err) != c.code {
				t.Errorf("exit %d, want %d", (&program{parsed: true}).exitCode(err), c.code)
			}
			if !strings.HasPrefix(text, c.want) {
				t.Errorf("%q, want %q", text, c.want)
			}
			if (stub.asked != nil) != (c.data != "-") || stub.asked != nil && string(stub.asked.Data) != c.data {
				t.Errorf("CONTROL received %+v, want %q", stub.asked, c.data)
			}
		})
	}
}

// The first argument is completed, the others cannot be.
func TestAskCompletes(t *testing.T) {
	for args, want := range map[string]string{"": "3\tshards 6-7, serving\nall\tevery cluster of this machine\n:4\n", "all": ":4\n"} {
		given := []string{"__complete", "ask", "--state.dir", "DIR"}
		if args != "" {
			given = append(given, args)
		}
		text, err := (&askStub{}).run(t, append(given, "")...)
		if err != nil || text != want {
			t.Errorf("%q: %q, %v, want %q", args, text, err, want)
		}
	}
}

// run runs ask, or the arguments as they are where they begin with __complete, on the CONTROL.
func (s *askStub) run(t *testing.T, args ...string) (output string, err error) {
	t.Helper()
	dir, err := os.MkdirTemp("", "") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	server := admin.New(admin.Options{}, s, nil)
	t.Cleanup(server.Close)
	if err := server.ListenUnix(filepath.Join(dir, daemon.AdminSocket)); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	root := (&program{}).root()
	if args[0] == "__complete" {
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "DIR", dir)
		}
	} else {
		args = append([]string{"ask", "--state.dir", dir}, args...)
	}
	root.SetArgs(args)
	root.SetOut(&text)
	root.SetErr(new(strings.Builder))
	err = root.ExecuteContext(t.Context())
	return text.String(), err
}
