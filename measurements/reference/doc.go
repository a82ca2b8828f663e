// Package reference is the form in which a telltale tells others what it measured (control R).
//
// A reference vantage stands where nobody censors. Whoever fails to reach an app asks it whether the app
// is up. Its answer says what it met in its last round, endpoint by endpoint; it is signed with Ed25519,
// so that a network that lies about the app can't lie about the reference, and it names its time, so
// that an old answer can't be played again for ever.
//
//   - answer.go: what an answer holds, and how a round becomes one
//   - sign.go: how it is signed, verified and bounded
//   - helper.go: what a reference announces whose operator also lets others make control X with it
//   - anyname.go, limits.go: the far end of control X, on sockets that it is handed
//
// It opens nothing: who serves an answer, and who asks for it, is somebody else.
package reference
