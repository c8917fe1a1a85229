package retrieve

import (
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// places answers which files an import means, by paths alone: nothing is
// configured, and what cannot be found is not there. Paths in it are slashed. It
// never changes.
type places struct {
	native map[string]string   // slashed path → as the workspace has it
	byBase map[string][]string // last element → paths, in order
	inDir  map[string][]string // folder → the files in it, in order
}

// target is what an import, or a name out of one, means: the first of the files
// that define item, or the files themselves where item is "".
type target struct {
	files []string // slashed
	item  string
}

func newPlaces(paths []string) *places {
	p := &places{native: make(map[string]string, len(paths)), byBase: map[string][]string{}, inDir: map[string][]string{}}
	for _, native := range paths {
		file := filepath.ToSlash(native)
		p.native[file] = native
		p.byBase[path.Base(file)] = append(p.byBase[path.Base(file)], file)
		p.inDir[path.Dir(file)] = append(p.inDir[path.Dir(file)], file)
	}
	return p
}

// first is the first of the files that is there.
func (p *places) first(files ...string) (string, bool) {
	for _, f := range files {
		if _, ok := p.native[f]; ok {
			return f, true
		}
	}
	return "", false
}

// upwards looks for tails in the folder of from, in those around it, and in
// folders named so in them: the nearest wins, then the first.
func (p *places) upwards(from string, folders []string, tails ...string) (string, bool) {
	dir := path.Dir(from)
	for range maxDepth {
		for _, folder := range folders {
			for _, tail := range tails {
				if f, ok := p.first(path.Join(dir, folder, tail)); ok {
					return f, true
				}
			}
		}
		if parent := path.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		break
	}
	return "", false
}

// ending is the path that ends with tail, whole elements: the one that shares the
// most folders with from, the shorter of two.
func (p *places) ending(from, tail string) (string, bool) {
	best, bestShared := "", -1
	candidates := p.byBase[path.Base(tail)]
	for _, f := range candidates[:min(len(candidates), maxCandidates)] {
		if !strings.HasSuffix(f, "/"+tail) && f != tail {
			continue
		}
		shared := sharedFolders(from, f)
		if shared > bestShared || shared == bestShared && len(f) < len(best) {
			best, bestShared = f, shared
		}
	}
	return best, best != ""
}

// sharedFolders counts the folders that two paths begin with.
func sharedFolders(a, b string) int {
	n := 0
	for i := 0; i < len(a) && i < len(b) && a[i] == b[i]; i++ {
		if a[i] == '/' {
			n++
		}
	}
	return n
}

// find looks upwards, then for a path that ends with a tail of several elements:
// "util.py" alone may be anything.
func (p *places) find(from string, folders []string, tails ...string) (string, bool) {
	if f, ok := p.upwards(from, folders, tails...); ok {
		return f, true
	}
	for _, tail := range tails {
		if strings.Count(tail, "/") == 0 {
			continue
		}
		if f, ok := p.ending(from, tail); ok {
			return f, true
		}
	}
	return "", false
}

// resolver knows the language of one file's imports.
type resolver struct {
	*places
	modules []*facts // manifests
	from    string   // the file, slashed
	family  string
}

// target is what "name" of the module written as module means; name is "" or "*"
// for the module itself.
func (r resolver) target(module, name string) (target, bool) {
	if name == "*" {
		name = ""
	}
	var t target
	switch r.family {
	case "python":
		t = r.python(module, name)
	case "go":
		t = target{r.goPackage(module), name}
	case "javascript":
		t = target{one(r.script(module)), name}
	case "rust":
		t = r.rust(module, name)
	case "c":
		t = target{one(r.include(module)), name}
	case "java":
		t = r.java(module)
	case "lua":
		tail := strings.ReplaceAll(module, ".", "/")
		t = target{one(r.find(r.from, []string{"", "lua", "src"}, tail+".lua", tail+"/init.lua")), name}
	case "shellscript":
		t = target{one(r.sourced(module)), name}
	}
	return t, len(t.files) > 0
}

func one(file string, ok bool) []string {
	if !ok {
		return nil
	}
	return []string{file}
}

// python: a name may be a module of its package.
func (r resolver) python(module, name string) target {
	rest := strings.TrimLeft(module, ".")
	tail := strings.ReplaceAll(rest, ".", "/")
	var file string
	var ok bool
	if dots := len(module) - len(rest); dots > 0 {
		dir := path.Dir(r.from)
		for range min(dots-1, maxDepth) {
			dir = path.Dir(dir)
		}
		tail = path.Join(dir, tail)
		if name != "" {
			if f, ok := r.first(pythonFiles(path.Join(tail, name))...); ok {
				return target{[]string{f}, ""}
			}
		}
		file, ok = r.first(pythonFiles(tail)...)
		return target{one(file, ok), name}
	}
	roots := []string{"", "src", "lib", "python"}
	if name != "" {
		if f, ok := r.find(r.from, roots, pythonFiles(path.Join(tail, name))...); ok {
			return target{[]string{f}, ""}
		}
	}
	file, ok = r.find(r.from, roots, pythonFiles(tail)...)
	return target{one(file, ok), name}
}

func pythonFiles(stem string) []string {
	if path.Base(stem) == "." || path.Base(stem) == "/" {
		return nil
	}
	return []string{stem + ".py", stem + "/__init__.py", stem + ".pyi", stem + "/__init__.pyi"}
}

// goPackage is the files of a package of a module in the workspace.
func (r resolver) goPackage(importPath string) []string {
	for _, m := range r.modules {
		rest, inside := strings.CutPrefix(importPath, m.module)
		if filepath.Base(m.path) != "go.mod" || !inside || rest != "" && rest[0] != '/' {
			continue
		}
		if files := r.goFiles(path.Join(path.Dir(filepath.ToSlash(m.path)), rest)); len(files) > 0 {
			return files
		}
	}
	return nil
}

// goFiles are the sources in a folder that other packages see.
func (r resolver) goFiles(dir string) []string {
	var files []string
	for _, f := range r.inDir[dir] {
		if strings.HasSuffix(f, ".go") && !strings.HasSuffix(f, "_test.go") && len(files) < maxPackageFiles {
			files = append(files, f)
		}
	}
	return files
}

var scriptEndings = []string{"", ".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts",
	"/index.ts", "/index.tsx", "/index.d.ts", "/index.js", "/index.jsx", "/index.mjs"}

// script is a module of JavaScript or TypeScript.
func (r resolver) script(module string) (string, bool) {
	if strings.HasPrefix(module, ".") {
		return r.first(scriptFiles(path.Join(path.Dir(r.from), module))...)
	}
	for _, m := range r.modules {
		rest, inside := strings.CutPrefix(module, m.module)
		if filepath.Base(m.path) != "package.json" || !inside || rest != "" && rest[0] != '/' {
			continue
		}
		dir := path.Dir(filepath.ToSlash(m.path))
		if f, ok := r.first(append(scriptFiles(path.Join(dir, "src", rest)), scriptFiles(path.Join(dir, rest))...)...); ok {
			return f, true
		}
	}
	// "@/x" and "~/x" are what projects call their own sources.
	rest, alias := strings.CutPrefix(strings.TrimPrefix(module, "~"), "@/")
	if !alias {
		rest, alias = strings.CutPrefix(module, "~/")
	}
	if !alias && !strings.Contains(module, "/") {
		return "", false
	}
	return r.upwards(r.from, []string{"", "src", "app", "lib"}, scriptFiles(rest)...)
}

func scriptFiles(stem string) []string {
	var files []string
	for _, ending := range scriptEndings {
		files = append(files, stem+ending)
	}
	switch ext := path.Ext(stem); ext { // TypeScript names what it compiles to
	case ".js", ".mjs", ".cjs", ".jsx":
		bare := strings.TrimSuffix(stem, ext)
		files = append(files, bare+".ts", bare+".tsx", bare+".mts", bare+".cts", bare+".d.ts")
	}
	return files
}

// include is a header: beside the file, or below a folder around it.
func (r resolver) include(header string) (string, bool) {
	header = strings.Trim(header, "<>")
	return r.find(r.from, []string{"", "include", "src", "inc"}, path.Clean(header))
}

// java: a class is a file; a static import names a member of one, whose class is
// what is found.
func (r resolver) java(module string) target {
	tail := strings.ReplaceAll(module, ".", "/")
	roots := []string{"", "src/main/java", "src", "src/test/java"}
	for _, class := range [...]string{tail, path.Dir(tail)} {
		if f, ok := r.find(r.from, roots, class+".java"); ok {
			return target{[]string{f}, path.Base(class)}
		}
	}
	return target{}
}

// sourced is a file that a shell sources; "$dir/x.sh" is taken for x.sh.
func (r resolver) sourced(word string) (string, bool) {
	if i := strings.LastIndexAny(word, ")}"); i >= 0 {
		word = word[i+1:]
	} else if strings.HasPrefix(word, "$") {
		_, word, _ = strings.Cut(word, "/")
	}
	word = strings.Trim(word, `"'/`)
	if word == "" {
		return "", false
	}
	return r.find(r.from, []string{""}, path.Clean(word))
}

// rust: crate, self and super are places in this crate; what else comes first is
// another crate of the workspace, or a module below this one.
func (r resolver) rust(module, name string) target {
	steps := strings.Split(module, "::")
	if name != "" && name != "self" {
		steps = append(steps, strings.Split(strings.TrimSuffix(name, "::*"), "::")...)
	}
	dir := r.rustModule()
	switch steps[0] {
	case "crate":
		dir, steps = r.crateOf(r.from), steps[1:]
	case "self":
		steps = steps[1:]
	case "super":
		for len(steps) > 0 && steps[0] == "super" {
			dir, steps = path.Dir(dir), steps[1:]
		}
	default:
		if crate := r.crateNamed(steps[0]); crate != "" {
			dir, steps = crate, steps[1:]
		} else if _, ok := r.first(path.Join(dir, steps[0])+".rs", path.Join(dir, steps[0], "mod.rs")); !ok {
			return target{}
		}
	}
	return r.rustPath(dir, steps)
}

// rustPath goes down from a folder as far as modules are files; the next step is
// the item.
func (r resolver) rustPath(dir string, steps []string) target {
	file, ok := r.first(dir+"/lib.rs", dir+"/main.rs", dir+"/mod.rs", dir+".rs")
	for len(steps) > 0 {
		next, found := r.first(path.Join(dir, steps[0])+".rs", path.Join(dir, steps[0], "mod.rs"))
		if !found {
			break
		}
		file, ok = next, true
		dir, steps = path.Join(dir, steps[0]), steps[1:]
	}
	item := ""
	if len(steps) > 0 {
		item = steps[0]
	}
	return target{one(file, ok), item}
}

// rustModule is the folder with the modules below this file's.
func (r resolver) rustModule() string {
	switch base := path.Base(r.from); base {
	case "mod.rs", "lib.rs", "main.rs":
		return path.Dir(r.from)
	}
	return strings.TrimSuffix(r.from, ".rs")
}

// crateNamed is the folder of the sources of a crate of the workspace; "" if it
// has none of that name.
func (r resolver) crateNamed(name string) string {
	for _, m := range r.modules {
		if m.module == name && filepath.Base(m.path) == "Cargo.toml" {
			return path.Join(path.Dir(filepath.ToSlash(m.path)), "src")
		}
	}
	return ""
}

// crateOf is the nearest folder around a file that is a crate's root.
func (r resolver) crateOf(file string) string {
	for dir := path.Dir(file); ; dir = path.Dir(dir) {
		if _, ok := r.first(dir+"/lib.rs", dir+"/main.rs"); ok || dir == path.Dir(dir) {
			return dir
		}
	}
}

// siblings are the files that see each other's names without an import.
func (r resolver) siblings() []string {
	dir := path.Dir(r.from)
	var files []string
	for _, f := range r.inDir[dir] {
		if len(files) == maxPackageFiles {
			break
		}
		switch r.family {
		case "go":
			if !strings.HasSuffix(f, ".go") || strings.HasSuffix(f, "_test.go") && !strings.HasSuffix(r.from, "_test.go") {
				continue
			}
		case "java":
			if !strings.HasSuffix(f, ".java") {
				continue
			}
		default:
			return nil
		}
		if f != r.from {
			files = append(files, f)
		}
	}
	return slices.Clip(files)
}
