package proc

import (
	"syscall"
	"testing"
	"time"
)

// BenchmarkFind measures the time from 32 searches at once to the last answer.
func BenchmarkFind(b *testing.B) {
	for name, forget := range map[string]func(*Mark){
		"pid": func(*Mark) {},
		"env": func(m *Mark) { m.PID, m.Started = 0, 0 },
	} {
		b.Run(name, func(b *testing.B) {
			measure(b, func() time.Duration {
				const many = 32
				ch := make(chan started, many)
				var all []Mark
				for range many {
					m := newMark()
					c, err := fork("/bin/sleep", sleeper.Argv, &syscall.ProcAttr{Env: []string{m.Env}, Files: []uintptr{2, 2, 2}})
					if err != nil {
						b.Fatal(err)
					}
					c.forget()
					m.PID, m.Started = c.pid, c.started
					forget(&m)
					all = append(all, m)
				}
				begin := time.Now()
				for _, m := range all {
					Find(m, func(p Process, err error) { ch <- started{p, err} })
				}
				var processes []Process
				for range many {
					s := <-ch
					if s.err != nil {
						b.Fatal(s.err)
					}
					processes = append(processes, s.process)
				}
				took := time.Since(begin)
				for _, p := range processes {
					exits := claim(p)
					p.Signal(syscall.SIGKILL)
					<-exits
				}
				return took
			})
		})
	}
}
