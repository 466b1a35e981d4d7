package guest

import (
	"os"
	"os/exec"
	"testing"
)

// The channel of a bot whose host died is found in the bot, which has a copy of the host's end:
// what the bot wrote in between is read, and its death is an end.
func TestTake(t *testing.T) {
	own, bots, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	identity := Identity(own)
	bot := exec.Command("sh", "-c", "echo '{\"early\":1}' >&3; read line <&3; echo \"[$line]\" >&3; read more <&3")
	bot.ExtraFiles = []*os.File{bots, own}
	if err := bot.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bot.Process.Kill(); _ = bot.Wait() })
	_, _ = own.Close(), bots.Close() // the host is dead

	pid := bot.Process.Pid
	for _, wrong := range []struct {
		pid, fd  int
		identity uint64
	}{{pid, 4, identity + 1}, {pid, 4, 0}, {pid, 0, identity}, {pid, 9, identity}, {1 << 22, 4, identity}} {
		if _, err := Take(wrong.pid, wrong.fd, wrong.identity); err == nil {
			t.Errorf("%+v: taken", wrong)
		}
	}
	taken, err := Take(pid, 4, identity)
	if err != nil {
		t.Fatal(err)
	}
	lines, ended := make(chan string, 9), make(chan error, 1)
	c, err := Open(taken, Handler{Line: func(l []byte) { lines <- string(l) }, Long: func() {}, Ended: func(err error) { ended <- err }})
	if err != nil {
		t.Fatal(err)
	}
	_ = taken.Close()
	if got := <-lines; got != `{"early":1}` {
		t.Errorf("what it wrote before: %q", got)
	}
	if err := c.Send([]byte("1")); err != nil {
		t.Fatal(err)
	}
	if got := <-lines; got != "[1]" {
		t.Errorf("its answer: %q", got)
	}
	_ = bot.Process.Kill()
	<-ended
}
