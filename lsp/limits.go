package lsp

import "time"

// Limits. What a client sends is bounded before it is believed.
const (
	maxHeaderBytes = 4 << 10   // of one line of a header; real ones have 30
	maxHeaderLines = 16        // of one header; the protocol knows two
	maxBodyBytes   = 128 << 20 // of a message; the largest document, every byte of it escaped, has room
	readBytes      = 64 << 10  // that a body grows by: memory follows what came, not what was promised
	maxIDBytes     = 1 << 10   // of a request's id that an error repeats
	maxCalls       = 1024      // that run at once; an editor has a handful
	maxOutgoing    = 256       // notifications that wait for a client which does not read
	maxSuggestions = 64        // that didShow and the like may still name
	maxWatched     = 64        // changes of files that are looked at one by one; beyond, everything is read anew
	maxRecords     = 64        // requests that tandem/explain remembers
	maxGlobs       = 256       // of the setting exclude
	maxGlobBytes   = 1 << 10   // of one of them; matching is a product of two lengths
	maxTokens      = 1024      // that the setting maxTokens may ask for: more is no completion
)

// Times. No answer waits for any of them.
const (
	parentPoll = 500 * time.Millisecond // between two looks at whether the editor's process lives
	endGrace   = time.Second            // that handlers have to return in once everything is cancelled
	reportStep = 0.01                   // of a progress: a client draws no finer
	idleUnload = 30 * time.Minute       // without a request; a load takes about a second
)
