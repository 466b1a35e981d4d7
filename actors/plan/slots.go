package plan

import "github.com/discluster/control/messages"

// The slots of PROTOCOL B3 are assigned as remainders: Place{i, n} owns every slot k with k mod n
// == i. Machines need not have the same n. A machine that gives half of its slots to a new one, {i,
// n} → {i, 2n} and {i+n, 2n}, only ever loses some, so that no other machine has to know: two
// machines never own one slot, whichever of them has learned of it.

// whole is every slot there is.
var whole = messages.Place{Index: 0, Of: 1}

// placesMax bounds how finely the slots are divided: a thousand machines, and a few halvings more.
const placesMax = 1 << 14

// Overlap reports whether two places have a slot in common.
func Overlap(a, b messages.Place) bool {
	if a == messages.NoSlot || b == messages.NoSlot {
		return false
	}
	g := gcd(a.Of, b.Of)
	return a.Index%g == b.Index%g
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// FreeSlots returns what of all slots lies in none of the taken places, as few places as possible,
// the largest first where they are of one branch.
func FreeSlots(taken []messages.Place) []messages.Place { return freeIn(whole, taken) }

func freeIn(p messages.Place, taken []messages.Place) []messages.Place {
	var inside []messages.Place
	for _, t := range taken {
		switch {
		case !Overlap(p, t):
		case p.Of%t.Of == 0: // t has all of p
			return nil
		default:
			inside = append(inside, t)
		}
	}
	switch {
	case len(inside) == 0:
		return []messages.Place{p}
	case 2*p.Of > placesMax: // too fine to be of use
		return nil
	}
	first, second := halves(p)
	return append(freeIn(first, inside), freeIn(second, inside)...)
}

func halves(p messages.Place) (first, second messages.Place) {
	return messages.Place{Index: p.Index, Of: 2 * p.Of}, messages.Place{Index: p.Index + p.Of, Of: 2 * p.Of}
}

// Largest returns the place with the most slots, the first of several; false for none.
func Largest(places []messages.Place) (largest messages.Place, found bool) {
	for _, p := range places {
		if !found || p.Of < largest.Of {
			largest, found = p, true
		}
	}
	return largest, found
}

// Places returns all slots, cut for machines: a power of two, at least two halves, so that a second
// machine need not wait for the first. A single machine that stays alone has them all.
func Places(machines int, alone bool) []messages.Place {
	if alone {
		return []messages.Place{whole}
	}
	of := 2
	for of < machines {
		of *= 2
	}
	all := make([]messages.Place, of)
	for i := range all {
		all[i] = messages.Place{Index: i, Of: of}
	}
	return all
}

// Halve returns what a machine keeps, and what it gives, when it gives half of its slots away;
// false when it has too few.
func Halve(p messages.Place) (kept, given messages.Place, ok bool) {
	kept, given = halves(p)
	return kept, given, p != messages.NoSlot && kept.Of <= placesMax
}
