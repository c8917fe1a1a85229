package syntax

import (
	"strings"
	"testing"
)

// large repeats a fixture to about 130 KB.
func (f fixture) large() string {
	head, body := "", f.text
	if f.lang == langGo {
		i := strings.Index(body, "const maxLines") // one package clause, one block of imports
		head, body = body[:i], body[i:]
	}
	body = strings.TrimSuffix(body, "return Queue\n") // Lua allows it once
	return head + strings.Repeat(body, 130_000/len(body))
}

func BenchmarkParse(b *testing.B) {
	for _, f := range fixtures(b) {
		text := f.large()
		b.Run(f.name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				tree, err := Parse(f.lang, text, patient)
				if err != nil {
					b.Fatal(err)
				}
				tree.Close()
			}
		})
	}
}

// BenchmarkEdit types one character in the middle.
func BenchmarkEdit(b *testing.B) {
	for _, f := range fixtures(b) {
		text := f.large()
		line := lineAt(text, len(text)/2)
		typed := text[:line.end] + " x" + text[line.end:]
		tree := mustParse(b, f.lang, text)
		b.Run(f.name, func(b *testing.B) {
			for b.Loop() {
				next, err := tree.Edit(typed, patient)
				if err != nil {
					b.Fatal(err)
				}
				next.Close()
			}
		})
	}
}

// BenchmarkAsk asks for what a keystroke wants, of an unfinished line in the middle.
func BenchmarkAsk(b *testing.B) {
	for _, f := range fixtures(b) {
		text := f.large()
		line := lineAt(text, len(text)/2)
		typed := text[:line.end] + "\n foo.bar(" + text[line.end:]
		at := line.end + len("\n foo.bar(")
		tree := mustParse(b, f.lang, typed)
		ask := func(name string, question func()) {
			b.Run(name+"/"+f.name, func(b *testing.B) {
				for b.Loop() {
					question()
				}
			})
		}
		ask("scopes", func() { tree.Scopes(at, patient) })
		ask("errors", func() { tree.ErrorsIn(0, len(typed)) })
		ask("string", func() { tree.InStringOrComment(at) })
		ask("identifiers", func() { tree.Identifiers(at-2000, at) })
		ask("facts", func() {
			if v, ok := tree.view(); ok {
				f.lang.collect(v, 0, len(typed))
				v.close()
			}
		})
	}
}
