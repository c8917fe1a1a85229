package server

import (
	"encoding/json"
	"net/http"
)

type user struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

func listUsers(w http.ResponseWriter, r *http.Request) {
	users := []user{{1, "Ada"}, {2, "Grace"}}
	w.Header().Set(<|cursor|>)
	if err := json.NewEncoder(w).Encode(users); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}
