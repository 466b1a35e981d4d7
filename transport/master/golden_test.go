package master

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/discluster/control/messages"
)

var ourFeatures = []string{messages.FeatureInfo, messages.FeatureHeartbeat, messages.FeaturePermits, messages.FeatureSessions, messages.FeatureOrders}

var goldenMaster = map[string]messages.FromMaster{
	"02_command":       messages.Command{ID: "m-41", Name: "restart", Args: json.RawMessage(`{"cluster":3}`)},
	"03_offload":       messages.Offload{ID: "m-42", Range: messages.ShardRange{First: 10, Last: 19}, Reason: "rebalance"},
	"04_shutdown":      messages.Shutdown{ID: "m-43", Reason: "operator"},
	"04_shutdown_halt": messages.Shutdown{ID: "m-44", Reason: "fatal", Halt: &messages.Halt{Code: 4004, Token: "2bb80d537b1da3e3"}},
	"05_initialise": messages.Initialise{
		Token: "the-bot-token", HeartbeatInterval: new(messages.Milliseconds(5000)), ShardCount: new(32), Features: ourFeatures,
		MaxConcurrency: new(16), ShardsPerCluster: new(16), Machine: &messages.Place{Index: 1, Of: 2},
		Epoch: 1795399223843, LeaseMS: new(messages.Milliseconds(20000)), Now: new(messages.UnixMillis(1795399224000)),
	},
	"05_initialise_upstream":   messages.Initialise{Token: "the-bot-token", HeartbeatInterval: new(messages.Milliseconds(50000)), ShardCount: new(16)},
	"05_initialise_as_shipped": messages.Initialise{Token: "good", HeartbeatInterval: new(messages.Milliseconds(50000))},
	"06_connect": messages.Connect{Range: &messages.ShardRange{First: 0, Last: 9}, ID: "m-45", Sessions: []messages.Session{{
		Shard: 3, ShardCount: 32, SessionID: "f00d", Seq: 812, ResumeGatewayURL: "wss://gateway-us-east1-b.discord.gg", At: 1795399220000,
		Intents: 513, UserID: "80351110224678912", ApplicationID: "80351110224678913", Guilds: []string{"25165824"},
	}}},
	"06_connect_upstream":    messages.Connect{Range: &messages.ShardRange{First: 0, Last: 9}},
	"06_connect_spare":       messages.Connect{Redundant: true},
	"07_error":               messages.MasterError{Message: "two machines are called north", Kind: "machine.duplicate"},
	"08_heartbeat_ack":       messages.HeartbeatAck{Seq: 17, Now: new(messages.UnixMillis(1795399229000)), Machine: &messages.Place{Index: 0, Of: 3}},
	"08_heartbeat_ack_share": messages.HeartbeatAck{Seq: 17, Share: &messages.BudgetShare{ID: 1795399223844, Total: 75, Remaining: 75, Reserve: 5, Others: 225}},
	"10_permit_granted":      messages.PermitAnswer{ID: "7", Granted: true, UseWithinMS: 4000},
	"10_permit_granted_ahead": messages.PermitAnswer{ID: "7", Granted: true, UseWithinMS: 4100, Now: new(messages.UnixMillis(1795399220000)), InMS: 100,
		NotBefore: new(messages.UnixMillis(1795399220088))},
	"10_permit_granted_from_share": messages.PermitAnswer{ID: "7", Granted: true, UseWithinMS: 4000, Now: new(messages.UnixMillis(1795399220000)), FromShare: true},
	"10_permit_put_off":            messages.PermitAnswer{ID: "8", RetryAfterMS: 30000, Reason: "budget"},
	"12_snapshot_ask":              messages.SnapshotAsk{ID: "9", Shard: 3, SessionID: "f00d", Offset: 524288},
	"12_snapshot_part":             messages.SnapshotPart{ID: "9", Data: []byte{0x28, 0xb5, 0x2f}, Next: 524288},
}

