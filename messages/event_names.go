package messages

import "slices"

// eventKinds is one of each kind of event. A test checks that it is complete.
var eventKinds = []Event{
	MasterLinked{}, MasterLost{}, MasterUnreachable{}, MasterRefusedUs{}, LeaseLost{}, OrderRefused{}, PacketDropped{}, MasterReported{},
	RangeMoved{}, ClusterMoved{}, ShardMoved{}, ClusterReady{}, ClusterAdopted{}, ClusterDied{}, BotDied{}, BotSilent{}, ClusterGaveUp{}, ClusterHeld{}, ClusterFatal{}, ClusterStoppedByOrder{},
	FleetHalted{}, FleetResumed{}, ClusterIdentifyStorm{}, DiscordOutage{}, ShardStuck{}, ShardDeaf{}, ShardLagging{}, RollingRestartMoved{}, OrderGiven{}, AdminUnavailable{}, AdminRefused{}, Identified{},
	ClusterFlapping{}, IdentifyUnpaced{}, ControlBroken{}, ControlStalled{}, OperationsRefused{}, StateUnwritable{}, LogsMoved{}, LogsUnkept{}, AlertsLost{},
	MachineJoined{}, MachineLeft{}, MachineLost{}, MachineReplaced{}, MachineForgotten{}, FleetDoubled{}, MachineOutdated{}, MachineRefused{}, MachineDuplicate{}, MachineReported{},
	FleetAsked{}, FleetPlaced{}, FleetOperational{}, IdentifiesHeld{}, IdentifyBudgetLow{}, IdentifyImpossible{}, IdentifyUnaccounted{}, ShardsRecommended{}, DiscordUnreachable{}, TokenRefused{},
	FleetOrderMoved{},
	GatewayTrouble{Kind: TroubleDropped}, GatewayTrouble{Kind: TroubleSkipped}, GatewayTrouble{Kind: TroubleRefused}, GatewayTrouble{Kind: TroubleMemory}, GatewayTrouble{Kind: TroubleUnkept}, GatewayTrouble{Kind: TroubleTorn},
	GatewayTrouble{Kind: TroubleDoubt}, GatewayTrouble{Kind: TroublePast},
	ClusterInDoubt{}, StateUnreadable{},
}

// AnnounceEvents adds the events of an operator's own behaviours to EventNames, so that
// hooks.events may name them. Call it before cmd.Main, from one goroutine.
func AnnounceEvents(own ...Event) { eventKinds = append(eventKinds, own...) }

// EventNames returns the names of all events, in alphabetical order, each once.
func EventNames() []string {
	names := make([]string, 0, len(eventKinds))
	for _, e := range eventKinds {
		name, _ := e.Event()
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
