package retrieve

import (
	"strings"
	"testing"
)

// definitionTests have what must stand in the chunks, in this order, and what
// must not.
var definitionTests = []struct {
	name, archive string
	want          []string
	not           []string
}{
	{"python: what is imported and not used comes first", `
-- pkg/__init__.py --
from .base import *
from .deep.tool import Tool as Hammer
-- pkg/base.py --
class Base:
    """Of all."""
    limit: int = 3

    def __init__(self, name, *, size=1):
        self.name = name
        self._hidden = size
        self.parent: "Base" = None

    @property
    def title(self):  # a comment
        return self.name

    def run(self, first, second):
        for i in range(10):
            print(first)
        return second

    def _private(self):
        pass
-- pkg/deep/__init__.py --
-- pkg/deep/tool.py --
class Tool:
    def strike(self, nail): ...
-- pkg/use.py --
from pkg import Base, Hammer
import os

class Mine(Base):
    def go(self):
        self.run(1, 2)
        x = ▮
`, []string{"class Base:\n", "    limit: int = 3\n", "    def __init__(self, name, *, size=1):\n", "        self.name = name\n",
		"    @property\n    def title(self):\n", "    def run(self, first, second):\n"}, []string{"# a comment", "range(10)"}},
	{"python: an unused name before a used one", `
-- a.py --
def used(x):
    return 1
-- b.py --
def waiting(y):
    return 2
-- c.py --
from a import used
from b import waiting

def f():
    used(1)



    return ▮
`, []string{"def waiting(y):", "def used(x):"}, nil},
	{"python: a module's name, a relative package and a source layout", `
-- src/app/util/text.py --
def slug(title):
    return title.lower()
def other():
    pass
-- src/app/__init__.py --
-- src/app/main.py --
import app.util.text as t
from .util import text

t.slug(▮
`, []string{"def slug(title):"}, nil},
	{"python: a field that is set to a typed parameter", `
-- model.py --
class Model:
    def answer(self, prompt):
        a = 1
        return prompt
-- agent.py --
from model import Model

class Agent:
    def __init__(self, model: Model):
        self.model = model

    def run(self):
        return self.model.▮
`, []string{"class Model:", "def answer(self, prompt):"}, nil},
	{"go: through a field of another file to an interface of another package", `
-- go.mod --
module example.org/shop

-- store/store.go --
package store

type Store interface {
	Load(id string) (*Item, error)
	Close() error
}

type Item struct{ ID string }
-- cart.go --
package shop

import "example.org/shop/store"

type cart struct {
	items store.Store
}

func (c *cart) size() int { return 0 }
-- use.go --
package shop

func sum(c *cart) int {
	item, err := c.items.▮
}
`, []string{"type Store interface {", "Load(id string) (*Item, error)"}, nil},
	{"go: what a call gives", `
-- go.mod --
module example.org/shop
-- pool.go --
package shop

type pool struct{}

func newPool(size int) *pool { return nil }

func (p *pool) take(wait bool) string { return "" }
-- helper_test.go --
package shop

func helper() {}
-- use.go --
package shop

func f() {
	p := newPool(3)
	helper()
	p.▮
}
`, []string{"type pool struct{}\n", "func newPool(size int) *pool"}, []string{"helper"}},
	{"typescript: a class by its default export, an alias", `
-- src/clock.ts --
export default class Clock {
  private now: number = 0;
  constructor(start: number) {
    this.now = start;
  }
  tick(by: number): number {
    this.now += by;
    return this.now;
  }
  more(): void {
    return;
  }
}
-- src/use.ts --
import Clock from "@/clock";
const c = new Clock(1);
c.▮
`, []string{"export default class Clock", "tick(by: number): number"}, nil},
	{"rust: nested uses, a trait of the crate", `
-- Cargo.toml --
[package]
name = "my-crate"
-- src/lib.rs --
mod util;
mod app;
-- src/util/mod.rs --
pub mod search;
-- src/util/search.rs --
pub struct Input<'a> {
    text: &'a str,
}
impl<'a> Input<'a> {
    pub fn new(text: &'a str) -> Input<'a> { Input { text } }
    pub fn span(&self) -> usize { 1 }
}
-- src/app.rs --
use crate::{util::{search::{Input as In}}};

fn main() {
    let i = ▮
}
`, []string{"pub struct Input<'a> {"}, nil},
	{"c: a function of a header", `
-- include/list.h --
int list_push(struct list *l, void *item);
struct list { int n; };
-- main.c --
#include "list.h"
int main(void) {
	struct list l;
	list_push(▮
`, []string{"int list_push(struct list *l, void *item)", "struct list { int n; };"}, nil},
	{"java: an imported class", `
-- src/main/java/org/shop/Price.java --
package org.shop;
public class Price {
    public final long cents;
    public Price(long cents) { this.cents = cents; }
    public Price plus(Price other) {
        long sum = this.cents + other.cents;
        return new Price(sum);
    }
}
-- src/main/java/org/app/Use.java --
package org.app;
import org.shop.Price;
class Use {
    long f(Price price) {
        return price.▮
    }
}
`, []string{"public class Price", "public Price plus(Price other)"}, nil},
	{"lua: a function of a module", `
-- core/queue.lua --
local Queue = {}
function Queue.new(name)
  return {}
end
return Queue
-- main.lua --
local Queue = require("core.queue")
local q = Queue.new(▮
`, []string{"function Queue.new(name)"}, nil},
	{"shell: a function that is sourced", `
-- lib.sh --
log() {
  echo "$1"
}
-- main.sh --
source ./lib.sh
log "$x▮
`, []string{"log() {"}, nil},
	{"python: the type that a function gives, which is not imported", `
-- pool.py --
class Connection:
    def send(self, data): ...

def connect(host) -> Connection:
    return Connection()
-- main.py --
from pool import connect

c = connect("here")
▮
`, []string{"def connect(host) -> Connection:", "class Connection:"}, nil},
	{"python: an inherited method of self", `
-- base.py --
class Base:
    def send(self, data): ...
class Other:
    def send(self, data, more): ...
class Third:
    def send(self, data, more): ...
class Fourth:
    def send(self, data, more): ...
-- middle.py --
from base import Base
class Middle(Base):
    pass
-- main.py --
from middle import Middle

class Mine(Middle):
    def run(self):
        self.send(1)▮
`, []string{"class Base:"}, []string{"class Other:"}},
	{"no import, a rare name", `
-- far/away.py --
class Telescope:
    def look(self, star): ...
-- main.py --
t = Telescope(▮
`, []string{"class Telescope:"}, nil},
}

