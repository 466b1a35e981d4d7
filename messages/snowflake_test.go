package messages

import (
	"encoding/json"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"
)

// vector is one line of testdata/snowflakes.json.
type vector struct {
	Snowflake Snowflake
	Timestamp int64 // unix milliseconds
	WorkerID  uint32
	ShardID   uint32
	Increment uint32
}

func (v vector) parts() SnowflakeParts {
	return SnowflakeParts{Time: time.UnixMilli(v.Timestamp), Worker: v.WorkerID, Shard: v.ShardID, Increment: v.Increment}
}

type vectors struct {
	Epoch           int64
	ManagerShardID  uint32
	Generate        []vector
	Wrap            []vector
	Deconstruct     []vector
	GeneratePartial []vector
}

func recordedVectors(t testing.TB) vectors {
	t.Helper()
	text, err := os.ReadFile("testdata/snowflakes.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Generate) < 12 || len(v.Wrap) != 3 || len(v.Deconstruct) < 15 || len(v.GeneratePartial) < 3 {
		t.Fatalf("testdata/snowflakes.json has lost vectors: %+v", v)
	}
	return v
}

func (v vectors) all() []vector {
	var all []vector
	for _, some := range [][]vector{v.Generate, v.Wrap, v.Deconstruct, v.GeneratePartial} {
		all = append(all, some...)
	}
	return all
}

func TestRecordedSnowflakesBothWays(t *testing.T) {
	recorded := recordedVectors(t)
	if recorded.Epoch != snowflakeEpoch || recorded.ManagerShardID != ManagerShard {
		t.Errorf("epoch %d, manager's shard %d: want %d, %d", recorded.Epoch, recorded.ManagerShardID, int64(snowflakeEpoch), ManagerShard)
	}
	for _, v := range recorded.all() {
		if got, err := v.parts().Snowflake(); err != nil || got != v.Snowflake {
			t.Errorf("%+v: got %s, %v; want %s", v.parts(), got, err, v.Snowflake)
		}
		if got, err := v.Snowflake.Parts(); err != nil || got != v.parts() {
			t.Errorf("%s: got %+v, %v; want %+v", v.Snowflake, got, err, v.parts())
		}
	}
}

// Upstream's documentation gives "worker 11, shard 99, increment 5" for a number with other parts
// (PROTOCOL A5).
func TestDocumentationTrap(t *testing.T) {
	const documented, meant = Snowflake("1128425170719486862453931925225603077"), Snowflake("1128425170719486896937258638592966661")
	got, err := documented.Parts()
	if want := (SnowflakeParts{Time: time.UnixMilli(1624043753498), Worker: 4294965392, Shard: 3396614243, Increment: 5}); err != nil || got != want {
		t.Errorf("documented: got %+v, %v; want %+v", got, err, want)
	}
	got, err = meant.Parts()
	if want := (SnowflakeParts{Time: time.UnixMilli(1624043753499), Worker: 11, Shard: 99, Increment: 5}); err != nil || got != want {
		t.Errorf("meant: got %+v, %v; want %+v", got, err, want)
	}
}

// A manager and its first instance, as one process made them (PROTOCOL A5).
func TestMintCountsOverEveryShard(t *testing.T) {
	m := Mint{Worker: 24153}
	at := time.UnixMilli(snowflakeEpoch)
	for i, shard := range []uint32{ManagerShard, 0, 1} {
		want := SnowflakeParts{Time: at, Worker: 24153, Shard: shard, Increment: uint32(i)}
		if got, err := m.New(at, shard).Parts(); err != nil || got != want {
			t.Errorf("number %d: got %+v, %v; want %+v", i, got, err, want)
		}
	}
}

func TestMintWraps(t *testing.T) {
	m := Mint{next: maxIncrement}
	for _, want := range recordedVectors(t).Wrap {
		if got := m.New(time.UnixMilli(want.Timestamp), want.ShardID); got != want.Snowflake {
			t.Errorf("got %s, want %s", got, want.Snowflake)
		}
	}
}

// Upstream makes numbers of some of these: negative ones, and ones of 129 bits.
func TestPartsOutOfRange(t *testing.T) {
	for _, c := range []struct {
		name  string
		parts SnowflakeParts
		text  string
	}{
		{"before 2021", SnowflakeParts{Time: time.UnixMilli(snowflakeEpoch - 1)}, "outside 2021-01-01"},
		{"behind 42 bits", SnowflakeParts{Time: time.UnixMilli(snowflakeEpoch + 1<<42)}, "outside 2021-01-01"},
		{"increment of 23 bits", SnowflakeParts{Time: time.UnixMilli(snowflakeEpoch), Increment: 1 << 22}, "increment 4194304"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if s, err := c.parts.Snowflake(); err == nil || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %s, %v; want …%s…", s, err, c.text)
			}
		})
	}
}

func TestNoSnowflake(t *testing.T) {
	over := new(big.Int).Lsh(big.NewInt(1), 128).String()
	for _, s := range []Snowflake{"", "x", "1 ", " 1", "1.0", "1e3", "0x1", "1_0", "-1", Snowflake(over), Snowflake(strings.Repeat("0", 40))} {
		if parts, err := s.Parts(); err == nil {
			t.Errorf("%q: got %+v, want an error", string(s), parts)
		}
	}
}

// Parts and Snowflake are inverse; only a leading zero may be lost.
func FuzzSnowflake(f *testing.F) {
	for _, v := range recordedVectors(f).all() {
		f.Add(string(v.Snowflake))
	}
	f.Add("340282366920938463463374607431768211455") // 2^128-1
	f.Add("007")
	f.Fuzz(func(t *testing.T, text string) {
		parts, err := Snowflake(text).Parts()
		if err != nil {
			return
		}
		made, err := parts.Snowflake()
		if err != nil {
			t.Fatalf("%q: parts %+v: %v", text, parts, err)
		}
		want, ok := new(big.Int).SetString(text, 10)
		if !ok || string(made) != want.String() {
			t.Fatalf("%q: made %s of it again", text, made)
		}
	})
}
