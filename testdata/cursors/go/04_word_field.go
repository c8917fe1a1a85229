package geometry

import "math"

// Point is a place in the plane.
type Point struct {
	X, Y float64
}

// Distance returns how far q is from p.
func (p Point) Distance(q Point) float64 {
	return math.Hypot(p.X-q.X, p.Y-q.Y)
}

// Rect is an upright rectangle.
type Rect struct {
	Min, Max Point
}

// Contains reports whether p lies in r.
func (r Rect) Contains(p Point) bool {
	return p.X >= r.Min.X && p.X < r.Max.X &&
		p.Y >= r.Mi<|cursor|>
}
