package config

import (
	"encoding/json"
	"fmt"
	"os"
)

// Config is what the program reads at its start.
type Config struct {
	Address string `json:"address"`
	Workers int    `json:"workers"`
}

// Load reads the configuration in path.
func Load(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	var c Config
	if err := json.Unm<|cursor|>
		return nil, fmt.Errorf("config: %s: %w", path, err)
	}
	return &c, nil
}
