// Package retrieve finds what of the rest of a workspace helps to complete at a
// cursor.
package retrieve

// The retrievers.
const (
	Import     = "import"
	Open       = "open"
	Definition = "definition"
	Similar    = "similar"
	Edit       = "edit"
)

// Chunk is a piece of a file of the workspace.
type Chunk struct {
	Path   string  // as shown to the model: relative to its folder, slashes
	Text   string  // whole lines, ends with "\n"
	Source string  // the retriever that found it
	Score  float64 // after fusion
}

// Result is what was found.
type Result struct{ Chunks []Chunk }
