package retrieve

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"tandem/context/syntax"
)

func TestIndexFollowsTheWorkspace(t *testing.T) {
	f := newFixture(t, "\n-- a.py --\ndef on_disk(): pass\n-- b.py --\n▮\n")
	defines := func(name string, want bool) {
		t.Helper()
		if files, _ := f.r.index.defining(name, 9); (len(files) > 0) != want {
			t.Errorf("%s is defined in %d files, want some: %v", name, len(files), want)
		}
	}
	defines("on_disk", true)
	f.open("a.py", "def in_editor(): pass\n")
	f.index()
	defines("on_disk", false)
	defines("in_editor", true)
	f.replace("a.py", "in_editor", "typed")
	f.index()
	defines("in_editor", false)
	defines("typed", true)
	if err := f.w.Close(f.path("a.py")); err != nil {
		t.Fatal(err)
	}
	f.index()
	defines("typed", false)
	defines("on_disk", true)
	f.write("a.py", "def written_anew(): pass\n")
	f.index()
	defines("on_disk", true) // nobody said that it changed
	f.w.Refresh()
	f.index()
	defines("on_disk", false)
	defines("written_anew", true)
	f.open("a.py", "def not_saved(): pass\n")
	f.index()
	if err := f.w.Close(f.path("a.py")); err != nil {
		t.Fatal(err)
	}
	f.w.Refresh() // at once with the close
	f.index()
	defines("not_saved", false)
	defines("written_anew", true)
	f.open("untitled", "")
	f.w.Refresh()
	f.index()
	if err := f.w.SetFolders(); err != nil {
		t.Fatal(err)
	}
	f.index()
	defines("written_anew", false)
	if f.r.index.file(f.path("b.py")) == nil {
		t.Error("an open document that is in no folder is not indexed")
	}
}

func TestRulesThatChange(t *testing.T) {
	f := newFixture(t, "\n-- a.py --\ndef on_disk(): pass\n-- b.py --\n▮\n")
	f.open("a.py", "def in_editor(): pass\n")
	for i, rules := range []string{"", "a.py\n", "# none\n"} {
		f.write(".gitignore", rules)
		f.w.Refresh()
		f.index()
		if got, want := f.r.index.file(f.path("a.py")) != nil, i != 1; got != want {
			t.Errorf("with the rules %q the document is indexed: %v, want %v", rules, got, want)
		}
	}
}

func TestUnchangedCostsNothing(t *testing.T) {
	f := newFixture(t, shop)
	before := f.r.index.file(f.path("shop/cart.py"))
	f.index()
	f.w.Touch(f.path("shop/cart.py"))
	f.index()
	if f.r.index.file(f.path("shop/cart.py")) != before {
		t.Error("what did not change was indexed again")
	}
}

func TestWaitEnds(t *testing.T) {
	r := New()
	defer r.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.worker.mu.Lock()
	r.worker.idle = make(chan struct{}) // busy
	r.worker.mu.Unlock()
	if err := r.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait with a cancelled context: %v", err)
	}
}

// TestIndexIsBounded fills an index beyond its limit, replaces and drops at
// random, and looks whether anything is left in the end.
func TestIndexIsBounded(t *testing.T) {
	const seed = 7
	random := rand.New(rand.NewPCG(seed, seed))
	x := newIndex()
	x.most = 40_000
	left := 0
	for range 2_000 {
		path := fmt.Sprintf("/p/%d.py", random.IntN(60))
		if random.IntN(4) == 0 {
			x.drop(path)
			continue
		}
		var text strings.Builder
		for range random.IntN(20) {
			fmt.Fprintf(&text, "def name%d(argument%d): pass\n", random.IntN(50), random.IntN(500))
		}
		if !x.put(newFacts(path, "", text.String())) {
			left++
		}
		if x.bytes > x.most {
			t.Fatalf("%d bytes, at most %d", x.bytes, x.most)
		}
	}
	if left == 0 {
		t.Error("the limit was never reached")
	}
	sum := int64(0)
	for path, f := range x.files {
		sum += f.size()
		if x.byID[f.id] != f || f.path != path {
			t.Errorf("%s is not at its id", path)
		}
	}
	if sum != x.bytes {
		t.Errorf("%d bytes, counted as %d", sum, x.bytes)
	}
	for name, list := range x.names {
		if !slices.IsSortedFunc(list, byPath) {
			t.Errorf("the files of %s are not in order", name)
		}
	}
	for i := range 60 {
		x.drop(fmt.Sprintf("/p/%d.py", i))
	}
	if len(x.files)+len(x.names)+len(x.words)+len(x.modules) != 0 || x.bytes != 0 || len(x.free) != len(x.byID) {
		t.Errorf("left when all is dropped: %d files, %d names, %d words, %d bytes", len(x.files), len(x.names), len(x.words), x.bytes)
	}
}

