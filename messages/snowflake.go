package messages

import (
	"fmt"
	"math/big"
	"math/bits"
	"time"
)

// Snowflake is Discordoo's id: a decimal number of up to 128 bits, compared as text and never
// written as a JSON number (PROTOCOL A5).
//
//	ms since 2021-01-01 (42) << 86 | worker (32) << 54 | shard (32) << 22 | increment (22)
type Snowflake string

// ManagerShard is the shard field of every manager's snowflake; a bot whose manager has another
// runs standalone (PROTOCOL A2).
const ManagerShard = 1111111111

// snowflakeEpoch is 2021-01-01T00:00:00Z in unix milliseconds (PROTOCOL A5).
const snowflakeEpoch = 1609459200000

const (
	incrementBits = 22
	shardBits     = 32
	workerBits    = 32
	maxIncrement  = 1<<incrementBits - 3 // 4194301: upstream wraps to 0 after it (PROTOCOL A5)
)

// SnowflakeParts is a Snowflake taken apart.
type SnowflakeParts struct {
	Time      time.Time // whole milliseconds
	Worker    uint32    // pid of the maker
	Shard     uint32    // instance index, or ManagerShard
	Increment uint32    // counts within one maker, 0..4194301
}

// Snowflake combines the parts. A time before 2021 or beyond 42 bits of milliseconds, or an
// increment over 22 bits, is an error.
func (p SnowflakeParts) Snowflake() (Snowflake, error) {
	ms := p.Time.UnixMilli() - snowflakeEpoch
	if ms < 0 || ms >= 1<<42 {
		return "", fmt.Errorf("snowflake: time %s is outside 2021-01-01 + 42 bits of milliseconds", p.Time.UTC().Format(time.RFC3339))
	}
	if p.Increment >= 1<<incrementBits {
		return "", fmt.Errorf("snowflake: increment %d has more than %d bits", p.Increment, incrementBits)
	}
	const inLow = 64 - shardBits - incrementBits // bits of the worker in the lower half
	high := uint64(ms)<<(workerBits-inLow) | uint64(p.Worker)>>inLow
	low := uint64(p.Worker)<<(shardBits+incrementBits) | uint64(p.Shard)<<incrementBits | uint64(p.Increment)
	return decimal(high, low), nil
}

// decimal writes a number of 128 bits. Every operation between clusters gets an id, and math/big
// costs noticeably more.
func decimal(high, low uint64) Snowflake {
	const group = 10_000_000_000_000_000_000 // 19 digits, as many as 64 bits always hold
	var text [39]byte
	at := len(text)
	for high > 0 || low > 0 || at == len(text) {
		var rest uint64
		top := high / group
		low, rest = bits.Div64(high%group, low, group)
		high = top
		for range min(19, at) {
			at--
			text[at] = byte('0' + rest%10)
			if rest /= 10; rest == 0 && high == 0 && low == 0 {
				break
			}
		}
	}
	return Snowflake(text[at:])
}

// Parts splits the snowflake. Anything but a decimal number of at most 128 bits is an error.
func (s Snowflake) Parts() (SnowflakeParts, error) {
	v, ok := new(big.Int).SetString(string(s), 10)
	if !ok || v.Sign() < 0 || v.BitLen() > 128 || len(s) > 39 {
		return SnowflakeParts{}, fmt.Errorf("snowflake %.60q: want a decimal number of at most 128 bits", string(s))
	}
	take := func(bits uint) uint32 {
		field := new(big.Int).And(v, big.NewInt(1<<bits-1))
		v.Rsh(v, bits)
		return uint32(field.Uint64())
	}
	p := SnowflakeParts{Increment: take(incrementBits), Shard: take(shardBits), Worker: take(workerBits)}
	p.Time = time.UnixMilli(v.Int64() + snowflakeEpoch)
	return p, nil
}

// Mint makes the snowflakes of one process: one counter for all shards. Not safe for concurrent
// use.
type Mint struct {
	Worker uint32 // our pid
	next   uint32
}

// New returns the next snowflake of the given shard field. Upstream's counter wraps from 4194301 to
// 0. A clock before 2021 counts as 2021: the counter keeps the ids of one process apart.
func (m *Mint) New(now time.Time, shard uint32) Snowflake {
	if epoch := time.UnixMilli(snowflakeEpoch); now.Before(epoch) {
		now = epoch
	}
	p := SnowflakeParts{Time: now, Worker: m.Worker, Shard: shard, Increment: m.next}
	if m.next++; m.next > maxIncrement {
		m.next = 0
	}
	s, err := p.Snowflake()
	if err != nil {
		panic("mint: " + err.Error()) // a clock beyond the year 2160
	}
	return s
}
