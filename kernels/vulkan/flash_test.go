package vulkan

import (
	"math/rand/v2"
	"testing"

	"tandem/kernels/op"
)

// TestTiles: every row is in one tile, with rows of its sequence alone, in no more
// tiles than commands are recorded for; and splits fit the memory of few rows.
func TestTiles(t *testing.T) {
	s := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		rows, runs := []op.Row{}, 1+s.IntN(20)
		for seq := range runs {
			for pos := range 1 + s.IntN(1+s.IntN(60)) {
				rows = append(rows, op.Row{Seq: int32(seq), Pos: int32(pos)})
			}
		}
		shape := shape{rows: len(rows), runs: 1}
		for shape.runs < runs {
			shape.runs *= 2
		}
		tileRows := 1 + s.IntN(20)
		tiles := make([]uint32, 2*tilesMax(tileRows, shape))
		for i := range tiles {
			tiles[i] = 1e9 // of an earlier batch
		}
		loadTiles(rows, tileRows, tiles)
		seen := make([]int, len(rows))
		for i := 0; i < len(tiles); i += 2 {
			first, n := int(tiles[i]), int(tiles[i+1])
			if n > tileRows || n > 0 && rows[first].Seq != rows[first+n-1].Seq {
				t.Fatalf("%d runs, tiles of %d: one of rows %d to %d", runs, tileRows, first, first+n-1)
			}
			for r := range n {
				seen[first+r]++
			}
		}
		for r, n := range seen {
			if n != 1 {
				t.Fatalf("%d runs, tiles of %d: row %d is in %d tiles", runs, tileRows, r, n)
			}
		}
		if splits := flashSplits(len(rows), s.IntN(40000)); splits*len(rows) > fewRows*splitsMax && splits > 1 {
			t.Fatalf("%d splits of %d rows", splits, len(rows))
		}
	}
}
