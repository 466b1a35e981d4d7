package plan

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

// raised is the time of the alerts of these tests.
var raised = time.Date(2026, 1, 2, 4, 4, 5, 678e6, time.FixedZone("", 3600))

func TestAlarming(t *testing.T) {
	for _, tc := range []struct {
		name  string
		event messages.Event
		names []string
		want  bool
	}{
		{"an error", messages.ClusterGaveUp{}, nil, true},
		{"a warning", messages.ClusterDied{}, nil, true},
		{"news", messages.ClusterReady{}, nil, false},
		{"a detail", messages.ClusterMoved{}, nil, false},
		{"a named event", messages.ClusterReady{}, []string{"cluster.died", "cluster.ready"}, true},
		{"an error that is not named", messages.ClusterGaveUp{}, []string{"cluster.died"}, false},
	} {
		if got := alarming(tc.event, tc.names); got != tc.want {
			t.Errorf("%s: got %v", tc.name, got)
		}
	}
}

// odd is an event of an operator's own.
type odd struct{ value any }

func (odd) Event() (string, messages.Level) { return "odd", messages.LevelWarn }
func (o odd) MarshalJSON() ([]byte, error)  { return json.Marshal(o.value) }

func TestLine(t *testing.T) {
	for _, tc := range []struct {
		name  string
		event messages.Event
		want  string // "": an error
	}{
		{
			"fields", messages.ClusterFatal{Cluster: 3, Shards: "30-39", CloseCode: 4004, Err: "a\n\"b\""},
			`{"event":"cluster.fatal","at":"2026-01-02T03:04:05.678Z","machine":"blade-7","level":"error","cluster":3,"shards":"30-39","close_code":4004,"err":"a\n\"b\""}` + "\n",
		},
		{"no fields", odd{struct{}{}}, `{"event":"odd","at":"2026-01-02T03:04:05.678Z","machine":"blade-7","level":"warn"}` + "\n"},
		{"no object", odd{"text"}, ""},
		{"nothing", odd{nil}, ""},
		{"no JSON", odd{func() {}}, ""},
	} {
		got, err := Line(Alert{tc.event, raised, "blade-7"})
		if string(got) != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%s: %v\n got %s\nwant %s", tc.name, err, got, tc.want)
		}
	}
}
