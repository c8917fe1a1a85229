// Package syntax knows the shape of source text: where a cursor is, what is
// defined and imported, whether it still parses. It knows bytes and offsets in
// bytes, and deliberately nothing of documents, of an editor's positions or of
// tokens; nor does it resolve a name. Each language is a grammar of tree-sitter
// and a file in queries/, whose README says how to add one.
package syntax

import "sync/atomic"

// Limits. What goes beyond one is left out of the answer, or is an error where
// there is no answer without it.
const (
	// MaxBytes is the longest text that is parsed. A tree takes some ten
	// times its text in memory, and generated files complete without one.
	MaxBytes = 1 << 20

	// chunkBytes is what the parser reads between two looks at the clock. In the
	// worst texts it goes over a chunk once for each byte of it.
	chunkBytes = 2 << 10

	maxMatches     = 20_000 // of a query over a whole file, and 2 µs each
	maxNodes       = 50_000 // that are looked at for errors
	maxRun         = 1_000  // nodes without a name side by side: a query's time goes with their square
	maxScopes      = 64     // deeper nesting is not written by people
	maxSignature   = 240    // bytes; a longer one is cut
	maxIdentifiers = 512    // of one range
)

// Kind says what a definition defines. The values are the names that captures
// have in the query files behind "def.".
type Kind string

// Kinds of definitions.
const (
	Function  Kind = "function"
	Method    Kind = "method"
	Closure   Kind = "closure" // a function without a name; only a Scope has it
	Class     Kind = "class"
	Struct    Kind = "struct" // and union
	Interface Kind = "interface"
	Enum      Kind = "enum"
	Trait     Kind = "trait"
	Impl      Kind = "impl"
	Module    Kind = "module" // a named part of a file: namespace, mod
	Type      Kind = "type"   // any other
	Macro     Kind = "macro"
	Field     Kind = "field" // and enumerator
	Constant  Kind = "constant"
	Variable  Kind = "variable"
)

// runs reports whether a definition's body is code that runs when it is called.
func (k Kind) runs() bool { return k == Function || k == Method || k == Closure }

// holds reports whether functions in a definition's body are its methods.
func (k Kind) holds() bool {
	switch k {
	case Class, Struct, Interface, Enum, Trait, Impl:
		return true
	}
	return false
}

// Usage is what lives in C, where Go's collector does not see it.
type Usage struct {
	Trees   int64 `json:"trees"`   // that are not closed, copies for readers too
	Parsers int64 `json:"parsers"` // that work now
}

var liveTrees, liveParsers atomic.Int64

// Live counts the trees and parsers of this process. Where nothing is open and
// nobody asks, both are 0.
func Live() Usage { return Usage{Trees: liveTrees.Load(), Parsers: liveParsers.Load()} }
