package fleetapi

import "sync"

// room is memory that is lent to those who can do without.
type room struct {
	mu   sync.Mutex
	left int
}

func newRoom(bytes int) *room { return &room{left: bytes} }

// take is true if there is so much.
func (r *room) take(bytes int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left < bytes {
		return false
	}
	r.left -= bytes
	return true
}

func (r *room) give(bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left += bytes
}

// free is how much there is.
func (r *room) free() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.left
}
