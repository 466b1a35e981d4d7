package plan_test

import (
	"testing"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

func TestJudge(t *testing.T) {
	one := func(s messages.ClusterState) plan.Machine {
		return plan.Machine{Clusters: map[messages.ClusterID]messages.ClusterState{3: s}}
	}
	rolling := one(messages.ClusterServing)
	rolling.Rolling = true
	for name, c := range map[string]struct {
		order  messages.Directive
		at     plan.Machine
		want   messages.Refusal
		reason string
	}{
		"restart what serves":        {messages.RestartCluster{Cluster: 3}, one(messages.ClusterServing), "", ""},
		"restart what failed":        {messages.RestartCluster{Cluster: 3}, one(messages.ClusterFailed), "", ""},
		"restart a stopped cluster":  {messages.RestartCluster{Cluster: 3, Fresh: true}, one(messages.ClusterStopped), "", ""},
		"restart no cluster":         {messages.RestartCluster{Cluster: 4}, one(messages.ClusterServing), messages.RefusedUnknown, "cluster 4 is not of this machine"},
		"stop what waits":            {messages.StopCluster{Cluster: 3}, one(messages.ClusterWaiting), "", ""},
		"stop a stopped cluster":     {messages.StopCluster{Cluster: 3}, one(messages.ClusterStopped), messages.RefusedNow, "cluster 3 is stopped: it has no process"},
		"drain what serves":          {messages.DrainCluster{Cluster: 3}, one(messages.ClusterServing), "", ""},
		"drain what failed":          {messages.DrainCluster{Cluster: 3}, one(messages.ClusterFailed), messages.RefusedNow, "cluster 3 is failed: it has no process"},
		"drain no cluster":           {messages.DrainCluster{Cluster: 0}, one(messages.ClusterServing), messages.RefusedUnknown, "cluster 0 is not of this machine"},
		"accept MASTER":              {messages.AcceptMaster{}, plan.Machine{}, "", ""},
		"accept while linked":        {messages.AcceptMaster{}, plan.Machine{Linked: true}, messages.RefusedNow, "MASTER is linked, and obeyed: there is nothing to accept"},
		"rolling restart":            {messages.RollingRestart{}, one(messages.ClusterServing), "", ""},
		"rolling restart, twice":     {messages.RollingRestart{}, rolling, messages.RefusedNow, "a rolling restart is under way"},
		"rolling restart of nothing": {messages.RollingRestart{}, one(messages.ClusterConnecting), messages.RefusedNow, "no cluster serves: there is nothing to restart"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, reason := plan.Judge(c.order, c.at); got != c.want || reason != c.reason {
				t.Errorf("%q %q, want %q %q", got, reason, c.want, c.reason)
			}
		})
	}
}
