//go:build race

package store

// UnderRace is for both packages of tests.
const UnderRace = true
