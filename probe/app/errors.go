// Package app speaks the first words of the messengers' own protocols, as far as no account is needed, and
// says what the answer proves: that the protocol is spoken at the other end, that somebody there answers to
// what we asked, or that it is the holder of the app's own key. The servers of the emulated internet and of
// the tests are here too, written beside the questions they answer.
package app

import (
	"fmt"
	"net/http"
)

// Imposter says that the peer speaks the app's protocol and cannot prove that it is the app.
type Imposter struct{ Reason string }

func (e *Imposter) Error() string { return "not the app: " + e.Reason }

// NotSpoken says that what came back is not the app's protocol.
type NotSpoken struct {
	Reason string
	// FirstBytes are what came, 64 at most. They may tell the volunteer's own address, as block pages
	// do: whoever keeps them scrubs them first.
	FirstBytes []byte
}

func (e *NotSpoken) Error() string { return "not the app's protocol: " + e.Reason }

// Refused says that the app's own transport said no, with a code of its protocol.
type Refused struct {
	Code int32
	// FirstBytes are what came, as NotSpoken's, where anybody's proxy could have said so: over HTTP. nil elsewhere.
	FirstBytes []byte
}

func (e *Refused) Error() string {
	return fmt.Sprintf("refused by the app's transport: code %d", e.Code)
}

// NotUpgraded says that an HTTP answer came to a WebSocket upgrade, and no WebSocket: another status than 101, or a 101
// whose header is longer than we read.
type NotUpgraded struct{ Status int }

func (e *NotUpgraded) Error() string {
	if e.Status == http.StatusSwitchingProtocols {
		return "no WebSocket: a header longer than we read"
	}
	return fmt.Sprintf("no WebSocket: HTTP status %d instead of 101", e.Status)
}
