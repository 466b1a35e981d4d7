package plan

import (
	"time"

	"github.com/discluster/control/messages"
)

// Unwritten holds the files of the state folder whose last save failed, and decides when that is
// reported. The zero value has none.
type Unwritten struct {
	files    map[string]bool
	reported time.Time
}

// SaveAgain is the pause before a failed save is repeated.
const SaveAgain = 10 * time.Second

// unwrittenEvery is the time between two reports while files cannot be written.
const unwrittenEvery = 10 * time.Minute

// Saved takes the outcome of a save, or nil where the file was removed, and returns what to report:
// the first failure, another one every ten minutes, and that no file is left.
func (u *Unwritten) Saved(file string, err error, now time.Time) (e messages.StateUnwritable, report bool) {
	before := len(u.files)
	if err == nil {
		delete(u.files, file)
		return messages.StateUnwritable{File: file}, before > 0 && len(u.files) == 0
	}
	if u.files == nil {
		u.files = map[string]bool{}
	}
	u.files[file] = true
	if before > 0 && now.Sub(u.reported) < unwrittenEvery {
		return e, false
	}
	u.reported = now
	return messages.StateUnwritable{On: true, File: file, Files: len(u.files), Err: err.Error()}, true
}
