package main

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestCodeOf(t *testing.T) {
	const maps = `00400000-00fb8000 r-xp 00000000 fe:00 11264867                           /usr/bin/telltale
00fb8000-01bd3000 r--p 00bb8000 fe:00 11264867                           /usr/bin/telltale
01bd3000-01c9b000 rw-p 017d3000 fe:00 11264867                           /usr/bin/telltale
01d00000-01d10000 rwxp 00000000 fe:00 11264867                           /usr/bin/telltale
7ffc1d5f6000-7ffc1d617000 rw-p 00000000 00:00 0                          [stack]
7ffc1d7b1000-7ffc1d7b3000 r-xp 00000000 00:00 0                          [vdso]
7ffc1d7c0000-7ffc1d7c2000 r-xp 00000000 00:00 0
`
	for _, c := range []struct {
		maps       string
		address    uintptr
		start, end uintptr // 0: none
	}{
		{maps, 0x400000, 0x400000, 0xfb8000},
		{maps, 0xfb7fff, 0x400000, 0xfb8000},
		{maps, 0xfb8000, 0, 0},       // no code
		{maps, 0x1bd3000, 0, 0},      // data
		{maps, 0x1d00000, 0, 0},      // code that may have been written to
		{maps, 0x7ffc1d7b1000, 0, 0}, // the kernel's
		{maps, 0x7ffc1d7c0000, 0, 0}, // of no file
		{maps, 0x3fffff, 0, 0},
		{"", 0x400000, 0, 0},
		{"00400000 r-xp 00000000 fe:00 1 /usr/bin/telltale", 0x400000, 0, 0},
		{"x-y r-xp 00000000 fe:00 1 /usr/bin/telltale", 0x400000, 0, 0},
		{"00400000-00fb8000 r-xp", 0x400000, 0, 0},
	} {
		start, end, ok := codeOf(c.maps, c.address)
		if start != c.start || end != c.end || ok != (c.end != 0) {
			t.Errorf("%#x: %#x to %#x, %v, want %#x to %#x", c.address, start, end, ok, c.start, c.end)
		}
	}
}

// The code of a process that runs is found, and goes on running when it has been let go.
func TestProgramGoesOn(t *testing.T) {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	start, end, ok := codeOf(string(maps), reflect.ValueOf(strings.Fields).Pointer())
	if !ok || end-start < 1<<20 {
		t.Fatalf("code from %#x to %#x, %v", start, end, ok)
	}
	letProgramGo()
	if got := strings.Fields(" a  b "); len(got) != 2 {
		t.Error(got)
	}
}
