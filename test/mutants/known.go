package main

// survivorsKnown are mutants that lived through a few seeds when they were tried last. Each is a
// test that is missing, or an entry that is missing in equivalent.go; the list only gets shorter.
// One that a test kills by now does no harm here.
var survivorsKnown = []string{
	"actors/halt.go MasterLink.halt: drop `m.save(ctx)`",
	"actors/halt.go MasterLink.halt: without `m.memory.Halted.Token == h.Token`",
	"actors/halt.go MasterLink.halted: drop `m.save(ctx)`",
	"actors/halt.go MasterLink.halted: if true `m.memory.Halted == nil`",
	"actors/halt.go MasterLink.resume: drop `m.save(ctx)`",
	"actors/lease.go MasterLink.leased: drop `m.save(ctx)`",
	"actors/lease.go MasterLink.watchLease: wait long `min(messages.Left(m.lease.until), messages.CheckLeftEvery)`",
	"actors/master/governor.go Governor.again: drop `g.pulse.chain++`",
	"actors/master/governor.go Governor.next: drop `g.In(ctx, g.rests.Sub(now))`",
	"actors/master/governor.go Governor.next: wait long `g.rests.Sub(now)`",
	"actors/master/sessions.go Sessions.keep: without `one.Seq < k.seq`",
	"actors/masterlink.go MasterLink.dialing: wait long `time.Second`",
	"actors/masterlink.go MasterLink.greeting: wait long `greetWithin`",
	"actors/settings.go MasterLink.forgetEpochs: drop `m.save(ctx)`",
	"actors/settings.go MasterLink.initialise: if true `p.Epoch > m.memory.Epoch || drained != m.memory.Drained`",
}
