package logbook

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/botlog"
)

// output shows the bots' lines to people, without the secrets that this process knows, also
// where one is broken over lines or was read in pieces.
type output struct {
	out     io.Writer
	notes   io.Writer // where notes go; nil: to out
	flushed func() error
	bare    bool // no number of the cluster before a line

	cluster messages.ClusterID // whose lines wait
	lines   bytes.Buffer
	before  map[messages.ClusterID]string // the end of what was shown, as the bot wrote it
}

// Limits of an output, in bytes.
const (
	waitingMax = 64 << 10 // of lines that wait to be shown together
	beforeMax  = 4 << 10  // of what a secret may have begun in: as config allows
)

// take takes a line or a note.
func (o *output) take(l botlog.Line) {
	if l.Note || l.Cluster != o.cluster || o.lines.Len() >= waitingMax {
		o.show()
	}
	if l.Note {
		delete(o.before, l.Cluster) // another text begins
		out := o.out
		if o.notes != nil {
			_ = o.flushed() // keeps the order of both; the next write returns its error again
			out = o.notes
		}
		fmt.Fprintf(out, "%d | -- %s\n", l.Cluster, l.Text)
		return
	}
	o.cluster = l.Cluster
	o.lines.Write(l.Text)
	o.lines.WriteByte('\n')
}

// show writes the lines that wait.
func (o *output) show() {
	if o.lines.Len() == 0 {
		return
	}
	text := o.lines.String()
	o.lines.Reset()
	before := o.before[o.cluster]
	for line := range strings.Lines(Secrets.After(before, text)) {
		if !o.bare {
			fmt.Fprintf(o.out, "%d | ", o.cluster)
		}
		_, _ = io.WriteString(o.out, line) // a bufio.Writer keeps the error
		if !strings.HasSuffix(line, "\n") {
			_, _ = io.WriteString(o.out, "\n")
		}
	}
	before += text
	if o.before == nil {
		o.before = map[messages.ClusterID]string{}
	}
	o.before[o.cluster] = strings.Clone(before[max(0, len(before)-beforeMax):])
}

// flush shows all there is.
func (o *output) flush() error {
	o.show()
	return o.flushed()
}
