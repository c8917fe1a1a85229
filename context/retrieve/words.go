package retrieve

import (
	"strings"

	"tandem/context/syntax"
)

// eachWord visits the identifiers of text: runs of letters, digits and
// underscores that do not begin with a digit. Bytes beyond ASCII are letters.
func eachWord(text string, visit func(start, end int)) {
	for i := 0; i < len(text); {
		if !isWord(text[i]) {
			i++
			continue
		}
		start := i
		for i < len(text) && isWord(text[i]) {
			i++
		}
		if c := text[start]; c < '0' || c > '9' {
			visit(start, i)
		}
	}
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= 0x80
}

// wordBefore is the identifier that ends at offset.
func wordBefore(text string, offset int) (word string, start int) {
	start = offset
	for start > 0 && isWord(text[start-1]) {
		start--
	}
	return text[start:offset], start
}

// hashWord is FNV-1a. Two words that share a hash make a window look a little
// more similar than it is, nothing else.
func hashWord(word string) uint32 {
	h := uint32(2166136261)
	for i := range len(word) {
		h = (h ^ uint32(word[i])) * 16777619
	}
	return h
}

// code is text with its comments and what is quoted on one line made blank, of
// the same length: words of English are no names. It is a rough reading, which
// needs no tree and may begin anywhere.
func code(language, text string) string { return blanked(language, text, true) }

// uncommented is text with its comments made blank, of the same length.
func uncommented(language, text string) string { return blanked(language, text, false) }

func blanked(language, text string, quoted bool) string {
	comment, quotes := commentOf(language), "\"'`"
	switch language {
	case "python":
		quotes = `"'`
	case "shellscript":
		quotes = `'` // names live in double quotes there
	case "rust":
		quotes = `"` // 'a is a lifetime
	}
	out := []byte(text)
	blank := func(from, to int) {
		for ; from < to; from++ {
			if out[from] != '\n' {
				out[from] = ' '
			}
		}
	}
	for i := 0; i < len(text); {
		end := i + 1
		switch {
		case strings.HasPrefix(text[i:], comment):
			end = endOf(text, i, "\n")
			blank(i, end)
		case comment == "//" && strings.HasPrefix(text[i:], "/*"):
			end = endOf(text, i+2, "*/")
			blank(i, end)
		case language == "python" && (strings.HasPrefix(text[i:], `"""`) || strings.HasPrefix(text[i:], "'''")):
			end = endOf(text, i+3, text[i:i+3])
			blank(i, end)
		case strings.IndexByte(quotes, text[i]) >= 0:
			if closing := closingQuote(text, i); closing > 0 {
				end = closing
				if quoted {
					blank(i, end)
				}
			}
		}
		i = end
	}
	return string(out)
}

// commentOf is what begins a comment that its line ends.
func commentOf(language string) string {
	switch language {
	case "python", "shellscript":
		return "#"
	case "lua":
		return "--"
	}
	return "//"
}

// endOf is the offset behind the next end from i on, or the text's.
func endOf(text string, i int, end string) int {
	if n := strings.Index(text[i:], end); n >= 0 {
		return i + n + len(end)
	}
	return len(text)
}

// closingQuote is the offset behind the string that begins at i, 0 if it does
// not end in its line.
func closingQuote(text string, i int) int {
	for at := i + 1; at < len(text) && text[at] != '\n'; at++ {
		switch text[at] {
		case '\\':
			at++
		case text[i]:
			return at + 1
		}
	}
	return 0
}

// familyOf says which files a file has its code in common with: the name of its
// language, one for those that import each other, or its extension.
func familyOf(language, path string) (family string, lang *syntax.Language) {
	lang, ok := syntax.ByName(language)
	if !ok {
		lang, ok = syntax.ByPath(path)
	}
	if !ok {
		if i := strings.LastIndexByte(path, '.'); i >= 0 && !strings.ContainsAny(path[i:], `/\`) {
			return strings.ToLower(path[i:]), nil
		}
		return language, nil
	}
	switch name := lang.Name(); name {
	case "typescript", "typescriptreact":
		return "javascript", lang
	case "cpp":
		return "c", lang
	default:
		return name, lang
	}
}
