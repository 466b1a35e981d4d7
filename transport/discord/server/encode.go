package server

import (
	"fmt"

	"github.com/discluster/control/transport/discord/guilds"
	"github.com/discluster/control/transport/discord/rules"
)

// Encoder makes the payloads of one connection.
type Encoder struct {
	Version   int    // of the API, 9 or 10
	ResumeURL string // resume_gateway_url
	Shape     guilds.Shape
	Guilds    int // of the application
}

// Encode makes the payload of an output; a rules.Close has none.
func (e Encoder) Encode(o rules.Output) ([]byte, error) {
	switch o := o.(type) {
	case rules.Hello:
		return fmt.Appendf(nil, `{"t":null,"s":null,"op":%d,"d":{"heartbeat_interval":%d,"_trace":["[\"simulated\"]"]}}`, opHello, o.Interval.Milliseconds()), nil
	case rules.Ack:
		return fmt.Appendf(nil, `{"t":null,"s":null,"op":%d,"d":null}`, opHeartbeatAck), nil
	case rules.Reconnect:
		return fmt.Appendf(nil, `{"t":null,"s":null,"op":%d,"d":null}`, opReconnect), nil
	case rules.InvalidSession:
		return fmt.Appendf(nil, `{"t":null,"s":null,"op":%d,"d":%t}`, opInvalidSession, o.Resumable), nil
	case rules.Event:
		return fmt.Appendf(nil, `{"t":%q,"s":%d,"op":0,"d":%s}`, o.Type, o.Seq, e.data(o)), nil
	case rules.Resumed:
		return fmt.Appendf(nil, `{"t":"RESUMED","s":%d,"op":0,"d":{"_trace":["[\"simulated\"]"]}}`, o.Seq), nil
	case rules.Ready:
		return fmt.Appendf(nil, `{"t":"READY","s":%d,"op":0,"d":%s}`, o.Seq, guilds.JSON(e.ready(o))), nil
	}
	return nil, fmt.Errorf("simulated discord: no payload for %T", o)
}

// data returns the "d" of an event. Generated ones are made here, in the connection's writer, so
// that they cost no memory while they wait.
func (e Encoder) data(o rules.Event) []byte {
	switch {
	case o.Data != nil:
		return o.Data
	case o.Body != nil:
		return guilds.JSON(o.Body.(body).render(o.Guild, e.Shape))
	case o.Guild != 0:
		return guilds.JSON(e.Shape.Create(o.Guild, nil))
	}
	return guilds.JSON(e.Shape.Numbered(guilds.First(o.Shard, o.ShardCount, e.Guilds), o.Shard, o.Number))
}

// ready is the "d" of READY (events/gateway-events, "Ready"), with undocumented fields that Discord
// sends and some clients require.
type ready struct {
	V                    int                `json:"v"`
	User                 guilds.SelfObject  `json:"user"`
	Guilds               []unavailableGuild `json:"guilds"`
	SessionID            string             `json:"session_id"`
	SessionType          string             `json:"session_type"`
	ResumeGatewayURL     string             `json:"resume_gateway_url"`
	Shard                [2]int             `json:"shard"`
	Application          readyApplication   `json:"application"`
	PrivateChannels      []struct{}         `json:"private_channels"`
	Relationships        []struct{}         `json:"relationships"`
	Presences            []struct{}         `json:"presences"`
	GuildJoinRequests    []struct{}         `json:"guild_join_requests"`
	UserSettings         struct{}           `json:"user_settings"`
	Auth                 struct{}           `json:"auth"`
	GeoOrderedRTCRegions []string           `json:"geo_ordered_rtc_regions"`
	Trace                []string           `json:"_trace"`
}

// readyApplication is the part of the application in READY.
type readyApplication struct {
	ID    string `json:"id"`
	Flags int    `json:"flags"`
}

// unavailableGuild is a guild in READY; GUILD_CREATE brings the rest.
type unavailableGuild struct {
	ID          string `json:"id"`
	Unavailable bool   `json:"unavailable"`
}

func (e Encoder) ready(o rules.Ready) ready {
	empty := []struct{}{}
	r := ready{
		V: e.Version, User: guilds.Self(), Guilds: []unavailableGuild{}, SessionID: o.SessionID, SessionType: "normal",
		ResumeGatewayURL: e.ResumeURL, Shard: [2]int{o.Shard, o.ShardCount},
		Application:     readyApplication{ID: guilds.Text(o.ApplicationID)},
		PrivateChannels: empty, Relationships: empty, Presences: empty, GuildJoinRequests: empty,
		GeoOrderedRTCRegions: []string{}, Trace: []string{`["simulated"]`},
	}
	for _, id := range o.Guilds {
		r.Guilds = append(r.Guilds, unavailableGuild{guilds.Text(id), true})
	}
	return r
}
