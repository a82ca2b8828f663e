package store

import "os"

// giveAway is for where root is another user: here the directory's rights are those of its files.
func giveAway(*os.File, string) error { return nil }
