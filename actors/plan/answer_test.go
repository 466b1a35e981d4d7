package plan

import (
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

func TestAnswerWithin(t *testing.T) {
	for _, tt := range []struct {
		name  string
		stock bool
		t     string
		asked time.Duration
		want  time.Duration
	}{
		{"an SDK of ours", false, messages.TRequest, 0, 10 * time.Second},
		{"an SDK of ours that names its time", false, messages.TRequest, time.Minute, time.Minute},
		{"a stock eval: 60 s", true, messages.TBroadcastEval, 0, 59 * time.Second},
		{"a stock cache operation: 60 s", true, "", 0, 59 * time.Second},
		{"stock members: 100 s", true, messages.TGuildMembers, 0, 99 * time.Second},
		{"members for an SDK of ours", false, messages.TGuildMembers, 0, 10 * time.Second},
		{"a stock bot that names its time", true, messages.TBroadcastEval, time.Second, time.Second},
	} {
		if got := AnswerWithin(tt.stock, tt.t, tt.asked); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
