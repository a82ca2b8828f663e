package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// appendWhole adds lines to a file, all of them or none, and returns when they are on the disk.
func (s *Store) appendWhole(path string, lines []byte) error {
	if err := s.repair(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	// No O_APPEND: the lock makes us the only writer, and Windows can't cut a file opened so.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		err = writeWhole(f, lines, end)
	}
	if err == nil && end == 0 {
		err = syncDir(filepath.Dir(path)) // a new file's name must outlive a power cut too
	}
	return errors.Join(err, f.Close())
}

// wholeFile is the part of os.File that writeWhole needs.
type wholeFile interface {
	io.WriterAt
	Sync() error
	Truncate(size int64) error
}

// writeWhole writes at the end of a file. On an error it cuts off what was written of it; if even
// that fails, repair does so before the next write.
func writeWhole(f wholeFile, lines []byte, end int64) error {
	_, err := f.WriteAt(lines, end)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		return nil
	}
	return errors.Join(err, f.Truncate(end))
}

// repair moves aside what stands after a file's last line feed: half a line that a crash left, which
// the next line would otherwise become part of.
func (s *Store) repair(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	end, err := wholeLines(f, size)
	if err == nil && end < size {
		err = s.moveAside(f, path, end, size)
	}
	return errors.Join(err, f.Close())
}

func (s *Store) moveAside(f *os.File, path string, end, size int64) error {
	log := s.options.Log.Warn().Str("file", filepath.Base(path)).Int64("bytes", size-end)
	if err := copyAside(io.NewSectionReader(f, end, size-end), path+tornSuffix); err != nil {
		// On a full disk there is no room to keep it. Whole lines matter more than half of one.
		log = log.AnErr("lost", err)
	}
	if err := errors.Join(f.Truncate(end), f.Sync()); err != nil {
		return fmt.Errorf("half a line can't be cut off: %w", err)
	}
	log.Msg("half a line, left by a crash, was moved aside")
	return nil
}

func copyAside(tail io.Reader, path string) error {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, io.MultiReader(tail, bytes.NewReader([]byte{'\n'})))
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

// wholeLines gives the position after the last line feed of a file's first size bytes.
func wholeLines(f io.ReaderAt, size int64) (int64, error) {
	buf := make([]byte, 64<<10)
	for end := size; end > 0; {
		start := max(end-int64(len(buf)), 0)
		part := buf[:end-start]
		if _, err := f.ReadAt(part, start); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
			return start + int64(i) + 1, nil
		}
		end = start
	}
	return 0, nil
}

// syncDir makes a directory's entries outlive a power cut. Windows has no such call, and needs none.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
