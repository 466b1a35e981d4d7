package demo

import (
	mathrand "math/rand/v2"
)

// loseMachine ends a machine of the demo as a power cut would: nothing on it closes its connections
// or comes back.
func (d *demo) loseMachine() error {
	serving := d.view.serving()
	if len(serving) == 0 {
		return nil
	}
	name := serving[mathrand.IntN(len(serving))]
	pids := d.view.pidsOf(name)
	d.view.say("machine %s dies, with %d cluster processes", name, len(pids))
	// Its CONTROL is in this process and must not see its bots die.
	if err := d.running[name].Detach("the machine dies"); err != nil {
		return err
	}
	delete(d.running, name)
	for _, pid := range pids {
		d.view.processes.kill(pid)
	}
	d.view.lost(name)
	return nil
}

// serving returns the machines that run a process.
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

// pidsOf returns the pids of the processes on one machine.
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

// lost removes a machine from the view.
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
