package main

import (
	"os"
	"reflect"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// letProgramGo takes the code of the program out of the process, until it is run again: madvise(2), MADV_DONTNEED. Of the
// twelve megabytes that a round has touched, the wait for the next one runs one or two. The code is mapped from a file and never
// written, so that nothing can be lost; where the mapping isn't found, nothing is done.
func letProgramGo() {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return
	}
	if start, end, ok := codeOf(string(maps), reflect.ValueOf(letProgramGo).Pointer()); ok {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, start, end-start, unix.MADV_DONTNEED) // a kernel that refuses keeps it: as well
	}
}

// codeOf finds the mapping in which an address is, and says whether it is code from a file that nobody can write
// to (proc_pid_maps(5)).
func codeOf(maps string, address uintptr) (start, end uintptr, ok bool) {
	for line := range strings.Lines(maps) {
		fields := strings.Fields(line)
		if len(fields) < 6 || fields[1] != "r-xp" || !strings.HasPrefix(fields[5], "/") {
			continue
		}
		from, to, _ := strings.Cut(fields[0], "-")
		first, err := strconv.ParseUint(from, 16, strconv.IntSize)
		last, err2 := strconv.ParseUint(to, 16, strconv.IntSize)
		if err == nil && err2 == nil && uintptr(first) <= address && address < uintptr(last) {
			return uintptr(first), uintptr(last), true
		}
	}
	return 0, 0, false
}
