package plan

import "github.com/discluster/control/messages"

// While MASTER is away nobody knows the day's budget, and Discord resets the token of a bot that
// exceeds it. So every machine has a share of it beforehand, which it may spend alone. MASTER
// grants nothing of what it has lent: of a machine it cannot see it assumes that everything is
// spent. Half of what is left is never lent, so that MASTER can go on granting while shares are
// made smaller.

// Loan is the most that one machine can spend without MASTER, by what it was told and may have
// heard.
type Loan struct {
	Latest   messages.Share // told last
	before   messages.Share // that it had when it was told that
	Most     int            // that it may spend
	MostDead int            // of that for what crashed: its reserve stays

	Uncounted int // that it may have spent while MASTER, or this life of it, did not hear of it
}

// Heard takes what a machine says it has left, and returns how much it spent alone since it said so
// last. fresh: it was linked again since it was told its latest share, which it will hear of no
// more if it has not. known: it may be told another one.
func (l Loan) Heard(left messages.Share, fresh bool) (after Loan, spent int, known bool) {
	switch left.ID {
	case l.Latest.ID:
		spent = max(l.Latest.Remaining-left.Remaining, 0)
		l.Latest.Remaining -= spent
	case l.before.ID:
		spent = max(l.before.Remaining-left.Remaining, 0)
		l.before.Remaining -= spent
		if !fresh {
			return l, spent, false
		}
		l.Latest = l.before
	default: // an earlier life of MASTER gave it, or the machine lost what it had
		l.Uncounted += l.Most + max(left.Total-left.Remaining, 0)
		l.Latest = left
	}
	l.Most, l.MostDead = l.Latest.Remaining, max(l.Latest.Remaining-l.Latest.Reserve, 0)
	return l, spent, true
}

// Lend makes s the machine's latest share: it may hear of it, or not.
func (l Loan) Lend(s messages.Share) Loan {
	l.before, l.Latest = l.Latest, s
	l.Most, l.MostDead = max(l.Most, s.Remaining), max(l.MostDead, s.Remaining-s.Reserve)
	return l
}

// Share returns the share of a machine that has shards of all, where lent is what the others may
// spend.
func (b Budget) Share(shards, all, lent int) messages.Share {
	if all < 1 || b.Total == 0 {
		return messages.Share{}
	}
	shards = min(shards, all)
	n := max(min(b.Remaining/2*shards/all, b.Remaining/2-lent), 0)
	reserve := (b.Reserve*shards + 2*all - 1) / (2 * all)
	return messages.Share{Total: n, Remaining: n, Reserve: reserve, Others: max(lent, b.Remaining/2-n)}
}

// Unmet returns what machines may have that an earlier life of MASTER lent a share and this one has
// not heard of, and of it what for that which crashed. Those that it has heard of may spend lent, and
// lentDead, and say that others have at most others; below 0: they do not know. No more is ever lent
// than half of a day.
func (b Budget) Unmet(others, lent, lentDead int) (most, dead int) {
	most, dead = max(b.Total/2-lent, 0), max((b.Total-b.Reserve+1)/2-lentDead, 0)
	if others >= 0 {
		most = min(most, others)
	}
	return most, min(dead, most)
}

// AllowsBeside is Allows beside machines that may spend lent without MASTER, and of it lentDead for
// what crashed.
func (b Budget) AllowsBeside(cause messages.IdentifyCause, n, out, lent, lentDead int) bool {
	if b.Total > 0 && n > b.Remaining-lent {
		return false
	}
	b.Remaining -= lentDead
	return b.Allows(cause, n, out)
}

// Alone is a share as the budget of a machine whose MASTER is away: what nobody says is whole again
// stays spent.
func Alone(s messages.Share) Budget {
	if s.ID == 0 {
		return Budget{}
	}
	return Budget{Total: max(s.Total, 1), Remaining: s.Remaining, Reserve: s.Reserve}
}
