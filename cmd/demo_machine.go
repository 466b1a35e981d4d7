package cmd

import (
	mathrand "math/rand/v2"
	"syscall"
)

// loseMachine ends a machine of the demo as a power cut would: nothing on it says goodbye, or comes back.
func (d *demo) loseMachine() error {
	serving := d.view.serving()
	if len(serving) == 0 {
		return nil
	}
	name := serving[mathrand.IntN(len(serving))]
	pids := d.view.pidsOf(name)
	d.view.say("machine %s dies, with %d cluster processes", name, len(pids))
	if err := d.running[name].detach("the machine dies"); err != nil { // its CONTROL is one of this process, and must not see what comes
		return err
	}
	delete(d.running, name)
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may be gone by itself
	}
	d.view.lost(name)
	return nil
}

// serving is the machines that run something.
func (v *view) serving() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var all []string
	for _, r := range v.sorted() {
		if r.PID != 0 && (len(all) == 0 || all[len(all)-1] != r.machine) {
			all = append(all, r.machine)
		}
	}
	return all
}

// pidsOf is what runs on one machine.
func (v *view) pidsOf(machine string) []int {
	v.mu.Lock()
	defer v.mu.Unlock()
	var all []int
	for _, r := range v.sorted() {
		if r.PID != 0 && r.machine == machine {
			all = append(all, r.PID)
		}
	}
	return all
}

// lost forgets a machine.
func (v *view) lost(machine string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for key := range v.rows {
		if key.machine == machine {
			delete(v.rows, key)
		}
	}
	v.progress()
}
