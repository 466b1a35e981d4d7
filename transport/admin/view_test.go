package admin

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/discluster/control/messages"
)

// The kernel's figures of a cluster's process are in every answer with the cluster; its reasons for
// giving up, which are long, only in its own.
func TestClusterAnswers(t *testing.T) {
	v := aView()
	v.Clusters[1].PID = os.Getpid()
	_, at := serve(t, Options{}, &stub{view: v})
	for _, path := range []string{"/api/v1/machine", "/api/v1/clusters", "/api/v1/clusters/1"} {
		_, text := request(t, at, "GET", path, "")
		var got struct {
			messages.ClusterView
			Clusters []messages.ClusterView
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		one, alone := got.ClusterView, len(got.Clusters) == 0
		if !alone {
			one = got.Clusters[1]
		}
		if one.Resident < 1<<20 || one.UptimeMS < 0 || one.PID != os.Getpid() {
			t.Errorf("%s: %+v", path, one)
		}
		if (one.GaveUp != nil) != alone || strings.Contains(text, "last words") != alone {
			t.Errorf("%s: gave up %+v", path, one.GaveUp)
		}
	}
}

// Ten thousand shards make one small answer.
func TestSmallAnswer(t *testing.T) {
	v := aView()
	one := v.Clusters[0]
	one.States, one.LatencyMS = strings.Repeat("R", 10), slices.Repeat([]messages.Milliseconds{123}, 10)
	one.Events = slices.Repeat([]float64{123.4}, 10)
	one.Lagging, one.Deaf = nil, nil
	for kind, most := range map[string]int{"behind gateway hosts": 576 << 10, "of SDK bots": 384 << 10} {
		if one.Waiting, one.WaitingMS, one.Host = nil, nil, nil; most > 384<<10 {
			one.Host = v.Clusters[0].Host
			one.Waiting, one.WaitingMS = slices.Repeat([]int{12}, 10), slices.Repeat([]messages.Milliseconds{12345}, 10)
		}
		v.Clusters = slices.Repeat([]messages.ClusterView{one}, 1000)
		_, at := serve(t, Options{}, &stub{view: v})
		_, answer := request(t, at, "GET", "/api/v1/machine", "")
		if len(answer) > most {
			t.Errorf("%d bytes of 10,000 shards %s", len(answer), kind)
		}
		t.Logf("%d bytes of 10,000 shards %s", len(answer), kind)
	}
}
