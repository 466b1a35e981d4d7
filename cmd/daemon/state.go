package daemon

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/discluster/control/cmd/machine"
)

// daemonFile is the file in the state folder that describes the CONTROL that runs there.
const daemonFile = "daemon.json"

// daemonState is the content of daemonFile. `control upgrade` reads its result there.
type daemonState struct {
	PID     int       `json:"pid"`
	Version string    `json:"version"`
	Started time.Time `json:"started"`           // distinguishes runs: an upgrade keeps the pid
	Refused *refusal  `json:"refused,omitempty"` // the last upgrade that was refused
}

// refusal holds the reason for which an upgrade was refused.
type refusal struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
}

// startedAt is the time at which this run began.
var startedAt = time.Now()

// writeState writes daemonFile.
func (d *daemon) writeState(refused *refusal) {
	text, err := json.Marshal(daemonState{PID: os.Getpid(), Version: Version(), Started: startedAt, Refused: refused})
	if err != nil {
		panic(err) // impossible for numbers and texts
	}
	d.control.machine.Save(daemonFile, text, func(err error) {
		if err != nil {
			d.log.Warn().Err(err).Str("file", daemonFile).Msg("cannot write the state file: `control upgrade` will not find this CONTROL")
		}
	})
}

// readState reads the daemonFile of a state folder.
func readState(dir string) (s daemonState, err error) {
	text, err := machine.ReadFile(filepath.Join(dir, daemonFile))
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		err = fmt.Errorf("state.dir %s: %s: %w", dir, daemonFile, err)
	}
	return s, err
}
