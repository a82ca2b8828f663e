package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/telltale-probe/telltale/probe"
)

// bytesNote stands before the list.
const bytesNote = `What telltale sends to each target, byte by byte, made by the very code that
measures; nothing was sent for this list. Client randoms, keys, nonces,
identifiers of transactions and times are fresh in every message. Control N
sends the same with a neutral name. What is inside TLS and QUIC is shown in
clear, in the form of HTTP/1.1. Nothing of an account, and nothing that tells
one volunteer from another, is in any of it.
`

// printBytes lists every message to every target of the apps.
func printBytes(t terminal, apps []probe.App) {
	_, _ = fmt.Fprint(t.out, bytesNote)
	for _, app := range apps {
		for _, target := range app.Targets {
			_, _ = fmt.Fprintf(t.out, "\n%s %s\n", app.ID, target.ID)
			for _, m := range probe.Tape(context.Background(), target) {
				_, _ = fmt.Fprintf(t.out, "  %s, %d bytes\n%s", m.What, len(m.Bytes), dump(m.Bytes))
			}
		}
	}
}

// dump shows bytes: as text where they are, else as hex with what can be read of it.
func dump(b []byte) string {
	const indent = "    "
	text := string(b)
	if readable(text) {
		return indent + strings.ReplaceAll(strings.TrimSuffix(text, "\r\n"), "\r\n", "\n"+indent) + "\n"
	}
	var out strings.Builder
	for line := range strings.Lines(hex.Dump(b)) {
		out.WriteString(indent + line[4:]) // an offset of four digits is enough
	}
	return out.String()
}

func readable(text string) bool {
	for _, r := range text {
		if (r < 0x20 || r > 0x7e) && r != '\r' && r != '\n' {
			return false
		}
	}
	return true
}
