package text

import "strings"

// Reverse returns s with its characters in the opposite order.
func Reverse(s string) string {
	<|cursor|>
}

// Title returns s with the first letter of each word in upper case.
func Title(s string) string {
	words := strings.Fields(s)
	for i, w := range words {
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, " ")
}
