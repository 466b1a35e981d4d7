package plan

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/discluster/control/messages"
)

func at(index, of int) messages.Place { return messages.Place{Index: index, Of: of} }

func TestFreeSlots(t *testing.T) {
	for _, c := range []struct {
		name  string
		taken []messages.Place
		want  string
	}{
		{"none has any", nil, "[{0 1}]"},
		{"one has all", []messages.Place{at(0, 1)}, "[]"},
		{"the other half", []messages.Place{at(0, 2)}, "[{1 2}]"},
		{"a quarter is taken", []messages.Place{at(2, 4)}, "[{0 4} {1 2}]"},
		{"all is divided", []messages.Place{at(0, 4), at(1, 2), at(2, 4)}, "[]"},
		{"one has none", []messages.Place{at(0, 2), messages.NoSlot}, "[{1 2}]"},
		{"taken twice, coarse and fine", []messages.Place{at(0, 2), at(0, 4)}, "[{1 2}]"},
	} {
		if got := fmt.Sprint(FreeSlots(c.taken)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestPlaces(t *testing.T) {
	for _, c := range []struct {
		machines int
		alone    bool
		want     string
	}{
		{1, true, "[{0 1}]"},
		{1, false, "[{0 2} {1 2}]"},
		{3, false, "[{0 4} {1 4} {2 4} {3 4}]"},
		{4, false, "[{0 4} {1 4} {2 4} {3 4}]"},
	} {
		if got := fmt.Sprint(Places(c.machines, c.alone)); got != c.want {
			t.Errorf("%d machines: %s, want %s", c.machines, got, c.want)
		}
	}
}

func TestLargest(t *testing.T) {
	for _, c := range []struct {
		places []messages.Place
		want   messages.Place
		found  bool
	}{
		{nil, messages.Place{}, false},
		{[]messages.Place{at(3, 4)}, at(3, 4), true},
		{[]messages.Place{at(3, 4), at(0, 2)}, at(0, 2), true},
		{[]messages.Place{at(0, 2), at(3, 4)}, at(0, 2), true},
		{[]messages.Place{at(1, 4), at(3, 4)}, at(1, 4), true},
	} {
		if got, found := Largest(c.places); got != c.want || found != c.found {
			t.Errorf("of %v: %v %v, want %v %v", c.places, got, found, c.want, c.found)
		}
	}
}

func TestOverlap(t *testing.T) {
	for _, c := range []struct {
		a, b messages.Place
		want bool
	}{
		{at(0, 1), at(5, 8), true},
		{at(1, 2), at(5, 8), true},
		{at(1, 2), at(4, 8), false},
		{at(0, 3), at(1, 3), false},
		{at(0, 3), at(1, 4), true}, // slot 9
		{at(0, 1), messages.NoSlot, false},
		{messages.NoSlot, messages.NoSlot, false},
	} {
		if got := Overlap(c.a, c.b); got != c.want || Overlap(c.b, c.a) != c.want {
			t.Errorf("%v and %v: %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

// Machines join and leave in any order: no slot ever has two owners, though each machine except the
// one that gives knows only what it was sent.
func TestPlacesNeverShare(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var all []messages.Place
	for range 2000 {
		if len(all) > 0 && r.IntN(3) == 0 {
			i := r.IntN(len(all))
			all = append(all[:i], all[i+1:]...)
		} else if p, free := Largest(FreeSlots(all)); free {
			all = append(all, p)
		} else {
			p, _ := Largest(all)
			for i := range all {
				if all[i] == p {
					all[i], _, _ = Halve(p)
				}
			}
		}
		for i, a := range all {
			for _, b := range all[i+1:] {
				if Overlap(a, b) {
					t.Fatalf("%v and %v share a slot", a, b)
				}
			}
		}
	}
}
