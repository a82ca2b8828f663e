package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/telltale-probe/telltale/config"
	"github.com/telltale-probe/telltale/probe"
)

// bytesNote stands before the list.
const bytesNote = `What telltale sends, byte by byte, made by the very code that measures; nothing
was sent for this list. Client randoms, keys, nonces, identifiers of
transactions, padding that looks like chance and times are fresh in every
message. All that can be sent is here, what is opt-in or sent on suspicion too;
most rounds send less.

Control N sends the same with a neutral name, the target's own or a random one
under example.com, and asks for "/", never for a WebSocket; beside a transfer of
the target's object it asks for that object. Where no name is in what is said,
it is MTProto in its obfuscated form, or STUN to a neutral server. The hop scan
(network.locate) sends hellos that expire on the way, and SYNs, with nothing in
them. Datagrams that nobody answers are sent again.

What is inside TLS, QUIC and WebSocket is shown in clear, and without frames;
requests in the form of HTTP/1.1. Not shown is what only answers a peer: how a
handshake goes on behind its hello, acknowledgements, alerts and closes, the
echo of a WebSocket's ping. Nor is what this program says as a server, to who
asks for its page, its metrics or its word as a reference or a helper.

Nothing of an account, and nothing that tells one volunteer from another, is in
any of it; but what you have pushed to a receiver of your own bears a random id.
`

// printBytes lists every message that rounds of a configuration send; of a single app, those to its targets.
func printBytes(t terminal, cfg *config.Config, apps []probe.App, alone bool) {
	_, _ = fmt.Fprint(t.out, bytesNote)
	plan := &probe.Plan{Apps: apps}
	if !alone {
		plan.Controls, plan.Placebo, plan.Trusted = cfg.Controls, cfg.Placebo, cfg.Trusted
		if cfg.System != nil {
			plan.System = []probe.Resolver{*cfg.System}
		}
		if cfg.Reference.URL != "" {
			plan.Reference = &probe.Reference{URL: cfg.Reference.URL}
		}
	}
	for _, s := range plan.Tape(context.Background()) {
		printMessages(t, s.To, s.Messages)
	}
	if !alone {
		printBytesPushed(t, cfg)
	}
}

func printMessages(t terminal, to string, messages []probe.Message) {
	_, _ = fmt.Fprintf(t.out, "\n%s\n", to)
	for _, m := range messages {
		_, _ = fmt.Fprintf(t.out, "  %s, %d bytes\n%s", m.What, len(m.Bytes), dump(m.Bytes))
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
