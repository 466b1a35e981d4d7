package sim

import (
	"errors"
	"os"
	"time"

	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/discord/snapshot"
)

// This file is the disk of a Host: its small files and their faults.

// disk replaces one file, or removes it for nil data, after all changes queued before. The death of
// the run prevents a change that is still queued.
func (h *Host) disk(b *boot, name string, data []byte, done func(error)) {
	b.queued[name] = data
	// A process that is started later may start before the file is written.
	at := time.Now().Add(time.Duration(h.loop.rand.Int64N(int64(diskSlow))))
	if at.Before(b.disk) {
		at = b.disk
	}
	b.disk = at
	h.loop.After(time.Until(at), func() {
		if b.dead {
			return
		}
		switch {
		case h.DiskErr != nil:
		case data == nil:
			delete(h.files, name)
		default:
			h.files[name] = data
		}
		done(h.DiskErr)
	})
}

// diskSlow is the longest time that the disk takes for one file.
const diskSlow = 8 * time.Millisecond

// readErr returns the error of reading a file.
func (h *Host) readErr(name string) error {
	if h.ReadErr == nil {
		return nil
	}
	return h.ReadErr(name)
}

// Damage replaces the bytes of a file, as a faulty disk may.
func (h *Host) Damage(name string, data []byte) { h.files[name] = data }

// snapshots gives a World the real files of its gateway hosts.
func (h *Host) snapshots(alive func(func()) func()) *world.Snapshots {
	later := func(done func()) { h.loop.After(h.net.delay(h.Name, h.Name), alive(done)) }
	return &world.Snapshots{
		Read: func(cluster messages.ClusterID, shard int, offset int64, done func([]byte, int64, error)) {
			later(func() { done(snapshot.ReadPart(snapshot.Path(h.Folder, cluster, shard), offset)) })
		},
		Write: func(cluster messages.ClusterID, shard int, offset int64, part []byte, last bool, done func(error)) {
			later(func() {
				err := h.DiskErr
				if err == nil {
					err = snapshot.WritePart(snapshot.Path(h.Folder, cluster, shard), offset, part, last)
				}
				done(err)
			})
		},
	}
}

// Format loses every file.
func (h *Host) Format() {
	clear(h.files)
	if h.Folder != "" {
		_ = os.RemoveAll(h.Folder) // a program that comes later makes it again
	}
}

// flush writes the queued changes of a run that ended in order, as its program does before it
// exits.
func (h *Host) flush() {
	if h.boot == nil || h.boot.dead || h.DiskErr != nil {
		return
	}
	for name, data := range h.boot.queued {
		if h.files[name] = data; data == nil {
			delete(h.files, name)
		}
	}
	h.boot.dead = true
}

// ErrDiskFull is the DiskErr of a full disk.
var ErrDiskFull = errors.New("no space left on device")

// File returns the content of a small file; "": there is none.
func (h *Host) File(name string) string { return string(h.files[name]) }
