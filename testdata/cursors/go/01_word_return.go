package stack

import "errors"

// ErrEmpty is returned by Pop on an empty stack.
var ErrEmpty = errors.New("stack: empty")

// Stack holds values, last in, first out.
type Stack[T any] struct {
	items []T
}

// Push puts v on top.
func (s *Stack[T]) Push(v T) {
	s.items = append(s.items, v)
}

// Pop removes the top value.
func (s *Stack[T]) Pop() (T, error) {
	var zero T
	if len(s.items) == 0 {
		return zero, ErrEm<|cursor|>
	}
	top := s.items[len(s.items)-1]
	s.items = s.items[:len(s.items)-1]
	return top, nil
}