func TestDefinition(t *testing.T) {
	for _, test := range definitionTests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t, test.archive)
			got := shown(f.chunks(Definition))
			rest := got
			for _, want := range test.want {
				_, after, found := strings.Cut(rest, want)
				if !found {
					t.Fatalf("chunks\n%s\nwant %q in its place", got, want)
				}
				rest = after
			}
			for _, not := range test.not {
				if strings.Contains(got, not) {
					t.Errorf("chunks\n%s\nwith %q", got, not)
				}
			}
		})
	}
}

var receiverTests = []struct{ name, archive, want string }{
	{"a field of self, set to a parameter", `
-- model.py --
class Model: ...
-- main.py --
from model import Model

class Agent:
    def __init__(self, size,
                 model: Model = None):
        self.model = model

    def run(self):
        self.model.▮
`, "Model"},
	{"a field that a base makes by a call", `
-- base.py --
class Engine: ...
class Base:
    def __init__(self):
        self.engine = Engine()
-- main.py --
from base import Base

class Mine(Base):
    def run(self):
        self.engine.▮
`, "Engine"},
	{"what a method gives", `
-- a.ts --
export class Store { load(id: string): Item { return new Item(); } }
export class Item { name = ""; }
-- main.ts --
import { Store } from "./a";
function f(store: Store) {
  store.load("x").▮
`, "Item"},
	{"a class's own method, of a module", `
-- a.py --
class Config:
    def load(self) -> "Config": ...
-- main.py --
import a
a.Config().load().▮
`, "Config"},
	{"the nearest declaration", `
-- a.java --
class A {}
class B {}
-- main.java --
class Main {
    void f() {
        A x = new A();
        B x = new B();
        x.▮
`, "B"},
	{"nothing known", "\n-- a.go --\npackage a\nfunc f() {\n\tx := 1\n\tx.▮\n", ""},
	{"a module", "\n-- m.py --\nA = 1\n-- a.py --\nimport m\nm.▮\n", ""},
}