var goldenControl = map[string]messages.FromControl{
	"00_info": messages.Info{
		Hostname: "north", Version: "1.0.0", CPUs: 8, MemoryBytes: 16 << 30, Load1: 0.25, Epoch: 1795399223843, Machine: messages.Place{Index: 1, Of: 2},
		ShardCount: 32, MaxConcurrency: 16, ShardsPerCluster: 16, Halted: &messages.Halt{Code: 4004, Token: "2bb80d537b1da3e3"},
		Ranges:       []messages.RangeInfo{{Range: messages.ShardRange{First: 16, Last: 31}, State: messages.RangeOperational, Epoch: 1795399223843}},
		LastIdentify: map[int]messages.UnixMillis{0: 1795399220000, 15: 1795399215000}, Now: new(messages.UnixMillis(1795399220500)), Features: []string{messages.FeatureInfo, messages.FeaturePermits},
	},
	"00_info_fresh": messages.Info{
		Hostname: "south", Version: "1.0.0", CPUs: 2, MemoryBytes: 2 << 30, Machine: messages.Place{Index: 0, Of: 1},
		Ranges: []messages.RangeInfo{}, Features: []string{},
	},
	"01_fatal": messages.Fatal{Code: 4014, Message: "Disallowed intent(s)", Cluster: 1, Shards: messages.ShardRange{First: 16, Last: 31}, Reason: "gateway"},
	"07_error": messages.MasterError{
		Message: "3 restarts without READY", Kind: "cluster.gave_up", Cluster: new(messages.ClusterID(3)), Shards: &messages.ShardRange{First: 30, Last: 39},
	},
	"08_ack_connect": messages.Ack{ID: "m-45", Op: new(messages.OpConnect), State: "connecting", Range: &messages.ShardRange{First: 0, Last: 9}},
	"08_ack_standby": messages.Ack{ID: "m-46", Op: new(messages.OpConnect), State: "standby"},
	"08_ack_offload": messages.Ack{ID: "m-42", Op: new(messages.OpOffload), State: "released", Range: &messages.ShardRange{First: 10, Last: 19}, Sessions: []messages.Session{
		{Shard: 10, ShardCount: 32, SessionID: "beef", Seq: 5, ResumeGatewayURL: "wss://r", At: 1795399220000},
	}},
	"08_ack_command":        messages.Ack{ID: "m-41", OK: new(true), Result: json.RawMessage(`{"restarted":[3]}`)},
	"08_ack_command_failed": messages.Ack{ID: "m-47", OK: new(false), Error: "no cluster 9 here"},
	"08_ack_progress":       messages.Ack{ID: "m-41", Progress: "draining"},
	"09_heartbeat": messages.Heartbeat{
		Seq: 17, Ranges: []messages.RangeInfo{{Range: messages.ShardRange{First: 0, Last: 9}, State: messages.RangeConnecting, Epoch: 3}},
		Clusters: messages.ClusterCounts{Serving: 1, Starting: 2}, ShardsReady: 4,
	},
	"09_heartbeat_share":       messages.Heartbeat{Seq: 18, Ranges: []messages.RangeInfo{}, Share: &messages.BudgetShare{ID: 1795399223844, Total: 75, Remaining: 71, Reserve: 5, Others: 225}},
	"10_permit_request":        messages.PermitRequest{ID: "7", Shard: 12, Cause: messages.CauseReidentify, WaitedMS: 250},
	"10_permit_request_hold":   messages.PermitRequest{ID: "7", Shard: 12, Cause: messages.CauseReidentify, WaitedMS: 250, HoldMS: 90000, Identifies: 10, Kept: true},
	"10_permit_request_now":    messages.PermitRequest{ID: "7", Shard: 12, Cause: messages.CauseStart, WaitedMS: 250, Now: new(messages.UnixMillis(1795399220000))},
	"10_permit_report_arrived": messages.PermitReport{ID: "7", Sent: true, Arrived: true, Now: new(messages.UnixMillis(1795399220000))},
	"10_permit_report_now":     messages.PermitReport{ID: "7", Sent: true, Now: new(messages.UnixMillis(1795399220000))},
	"10_permit_report":         messages.PermitReport{ID: "7"},
	"10_permit_report_kept":    messages.PermitReport{ID: "7", Sent: true, Identifies: 10},
	"11_sessions": messages.SessionsMoved{Sessions: []messages.Session{
		{Shard: 10, ShardCount: 32, SessionID: "beef", Seq: 6, ResumeGatewayURL: "wss://r", At: 1795399225000},
	}, Gone: []int{11}},
	"12_snapshot_ask":          messages.SnapshotAsk{ID: "9", Shard: 3, SessionID: "f00d"},
	"12_snapshot_part":         messages.SnapshotPart{ID: "9", Data: []byte{0x28, 0xb5, 0x2f}, Next: 524288},
	"12_snapshot_part_refused": messages.SnapshotPart{ID: "9", Error: "the shard is served here"},
}

