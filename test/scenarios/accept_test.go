package scenarios

import (
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/mockmaster"
)

// The MASTER that is left is an outdated one: it is refused until an operator accepts it. Then it
// is obeyed at once, nothing that is served is harmed, and the next run of CONTROL obeys it as
// well.
func TestAcceptMaster(t *testing.T) {
	seeds(t, func(f *fleet) {
		now := initialise(32, 16)
		now.Epoch = 7
		m := f.alone(32, 16, ours(now), nil, withStatus)
		f.serve(m, "c", 0, 15)
		want(f, "while MASTER is obeyed", f.orders(m, messages.AcceptMaster{}).Refusal, messages.RefusedNow)
		f.commands(m, "r", messages.CommandResumeFleet, messages.Halt{Code: 4014, Token: token.Fingerprint(), Epoch: 7})
		f.must("it remembers the end of a halt", time.Second, f.ended(m, "r", ""))
		now.Epoch = 6
		f.master.Change(func(o *mockmaster.Options) { o.Initialise = now })
		f.net.Drop("m1", "master")
		f.must("the refusal", 5*time.Second, f.sawN("master.refused", 1))
		if e := last[messages.MasterRefusedUs](f); e.CloseCode != messages.CloseStaleEpoch || !strings.Contains(e.Err, "`control accept-master`") {
			t.Errorf("refused with %d: %q", e.CloseCode, e.Err)
		}
		f.pass(time.Duration(1+f.loop.Rand.IntN(70)) * time.Second)
		want(f, "links", f.saw("master.linked"), 1)
		want(f, "accepted", f.orders(m, messages.AcceptMaster{}).Refusal, "")
		f.must("the link, at once", time.Second, f.sawN("master.linked", 2))
		f.must("its own report of it", time.Second, func() bool {
			all := sent[messages.Info](f, m)
			i := all[len(all)-1]
			return i.Epoch == 6 && len(i.Ranges) == 1 && i.Ranges[0].Epoch <= 6
		})
		f.connect(m, "d", 16, 31)
		f.must("it is obeyed", time.Minute, f.acked(m, "d", "operational"))
		want(f, "identifies", f.identifies(), 32)
		f.crash(m)
		f.pass(time.Second)
		f.boot(m, withStatus)
		f.must("linked again", 5*time.Second, f.sawN("master.linked", 3))
		want(f, "refusals", f.saw("master.refused"), 1)
		f.pass(time.Minute)
		want(f, "owned", f.owned(32)(), true)
		f.master.Send("m1", messages.Shutdown{ID: "s", Halt: &messages.Halt{Code: 4014, Token: token.Fingerprint(), Epoch: 6}})
		f.must("it is halted", 10*time.Second, func() bool { return f.saw("fleet.halted") == 1 && len(m.Processes()) == 0 })
	})
}
