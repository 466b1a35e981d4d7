package snapshot

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"

	"github.com/discluster/control/messages"
)

// Path returns where the gateway host of a cluster keeps the snapshot of a shard; dir holds the
// folders of all hosts.
func Path(dir string, cluster messages.ClusterID, shard int) string {
	return filepath.Join(Folder(dir, cluster), File(shard))
}

// Folder returns the folder of the gateway host of a cluster.
func Folder(dir string, cluster messages.ClusterID) string {
	return filepath.Join(dir, fmt.Sprintf("cluster-%d", cluster))
}

// File returns the name of a shard's snapshot in that folder.
func File(shard int) string { return fmt.Sprintf("shard-%d", shard) }

// PartSize is the size in bytes of a part before it is compressed; the last one may be smaller.
const PartSize = 512 << 10

// errPart is why a part is refused.
var errPart = errors.New("part of a snapshot")

// ReadPart returns the part of a snapshot at an offset, compressed, and the offset of the next one;
// 0: it is the last. No log may have the file open.
func ReadPart(path string, offset int64) (part []byte, next int64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", errPart, err)
	}
	defer func() { _ = file.Close() }() // only read from
	plain := make([]byte, PartSize+1)
	n, err := file.ReadAt(plain, offset)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, 0, fmt.Errorf("%w: %w", errPart, err)
	case n == 0:
		return nil, 0, fmt.Errorf("%w: offset %d is beyond its end", errPart, offset)
	case n > PartSize:
		n, next = PartSize, offset+PartSize
	}
	part, err = compress(plain[:n])
	return part, next, err
}

// compress makes a coder for each part: parts are rare, and a coder holds a megabyte.
func compress(plain []byte) ([]byte, error) {
	to, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(PartSize))
	if err != nil {
		return nil, err
	}
	return to.EncodeAll(plain, nil), to.Close()
}

func decompress(part []byte) ([]byte, error) {
	from, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(PartSize))
	if err != nil {
		return nil, err
	}
	defer from.Close()
	return from.DecodeAll(part, nil)
}

// WritePart writes a part that ReadPart returned, in the order of the offsets, beside the snapshot.
// The last one replaces it. A part that does not follow the one before is an error, and so is one
// that cannot be decompressed.
func WritePart(path string, offset int64, part []byte, last bool) error {
	plain, err := decompress(part)
	if err == nil {
		err = writePart(path, offset, plain, last)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errPart, err)
	}
	return nil
}

func writePart(path string, offset int64, plain []byte, last bool) error {
	beside, flags := path+".part", os.O_WRONLY
	if offset == 0 {
		flags |= os.O_CREATE | os.O_TRUNC
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
	}
	file, err := os.OpenFile(beside, flags, modeFile)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil && info.Size() != offset {
		err = fmt.Errorf("at offset %d, where %d bytes are there", offset, info.Size())
	}
	if err == nil {
		_, err = file.WriteAt(plain, offset)
	}
	if err = errors.Join(err, file.Close()); err == nil && last {
		err = os.Rename(beside, path)
	}
	return err
}
