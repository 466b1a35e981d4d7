package plan

import "github.com/discluster/control/messages"

// While MASTER is away no machine knows the day's budget, and Discord resets the token of a bot
// that exceeds it. So MASTER lends every machine a share of it beforehand, which the machine may
// spend alone. MASTER grants nothing of what it has lent: it assumes that a machine out of sight
// has spent everything. It keeps half of what is left, so that it can go on granting while shares
// are made smaller.

// Loan is the most that one machine can spend without MASTER, from the shares sent to it, any of
// which may be lost.
type Loan struct {
	Latest   messages.BudgetShare // sent last
	before   messages.BudgetShare // held when Latest was sent
	Most     int                  // that it may spend
	MostDead int                  // of that for crashes: its reserve stays

	Uncounted int // that it may have spent unknown to MASTER, or to this run of MASTER
}

// Heard takes what a machine reports to have left, and returns how much it spent alone since its
// previous report. fresh: the machine has linked again since its latest share was sent, so a share
// it has not received is lost. known: MASTER may send it another one.
func (l Loan) Heard(left messages.BudgetShare, fresh bool) (after Loan, spent int, known bool) {
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
	default: // an earlier run of MASTER lent it, or the machine lost its share
		l.Uncounted += l.Most + max(left.Total-left.Remaining, 0)
		l.Latest = left
	}
	l.Most, l.MostDead = l.Latest.Remaining, max(l.Latest.Remaining-l.Latest.Reserve, 0)
	return l, spent, true
}

// Lend makes s the machine's latest share. The machine may never receive it.
func (l Loan) Lend(s messages.BudgetShare) Loan {
	l.before, l.Latest = l.Latest, s
	l.Most, l.MostDead = max(l.Most, s.Remaining), max(l.MostDead, s.Remaining-s.Reserve)
	return l
}

// Share returns the share of a machine that has shards of all, where the others may spend lent.
func (b Budget) Share(shards, all, lent int) messages.BudgetShare {
	if all < 1 || b.Total == 0 {
		return messages.BudgetShare{}
	}
	shards = min(shards, all)
	n := max(min(b.Remaining/2*shards/all, b.Remaining/2-lent), 0)
	reserve := (b.Reserve*shards + 2*all - 1) / (2 * all)
	return messages.BudgetShare{Total: n, Remaining: n, Reserve: reserve, Others: max(lent, b.Remaining/2-n)}
}

// Unmet returns what machines may have that were lent a share by an earlier run of MASTER and are
// unknown to this one, and of it the part for crashes. The known machines may spend lent, and
// lentDead, and report that others have at most others; below 0: unknown. No more is ever lent than
// half of a day.
func (b Budget) Unmet(others, lent, lentDead int) (most, dead int) {
	most, dead = max(b.Total/2-lent, 0), max((b.Total-b.Reserve+1)/2-lentDead, 0)
	if others >= 0 {
		most = min(most, others)
	}
	return most, min(dead, most)
}

// AllowsBeside is Allows beside machines that may spend lent without MASTER, and of it lentDead for
// crashes.
func (b Budget) AllowsBeside(cause messages.IdentifyCause, n, out, lent, lentDead int) bool {
	if b.Total > 0 && n > b.Remaining-lent {
		return false
	}
	b.Remaining -= lentDead
	return b.Allows(cause, n, out)
}

// Alone returns a share as the budget of a machine whose MASTER is away: it stays spent until
// MASTER renews it.
func Alone(s messages.BudgetShare) Budget {
	if s.ID == 0 {
		return Budget{}
	}
	return Budget{Total: max(s.Total, 1), Remaining: s.Remaining, Reserve: s.Reserve}
}