func TestGeneratedTextIsLeftOut(t *testing.T) {
	f := newFacts("a.js", "", "function one() {}"+strings.Repeat(" ", 3*maxMeanLine)+"\n")
	if len(f.symbols) > 0 || len(f.words) > 0 {
		t.Errorf("facts %+v", f)
	}
}

func TestSharing(t *testing.T) {
	x := newIndex()
	for i := range 40 {
		text := "everywhere = 1\n"
		if i%10 == 3 {
			text += "rare = 2\n"
		}
		x.put(newFacts(fmt.Sprintf("/p/%02d.py", i), "", text))
	}
	x.put(newFacts("/p/other.go", "", "package rare\n"))
	words := []uint32{hashWord("everywhere"), hashWord("rare"), hashWord("nowhere")}
	slices.Sort(words)
	weights := x.weigh(words)
	if len(weights) != 1 || weights[0].word != hashWord("rare") {
		t.Errorf("weights %v", weights)
	}
	for most, want := range map[int]string{9: "03 13 23 33", 2: "03 13"} {
		var got []string
		for _, c := range x.sharing(weights, "python", most) {
			got = append(got, c.path[3:5])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("the %d files that share most: %v, want %s", most, got, want)
		}
	}
}

func TestResolve(t *testing.T) {
	all := newPlaces([]string{
		"/w/src/app/__init__.py", "/w/src/app/a.py", "/w/src/app/sub/__init__.py", "/w/src/app/sub/b.py", "/w/tests/test_a.py", "/w/json.py",
		"/w/deep/json.py", "/w/pkg/go.mod", "/w/pkg/x/one.go", "/w/pkg/x/two.go", "/w/pkg/x/two_test.go",
		"/w/web/src/lib/util.ts", "/w/web/src/view/index.tsx", "/w/web/src/view/part.js", "/w/web/types.d.ts",
		"/w/c/src/main.c", "/w/c/include/net/sock.h", "/w/c/src/own.h",
		"/w/r/Cargo.toml", "/w/r/src/lib.rs", "/w/r/src/a.rs", "/w/r/src/a/b.rs", "/w/r/src/m/mod.rs", "/w/other/Cargo.toml", "/w/other/src/lib.rs", "/w/other/src/k.rs",
		"/w/j/src/main/java/org/x/Y.java", "/w/lua/core/q.lua", "/w/lua/core/p/init.lua", "/w/sh/lib/log.sh", "/w/sh/run.sh",
	})
	modules := []*facts{{path: "/w/other/Cargo.toml", module: "other"}, {path: "/w/pkg/go.mod", module: "example.org/m"}, {path: "/w/web/package.json", module: "web"}}
	for _, test := range []struct{ family, from, module, name, want, item string }{
		{"python", "/w/tests/test_a.py", "app.a", "f", "/w/src/app/a.py", "f"},
		{"python", "/w/tests/test_a.py", "app", "a", "/w/src/app/a.py", ""},
		{"python", "/w/tests/test_a.py", "app.sub", "", "/w/src/app/sub/__init__.py", ""},
		{"python", "/w/src/app/sub/b.py", "..a", "f", "/w/src/app/a.py", "f"},
		{"python", "/w/src/app/sub/b.py", ".", "f", "/w/src/app/sub/__init__.py", "f"},
		{"python", "/w/src/app/sub/b.py", "..", "*", "/w/src/app/__init__.py", ""},
		{"python", "/w/src/app/a.py", "json", "", "/w/json.py", ""},
		{"python", "/elsewhere/a.py", "json", "", "", ""},
		{"python", "/w/a.py", "....................................", "f", "", ""},
		{"go", "/w/a.go", "example.org/m/x", "F", "/w/pkg/x/one.go /w/pkg/x/two.go", "F"},
		{"go", "/w/a.go", "example.org/more/x", "F", "", ""},
		{"go", "/w/a.go", "fmt", "Println", "", ""},
		{"javascript", "/w/web/src/view/part.js", "../lib/util.js", "f", "/w/web/src/lib/util.ts", "f"},
		{"javascript", "/w/web/src/lib/util.ts", "../view", "", "/w/web/src/view/index.tsx", ""},
		{"javascript", "/w/web/src/view/part.js", "@/lib/util", "f", "/w/web/src/lib/util.ts", "f"},
		{"javascript", "/w/other.js", "web/lib/util", "f", "/w/web/src/lib/util.ts", "f"},
		{"javascript", "/w/web/src/view/part.js", "react", "", "", ""},
		{"c", "/w/c/src/main.c", "<net/sock.h>", "", "/w/c/include/net/sock.h", ""},
		{"c", "/w/c/src/main.c", "own.h", "", "/w/c/src/own.h", ""},
		{"c", "/w/c/src/main.c", "<stdio.h>", "", "", ""},
		{"rust", "/w/r/src/a/b.rs", "crate::m", "F", "/w/r/src/m/mod.rs", "F"},
		{"rust", "/w/r/src/a/b.rs", "super", "F", "/w/r/src/a.rs", "F"},
		{"rust", "/w/r/src/a.rs", "self::b", "F", "/w/r/src/a/b.rs", "F"},
		{"rust", "/w/r/src/a.rs", "b", "", "/w/r/src/a/b.rs", ""},
		{"rust", "/w/r/src/lib.rs", "other::k", "F", "/w/other/src/k.rs", "F"},
		{"rust", "/w/r/src/lib.rs", "crate", "a::b::F", "/w/r/src/a/b.rs", "F"},
		{"rust", "/w/r/src/lib.rs", "std::fmt", "Display", "", ""},
		{"java", "/w/j/src/main/java/org/z/A.java", "org.x.Y", "", "/w/j/src/main/java/org/x/Y.java", "Y"},
		{"java", "/w/j/src/main/java/org/z/A.java", "org.x.Y.of", "", "/w/j/src/main/java/org/x/Y.java", "Y"},
		{"java", "/w/j/src/main/java/org/z/A.java", "java.util.List", "", "", ""},
		{"lua", "/w/lua/main.lua", "core.q", "", "/w/lua/core/q.lua", ""},
		{"lua", "/w/lua/main.lua", "core.p", "", "/w/lua/core/p/init.lua", ""},
		{"shellscript", "/w/sh/run.sh", `"$(dirname "$0")/lib/log.sh"`, "", "/w/sh/lib/log.sh", ""},
		{"shellscript", "/w/sh/run.sh", `$HERE/lib/log.sh`, "", "/w/sh/lib/log.sh", ""},
		{"shellscript", "/w/sh/run.sh", `$HERE`, "", "", ""},
		{"cobol", "/w/a", "b", "", "", ""},
	} {
		r := resolver{all, modules, test.from, test.family}
		got, ok := r.target(test.module, test.name)
		if files := strings.Join(got.files, " "); files != test.want || ok != (test.want != "") || ok && got.item != test.item {
			t.Errorf("%s: %s of %q in %s is %q of %s, want %q of %s", test.family, test.name, test.module, test.from, got.item, files, test.item, test.want)
		}
	}
}

