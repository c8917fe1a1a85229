package retrieve

import (
	"fmt"
	"strings"
	"testing"
)

// large is an archive of many Python files that import each other.
func large(files int) string {
	var b strings.Builder
	for i := range files {
		fmt.Fprintf(&b, "-- pkg%d/mod%d.py --\n", i%20, i)
		for j := range 4 {
			fmt.Fprintf(&b, "from pkg%d.mod%d import Class%d, helper_%d\n", (i+j)%20, (i+j)%files, (i+j)%files, (i+j)%files)
		}
		fmt.Fprintf(&b, "\nclass Class%d:\n", i)
		for j := range 10 {
			fmt.Fprintf(&b, "    def method_%d_%d(self, first, second=%d):\n        value = helper_%d(first)\n        self.field_%d = value + second\n        return self.field_%d\n\n",
				i, j, j, i, j, j)
		}
		fmt.Fprintf(&b, "def helper_%d(argument):\n    return Class%d().method_%d_1(argument)\n\n", i, i, i)
	}
	return b.String()
}

func BenchmarkChunks(b *testing.B) {
	f := newFixture(b, large(1000)+"-- pkg1/main.py --\nfrom pkg1.mod1 import Class1, helper_1\nfrom pkg2.mod2 import Class2\n\n"+
		strings.Repeat("def work(items):\n    for item in items:\n        helper_1(item)\n\n", 500)+"def last(x):\n    return ▮\n")
	b.Logf("%d bytes of facts for %d files", f.r.index.bytes, len(f.r.index.files))
	for b.Loop() {
		if got := f.r.Chunks(b.Context(), f.q); len(got.Chunks) == 0 {
			b.Fatal("no chunks")
		}
	}
}

// BenchmarkRetriever is each retriever alone, with what all of them share.
func BenchmarkRetriever(b *testing.B) {
	f := newFixture(b, large(1000)+"-- pkg1/main.py --\nfrom pkg1.mod1 import Class1, helper_1\n\ndef last(x):\n    return ▮\n")
	for _, s := range f.r.sources {
		b.Run(s.name, func(b *testing.B) {
			for b.Loop() {
				s.find(newSearch(f.q, f.r.index), b.Context())
			}
		})
	}
}

// BenchmarkUpdate tells of a snapshot in which nothing changed.
func BenchmarkUpdate(b *testing.B) {
	f := newFixture(b, large(1000)+"-- main.py --\n▮\n")
	for b.Loop() {
		f.index()
	}
}

func BenchmarkFacts(b *testing.B) {
	text := strings.Repeat("def work(items):\n    for item in items:\n        helper_1(item)\n\n", 500)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		newFacts("a.py", "", text)
	}
}
