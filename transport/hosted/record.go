package hosted

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/proc"
)

// Record identifies a host's bot on disk: the intent before the fork, the pid after it. CONTROL
// reads the mark, to end a bot that no host goes on with.
type Record struct {
	Mark   proc.Mark           `json:"mark"`
	URL    string              `json:"url"`              // of the gateway that the bot knows
	Start  string              `json:"start"`            // how the bot was started, in short
	Served messages.UnixMillis `json:"served,omitempty"` // when it was ready first; 0: it was not
	// the identity of the host's end of the channel to a bot that is a manager's guest (package
	// guest); 0: it has none
	Channel uint64 `json:"channel,omitempty"`
	// where the bot may listen for its host, and the manager of which it takes HELLO; "": unknown
	Socket  string             `json:"socket,omitempty"`
	Manager messages.Snowflake `json:"manager,omitempty"`
}

// File locates the record in a host's folder, which is the cluster's alone.
type File struct{ Dir string }

const (
	name    = "bot.json"
	sizeMax = 64 << 10
)

// Read returns the record, the zero one where there is none or the file holds none. An error states
// that there may be one.
func (f File) Read() (r Record, err error) {
	path := filepath.Join(f.Dir, name)
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return Record{}, nil
	case err != nil:
		return Record{}, fmt.Errorf("record of the bot: %w", err)
	case !info.Mode().IsRegular() || info.Size() > sizeMax:
		return Record{}, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return Record{}, fmt.Errorf("record of the bot: %w", err)
	}
	if err := json.Unmarshal(data, &r); err != nil || r.Mark.Env == "" || r.Mark.PID < 0 || r.Mark.PID > math.MaxInt32 {
		return Record{}, nil //nolint:nilerr // the file holds no record
	}
	return r, nil
}

// Save replaces the record, whole or not at all. It is not synced: no process outlives the machine.
func (f File) Save(r Record) error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("record of the bot: %w", err)
	}
	path := filepath.Join(f.Dir, name)
	const owner = 0o600 // it holds the path of the gateway
	if err = os.WriteFile(path+".new", data, owner); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("record of the bot: %w", err)
	}
	return nil
}
