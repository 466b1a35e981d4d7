package link

import (
	"slices"
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file holds the packets from and to MASTER.

// unreadable handles an unreadable packet. It refuses a wrong field; it drops all else and reports
// the first of each link.
func (l *Link) unreadable(e Broken) {
	switch {
	case e.Packet == "initialise" && l.state == Greeting:
		l.cannotObey(0, e.Err)
	case e.Packet != "":
		l.refuse(e.Packet, "", nil, e.Err)
	default:
		if l.broken++; l.broken == 1 {
			l.raise(messages.PacketDropped{From: "MASTER", Err: e.Err.Error()})
		}
	}
}

func (l *Link) packet(p messages.FromMaster) {
	switch p := p.(type) {
	case messages.Initialise:
		l.initialise(p)
	case messages.MasterError:
		if times, ok := l.peer.Pass(l.now); ok {
			l.raise(messages.MasterReported{Code: p.Code, Message: p.Message, Times: plan.Times(times)})
		}
	case messages.HeartbeatAck:
		l.heartbeatAck(p)
	case messages.PermitAnswer:
		l.heardClock(p.Now, time.Time{})
		l.deliver(Gate, p)
	case messages.SnapshotAsk:
		l.deliver(Sessions, p)
	case messages.SnapshotPart:
		l.deliver(Sessions, p)
	case messages.Connect:
		l.obey(messages.OrderConnect, p.ID, p.Range, func() { l.connect(p) })
	case messages.Offload:
		l.obey(messages.OrderOffload, p.ID, &p.Range, func() { l.offload(p) })
	case messages.Shutdown:
		l.obey(messages.OrderShutdown, p.ID, nil, func() { l.shutdown(p) })
	case messages.Command:
		l.obey("command "+p.Name, p.ID, nil, func() { l.command(p) })
	}
}

// info reports this machine, and what it serves, to MASTER.
func (l *Link) info() {
	if l.link == 0 || !l.announced(messages.FeatureInfo) {
		return
	}
	l.do(SendInfo{l.link, messages.Info{
		Epoch: l.memory.Epoch, Machine: l.settings.Place, ShardCount: l.settings.ShardCount, MaxConcurrency: l.settings.MaxConcurrency,
		ShardsPerCluster: l.settings.ShardsPerCluster, Ranges: l.status.Ranges, Halted: l.memory.Halted, Resumed: l.memory.Resumed, Drained: l.memory.Drained,
		Features: []string{messages.FeatureInfo, messages.FeatureHeartbeat, messages.FeaturePermits, messages.FeatureSessions, messages.FeatureOrders, messages.FeatureSnapshots},
	}, l.last})
}

// announced reports whether MASTER has a feature.
func (l *Link) announced(feature string) bool { return slices.Contains(l.features, feature) }

// reports returns what MASTER wants to hear of sessions.
func (l *Link) reports() messages.ReportSessions {
	linked := l.link != 0
	return messages.ReportSessions{On: linked && l.announced(messages.FeatureSessions), Snapshots: linked && l.announced(messages.FeatureSnapshots)}
}

// send sends a packet if MASTER announced that it takes it; an upstream MASTER takes only fatal,
// error and ack (PROTOCOL A6). Without a link the packet is dropped: the next info has what MASTER
// needs.
func (l *Link) send(p messages.FromControl) {
	takes := true
	switch p.(type) {
	case messages.Heartbeat:
		takes = l.announced(messages.FeatureHeartbeat)
	case messages.PermitRequest, messages.PermitReport:
		takes = l.announced(messages.FeaturePermits)
	case messages.SessionsMoved:
		takes = l.announced(messages.FeatureSessions)
	case messages.SnapshotAsk, messages.SnapshotPart:
		takes = l.announced(messages.FeatureSnapshots)
	}
	if l.link != 0 && takes {
		l.do(Send{l.link, p})
	}
}
