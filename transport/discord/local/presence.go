package local

import (
	"bytes"

	"github.com/discluster/control/transport/discord/splice"
)

// Presence returns the bot's last presence, as its op 3 or its IDENTIFY had it; nil where it has
// set none. A new session of Discord begins with it.
func (s *Shard) Presence() []byte { return s.presence }

// appear takes the presence of an IDENTIFY, and sends it to a session that goes on, unless it has
// that one.
func (s *Shard) appear(presence []byte) {
	update := presenceUpdate(presence)
	if s.session != "" && (s.presence == nil || !bytes.Equal(update, presenceUpdate(s.presence))) {
		s.effects = append(s.effects, Send{opPresence, update})
	}
	s.presence = presence
}

// presenceUpdate returns the op 3 with the presence of an IDENTIFY. All fields of an op 3 are
// required (Discord docs, Update Presence); in an IDENTIFY some libraries leave fields out, or the
// status empty.
func presenceUpdate(presence []byte) []byte {
	o := splice.Parse(presence)
	for _, field := range [][2]string{
		{"since", "null"}, {"activities", "[]"}, {"status", `"online"`}, {"afk", "false"},
	} {
		if v := o.Get(field[0]); splice.IsNull(v) || string(v) == `""` {
			o.Set(field[0], []byte(field[1]))
		}
	}
	return o.Append(nil)
}