func TestNestedNames(t *testing.T) {
	for name, want := range map[string]string{
		"a":                         "a",
		"a::{b, c::{d as e, f}, g}": "a::b a::c::d=e a::c::f a::g",
		"{a}":                       "a",
		"a::{":                      "a::{",
		"}{":                        "}{",
		"{}":                        "",
		"{a,}":                      "a",
		"{{{a}}}":                   "a",
	} {
		var got []string
		for _, m := range appendNames(nil, "", name, "", maxDepth) {
			if m.As != "" {
				m.Name += "=" + m.As
			}
			got = append(got, m.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("names in %q: %q, want %q", name, got, want)
		}
	}
	if names := appendNames(nil, "", strings.Repeat("{", 1000)+strings.Repeat("}", 1000), "", maxDepth); len(names) != 0 {
		t.Errorf("names in too many braces: %v", names)
	}
	if local(syntax.Imported{Name: "a::b"}) != "b" || local(syntax.Imported{Name: "a", As: "c"}) != "c" {
		t.Error("local names")
	}
}

func TestModuleIn(t *testing.T) {
	for _, test := range []struct{ base, text, want string }{
		{"go.mod", "// of\nmodule example.org/m // v2\n\ngo 1.26\n", "example.org/m"},
		{"go.mod", "", ""},
		{"Cargo.toml", "[workspace]\nname = \"no\"\n[package]\nversion = \"1\"\nname = \"my-crate\"\n", "my_crate"},
		{"package.json", `{"name": "@org/tools", "version": "1"}`, "@org/tools"},
		{"package.json", `{"name": 3`, ""},
		{"setup.py", "name = 'x'", ""},
	} {
		if got := moduleIn(test.base, test.text); got != test.want {
			t.Errorf("%s of %q: %q, want %q", test.base, test.text, got, test.want)
		}
	}
}
