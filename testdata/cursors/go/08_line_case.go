package calc

import "fmt"

// Apply computes one operation.
func Apply(op string, a, b float64) (float64, error) {
	switch op {
	case "+":
		return a + b, nil
	case "-":
		return a - b, nil
	case "*":
		return a * b, nil
	case "/":
		<|cursor|>
	}
	return 0, fmt.Errorf("calc: unknown operation %q", op)
}