func TestGolden(t *testing.T) {
	for name, want := range goldenMaster {
		t.Run("master_"+name, func(t *testing.T) { golden(t, want, DecodeFromMaster, EncodeFromMaster) })
	}
	for name, want := range goldenControl {
		t.Run("control_"+name, func(t *testing.T) { golden(t, want, DecodeFromControl, EncodeFromControl) })
	}
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	if values := len(goldenMaster) + len(goldenControl); len(files) != values {
		t.Errorf("%d golden files, %d values: want one each", len(files), values)
	}
}

// golden compares the file of the test's name with a value, both ways.
func golden[P any](t *testing.T, want P, decode func([]byte) (P, error), encode func(P) ([]byte, error)) {
	file, err := os.ReadFile(filepath.Join("testdata", filepath.Base(t.Name())+".json"))
	if err != nil {
		t.Fatal(err)
	}
	file = bytes.TrimSpace(file)
	got, err := decode(file)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("decoded %+v, want %+v", got, want)
	}
	wrote, err := encode(want)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(wrote, file) {
		t.Errorf("encoded\n%s, want\n%s", wrote, file)
	}
}

// TestProbe decodes every packet that upstream's MASTER was seen to send and writes the same bytes
// again.
func TestProbe(t *testing.T) {
	file, err := os.Open("testdata/master-probe.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	want := map[string]messages.FromMaster{
		`{"d":{"token":"the-bot-token","heartbeat_interval":50000,"shard_count":16},"o":5}`: goldenMaster["05_initialise_upstream"],
		`{"d":{"token":"good","heartbeat_interval":50000},"o":5}`:                           goldenMaster["05_initialise_as_shipped"],
		`{"d":{"code":4004,"message":"The server recieved a malformed packet"},"o":7}`:      messages.MasterError{Code: messages.CodeMalformed, Message: "The server recieved a malformed packet"},
		`{"d":{"shardRange":[0,9],"redundant":false},"o":6}`:                                goldenMaster["06_connect_upstream"],
		`{"d":{"shardRange":[],"redundant":true},"o":6}`:                                    goldenMaster["06_connect_spare"],
		`{"d":{"code":4004,"message":"m"},"o":1}`:                                           messages.MasterError{Code: messages.CodeMalformed, Message: "m"},
	}
	seen := map[string]bool{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		for _, packet := range packetsOf(lines.Bytes()) {
			seen[packet] = true
			got, err := DecodeFromMaster([]byte(packet))
			if err != nil || !reflect.DeepEqual(got, want[packet]) {
				t.Errorf("%s: decoded %+v, %v; want %+v", packet, got, err, want[packet])
				continue
			}
			wrote, err := EncodeFromMaster(got)
			// an error is always written as one
			same := strings.Replace(packet, `"o":1}`, `"o":7}`, 1)
			if err != nil || string(wrote) != same {
				t.Errorf("%s: encoded %s, %v", packet, wrote, err)
			}
		}
	}
	if len(seen) != len(want) {
		t.Errorf("%d different packets in the probe, want %d", len(seen), len(want))
	}
}

// packetsOf returns the packets in a line's info: a text or a list of texts; closes and crashes are
// objects.
func packetsOf(line []byte) (packets []string) {
	var check struct{ Info json.RawMessage }
	if json.Unmarshal(line, &check) != nil {
		return nil
	}
	var one string
	var all []string
	if json.Unmarshal(check.Info, &one) == nil {
		all = []string{one}
	} else if json.Unmarshal(check.Info, &all) != nil {
		return nil
	}
	for _, text := range all {
		if strings.HasPrefix(text, "{") {
			packets = append(packets, text)
		}
	}
	return packets
}
