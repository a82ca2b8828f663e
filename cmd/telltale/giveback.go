package main

import "runtime/debug"

// giveBack returns to the system what a round needed and the wait for the next one doesn't: the heap's free memory, and
// the pages of the program itself. A page that is wanted again comes from the system's cache of files.
func giveBack() {
	debug.FreeOSMemory()
	letProgramGo()
}
