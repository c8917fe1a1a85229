package pool

import "sync"

// Run calls work for every job on n goroutines and waits for all.
func Run[T any](jobs []T, n int, work func(T)) {
	queue := make(chan T)
	var wg sync.WaitGroup
	for range n {
		wg.Add(1)
		go func() {
			def<|cursor|>
			for job := range queue {
				work(job)
			}
		}()
	}
	for _, job := range jobs {
		queue <- job
	}
	close(queue)
	wg.Wait()
}
