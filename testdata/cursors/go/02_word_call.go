package wordcount

import (
	"bufio"
	"io"
	"strings"
)

// Count returns how often each word of r occurs, in lower case.
func Count(r io.Reader) (map[string]int, error) {
	counts := make(map[string]int)
	words := bufio.NewScanner(r)
	words.Split(bufio.Scan<|cursor|>)
	for words.Scan() {
		counts[strings.ToLower(words.Text())]++
	}
	return counts, words.Err()
}
