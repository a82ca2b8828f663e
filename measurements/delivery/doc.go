// Package delivery brings what waits in the store's outbox to a receiver that the volunteer chose.
//
// A Courier carries the messages of one kind, oldest first. What is lost on the way is sent again, with
// exponential back-off and jitter, for as long as the outbox keeps it: a week without a line costs nothing.
// What the receiver refuses for good is dropped, counted and logged; it is never sent in a loop. A message is
// forgotten once the receiver has said that it has it, so one whose answer was lost is sent twice: a receiver
// tells by the sample's time, or by the measurement's id.
//
// The package opens no socket: the HTTP client is handed in.
package delivery