func TestReceiver(t *testing.T) {
	for _, test := range receiverTests {
		f := newFixture(t, test.archive)
		got := ""
		d := newMeanings(newSearch(f.q, f.r.index))
		if found, ok := d.receiver(f.q.Text[:f.q.Offset]); ok {
			got = found.symbol().name
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// TestOwnFile looks for what stands in the same file, when the prompt shows only
// a part, and the index knows an older text.
func TestOwnFile(t *testing.T) {
	f := newFixture(t, "\n-- a.py --\nclass Far:\n    def method(self, x): ...\n"+strings.Repeat("\n# filler", 100)+"\n\ny = Far▮\n")
	f.q.Shown = [2]int{f.q.Offset - 200, len(f.q.Text)}
	if got := shown(f.chunks(Definition)); !strings.Contains(got, "def method(self, x)") {
		t.Errorf("chunks\n%s", got)
	}
	f.q.Text, f.q.Offset = "# one\n# more\n"+f.q.Text, f.q.Offset+len("# one\n# more\n")
	f.q.Shown = [2]int{f.q.Offset - 200, len(f.q.Text)}
	if got := f.chunks(Definition); len(got) != 1 || got[0].Start != 2 || got[0].End != 4 || !strings.Contains(got[0].Text, "def method(self, x)") {
		t.Errorf("moved, chunks %+v", got)
	}
	f.q.Shown[0] = 0
	if got := f.chunks(Definition); len(got) != 0 {
		t.Errorf("all is shown, and yet\n%s", shown(got))
	}
}

func TestModule(t *testing.T) {
	for _, test := range []struct{ name, archive, want string }{
		{"python", `
-- pkg/shapes.py --
from typing import List
LIMIT = 3
__all__ = [
    "Circle",
]
class Circle:
    radius: float = 1
    def area(self, exact=False):
        return 3
def _hidden(): pass
def draw(shape):
    def inner(): pass
-- pkg/use.py --
from . import shapes
shapes.▮
`, "-- pkg/shapes.py --\nLIMIT = 3\nclass Circle:\n    radius: float = 1\n    def area(self, exact=False):\ndef draw(shape):\n"},
		{"go", `
-- go.mod --
module example.org/m
-- text/text.go --
package text

func Upper(s string) string { return s }

func lower() {}
-- text/text_test.go --
package text

func Check() {}
-- main.go --
package main

import "example.org/m/text"

func main() { text.▮ }
`, "-- text/text.go --\nfunc Upper(s string) string\n"},
		{"javascript by the name of a package of the workspace", `
-- packages/tools/package.json --
{"name": "@org/tools"}
-- packages/tools/src/index.js --
export const join = (a, b) => a + b;
-- packages/app/use.js --
import * as tools from "@org/tools";
tools.▮
`, "-- packages/tools/src/index.js --\nexport const join = (a, b) =>\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := shown(newFixture(t, test.archive).chunks(Definition)); got != test.want {
				t.Errorf("chunks\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestOutlineGetsCoarser(t *testing.T) {
	f := newFacts("a.py", "", "LIMIT = 1\nclass A:\n    x: int = 1\n    def m(self): pass\ndef f(): pass\n")
	for _, test := range []struct {
		most int
		want string
	}{
		{1000, "LIMIT = 1\nclass A:\n    x: int = 1\n    def m(self):\ndef f():\n"},
		{40, "class A:\n    def m(self):\ndef f():\n"},
		{20, "class A:\ndef f():\n"},
		{10, "class A:\n"},
		{3, ""},
	} {
		if got := f.outline(test.most); got != test.want {
			t.Errorf("outline in %d bytes\n%s\nwant\n%s", test.most, got, test.want)
		}
	}
}

func TestEdit(t *testing.T) {
	f := newFixture(t, `
-- a.go --
package a

func one() {
	first()
}

func two() {
	second()
}
-- b.go --
package a
▮
`)
	f.open("a.go", "package a\n\nfunc one() {\n\tfirst()\n}\n\nfunc two() {\n\tsecond()\n}\n")
	f.replace("a.go", "first()", "changed(1)")
	f.replace("a.go", "second()", "changed(2)")
	if got := shown(f.chunks(Edit)); !strings.HasPrefix(got, "-- a.go --\nfunc two() {\n\tchanged(2)\n}\n") || !strings.Contains(got, "\tchanged(1)\n") {
		t.Errorf("chunks\n%s", got)
	}
	f.replace("a.go", "package a\n", "package a\n\n// above\n")
	if got := shown(f.chunks(Edit)); !strings.Contains(got, "changed(2)") {
		t.Errorf("of hunks that moved\n%s", got)
	}
	if err := f.w.Close(f.path("a.go")); err != nil {
		t.Fatal(err)
	}
	if got := f.chunks(Edit); len(got) != 0 {
		t.Errorf("of a document that was not saved\n%s", shown(got))
	}
	f.replace("b.go", "package a", "package b")
	if got := f.chunks(Edit); len(got) != 0 {
		t.Errorf("of what the prompt shows\n%s", shown(got))
	}
}

func TestOpen(t *testing.T) {
	f := newFixture(t, "\n-- a.go --\npackage a\n▮\n")
	f.open("b.go", "package a\n\nfunc Old(x int) {\n}\n")
	f.open("c.kt", "fun plain() {\n}\n")
	f.open("d.go", "package a\n"+strings.Repeat("\n// line\n", 50)+"var here = 1\n")
	f.replace("d.go", "here = 1", "here = 2")
	f.w.Touch(f.path("b.go"))
	f.index()
	got := f.chunks(Open)
	if len(got) != 3 || got[0].Path != "b.go" || got[0].Text != "func Old(x int)\n" || got[1].Path != "d.go" ||
		!strings.Contains(got[1].Text, "here = 2") || strings.Contains(got[1].Text, "package") || got[2].Text != "fun plain() {\n}\n" {
		t.Errorf("chunks\n%s", shown(got))
	}
}

func TestSimilar(t *testing.T) {
	filler := strings.Repeat("unrelated line of text\n", 40)
	for _, ext := range []string{".kt", ".py"} {
		f := newFixture(t, "\n-- near"+ext+" --\n"+filler+"ledger = openLedger(path)\nledger.postEntry(amount)\nledger.closeBooks()\n"+filler+
			"\n-- far.txt --\nledger = openLedger(path)\nledger.postEntry(amount)\n"+
			"\n-- main"+ext+" --\nledger = openLedger(path)\nledger.postEntry(amount)\n▮\n")
		got := f.chunks(Similar)
		if len(got) != 1 || got[0].Path != "near"+ext || !strings.Contains(got[0].Text, "ledger.closeBooks()") || len(got[0].Text) > f.q.Budget*7/8 {
			t.Errorf("%s: chunks\n%s", ext, shown(got))
		}
	}
}

// TestSimilarUse looks for how others use what was imported and is not used yet.
func TestSimilarUse(t *testing.T) {
	f := newFixture(t, `
-- a.py --
def open_ledger(path, mode): ...
-- b.py --
from a import open_ledger

book = open_ledger(path / "book", mode="r")
-- main.py --
from a import open_ledger
`+strings.Repeat("\n# filler", 20)+`
def f():
    return ▮
`)
	if got := shown(f.chunks(Similar)); !strings.Contains(got, `open_ledger(path / "book", mode="r")`) {
		t.Errorf("chunks\n%s", got)
	}
}

func TestTrim(t *testing.T) {
	whole := Chunk{file: "a", Text: "one\ntwo\nthree\nfour\n", Start: 10, End: 14, verbatim: true}
	for _, test := range []struct {
		name string
		c    Chunk
		want string // "" if nothing is left
	}{
		{"the same lines", whole, ""},
		{"another file", Chunk{file: "b", Text: "one\n"}, "one\n"},
		{"above and over", Chunk{file: "a", Text: "x\ny\nz\none\n", Start: 7, End: 11, verbatim: true}, "x\ny\nz\n"},
		{"over and below", Chunk{file: "a", Text: "four\nx\ny\nz\n", Start: 13, End: 17, verbatim: true}, "x\ny\nz\n"},
		{"two lines are none", Chunk{file: "a", Text: "four\nx\ny\n", Start: 13, End: 16, verbatim: true}, ""},
		{"an outline with new lines", Chunk{file: "a", Text: "two\n    new\nthree\n"}, "two\n    new\n"},
		{"what a new line is in", Chunk{file: "a", Text: "one\n    two\nthree\n    new\n    two\n"}, "three\n    new\n"},
		{"an outline without", Chunk{file: "a", Text: "two\nthree\n"}, ""},
	} {
		c := test.c
		got := ""
		if trim(&c, []Chunk{whole}) {
			got = c.Text
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
