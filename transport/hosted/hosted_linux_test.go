package hosted

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/discluster/control/transport/proc"
)

const roleVariable = "HOSTED_TEST_FOLDER"

// TestMain is a host that starts a bot and dies, where it is asked to.
func TestMain(m *testing.M) {
	dir := os.Getenv(roleVariable)
	if dir == "" {
		os.Exit(m.Run())
	}
	r := Record{URL: "ws://127.0.0.1:1/x", Start: "as ever"}
	save := func(mark proc.Mark) {
		r.Mark = mark
		if err := (File{dir}).Save(r); err != nil {
			panic(err)
		}
	}
	env := append(os.Environ(), roleVariable+"=", "BOT="+dir)
	if _, err := Start(proc.Spec{Argv: []string{"sleep", "60"}, Env: env, Mark: "BOT=" + dir}, save); err != nil {
		panic(err)
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

// hostDies returns the record of a bot whose host has died.
func hostDies(t *testing.T) (File, Record) {
	t.Helper()
	f := File{t.TempDir()}
	host := exec.Command(os.Args[0])
	host.Env = append(os.Environ(), roleVariable+"="+f.Dir)
	var status *exec.ExitError
	if err := host.Run(); !errors.As(err, &status) || status.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the host: %v", err)
	}
	r, err := f.Read()
	if err != nil || r.Mark.PID == 0 || r.URL == "" {
		t.Fatalf("record %+v, %v", r, err)
	}
	return f, r
}

// A bot outlives its host, and the next one finds it by its record, signals it, and learns of its
// end.
func TestNextHost(t *testing.T) {
	_, r := hostDies(t)
	b, err := Find(r.Mark)
	if err != nil || b == nil || b.PID() != r.Mark.PID {
		t.Fatalf("found %+v, %v; want process %d", b, err, r.Mark.PID)
	}
	b.Signal(syscall.SIGTERM)
	if e := <-b.Ended(); e.Code != -1 {
		t.Errorf("exit %v of another's child", e)
	}
	if b, err = Find(r.Mark); b != nil || err != nil {
		t.Errorf("found %+v, %v after its end", b, err)
	}
}

// A bot that was forked and not recorded any more is found by the intent; without any record by
// what all bots of the cluster have in their environment.
func TestHostDiesBeforeTheMark(t *testing.T) {
	_, r := hostDies(t)
	intent := r.Mark
	intent.PID = 0
	b, err := Find(intent)
	if err != nil || b == nil || b.PID() != r.Mark.PID {
		t.Fatalf("found %+v, %v; want process %d", b, err, r.Mark.PID)
	}
	b.Signal(syscall.SIGKILL)
	<-b.Ended()
}

// A process that has the pid of a dead bot is none.
func TestAnotherProcess(t *testing.T) {
	_, r := hostDies(t)
	other := r.Mark
	other.Started++
	if b, err := Find(other); b != nil || err != nil {
		t.Errorf("found %+v, %v", b, err)
	}
	// what has the mark of the dead one is ended
	if b, err := Find(r.Mark); b != nil || err != nil {
		t.Errorf("the rest of the dead bot: %+v, %v", b, err)
	}
}

// The intent is saved before the fork, the mark after it; a bot that cannot be started has no
// second one.
func TestIntentFirst(t *testing.T) {
	var saved []proc.Mark
	save := func(m proc.Mark) { saved = append(saved, m) }
	if _, err := Start(proc.Spec{Argv: []string{"/nowhere/bot"}, Mark: "A=1"}, save); err == nil || len(saved) != 1 || saved[0].PID != 0 || saved[0].Env != "A=1" || saved[0].Started == 0 {
		t.Errorf("saved %+v, %v", saved, err)
	}
	saved = nil
	b, err := Start(proc.Spec{Argv: []string{"sleep", "60"}, Env: []string{"A=1"}, Mark: "A=1"}, save)
	if err != nil {
		t.Fatal(err)
	}
	b.Signal(syscall.SIGKILL)
	if e := <-b.Ended(); e.Signal != syscall.SIGKILL {
		t.Errorf("exit %v", e)
	}
	if len(saved) != 2 || saved[0].PID != 0 || saved[1].PID != b.PID() || saved[1].Env != "A=1" || saved[1].Started == 0 {
		t.Errorf("saved %+v, want the intent, then the mark of %d", saved, b.PID())
	}
}

// A file that holds no record counts as none; one that cannot be read does not.
func TestRecords(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "torn": `{"mark":{"pid":1,"env":"A=1"`, "of another kind": `[]`, "without a mark": `{"url":"ws://here"}`,
		"of no process": `{"mark":{"pid":-1,"env":"A=1"}}`, "of a pid that none has": `{"mark":{"pid":4294967296,"env":"A=1"}}`,
	} {
		f := File{t.TempDir()}
		if err := os.WriteFile(filepath.Join(f.Dir, "bot.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if r, err := f.Read(); r != (Record{}) || err != nil {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	f := File{t.TempDir()}
	if r, err := f.Read(); r != (Record{}) || err != nil {
		t.Errorf("missing: %+v, %v", r, err)
	}
	want := Record{Mark: proc.Mark{PID: 7, Started: 8, Boot: "b", Env: "A=1", Output: "/o"}, URL: "ws://here", Start: "as ever", Served: 9}
	if err := f.Save(want); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(f.Dir, "bot.json"))
	if r, bad := f.Read(); r != want || bad != nil || err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%+v, %v, %v %v; want %+v", r, bad, info, err, want)
	}
	loop := File{filepath.Join(t.TempDir(), "loop")}
	if err := os.Symlink(loop.Dir, loop.Dir); err != nil {
		t.Fatal(err)
	}
	if _, err := loop.Read(); err == nil {
		t.Error("what cannot be read counts as none")
	}
	if err := loop.Save(want); err == nil {
		t.Error("saved in no folder")
	}
}
