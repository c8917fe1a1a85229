// peer_logits MODEL logits        reads windows of token ids, one a line, and writes the logits of every
//                                 position as little-endian f32 (positions, vocabulary)
// peer_logits MODEL greedy N      continues each line by N tokens and prints, for each, its id and the
//                                 distance in nats between the two best logits
//
// llama.cpp's side of the accuracy comparison: its CPU backend as it comes, two threads, f16 keys and values.
#include "llama.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

static const float *compute(llama_context *ctx, std::vector<llama_token> ids, int from, bool every)
{
	llama_batch batch = llama_batch_init((int)ids.size(), 0, 1);
	for (size_t i = 0; i < ids.size(); i++) {
		batch.token[i] = ids[i];
		batch.pos[i] = from + (int)i;
		batch.n_seq_id[i] = 1;
		batch.seq_id[i][0] = 0;
		batch.logits[i] = every || i + 1 == ids.size();
	}
	batch.n_tokens = (int)ids.size();
	if (llama_decode(ctx, batch)) {
		fprintf(stderr, "peer_logits: llama_decode failed\n");
		exit(1);
	}
	llama_batch_free(batch);
	return every ? nullptr : llama_get_logits_ith(ctx, -1);
}

static void greedy(llama_context *ctx, const std::vector<llama_token> &prompt, int vocab, int n)
{
	const float *logits = compute(ctx, prompt, 0, false);
	for (int i = 0; i < n; i++) {
		int best = 0, second = 1;
		for (int t = 1; t < vocab; t++)
			if (logits[t] > logits[best]) {
				second = best;
				best = t;
			} else if (t != best && (second == best || logits[t] > logits[second])) {
				second = t;
			}
		printf("%d %.6f ", best, logits[best] - logits[second]);
		logits = compute(ctx, {best}, (int)prompt.size() + i, false);
	}
	printf("\n");
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: peer_logits MODEL logits | MODEL greedy N\n");
		return 2;
	}
	llama_log_set([](ggml_log_level, const char *, void *) {}, nullptr);
	llama_backend_init();
	llama_model *model = llama_model_load_from_file(argv[1], llama_model_default_params());
	if (!model) return 1;
	llama_context_params params = llama_context_default_params();
	params.n_ctx = 1024;
	params.n_batch = params.n_ubatch = 512;
	params.n_threads = params.n_threads_batch = 2;
	llama_context *ctx = llama_init_from_model(model, params);
	if (!ctx) return 1;
	int vocab = llama_vocab_n_tokens(llama_model_get_vocab(model));
	for (std::string line; std::getline(std::cin, line);) {
		std::istringstream words(line);
		std::vector<llama_token> ids;
		for (llama_token id; words >> id;) ids.push_back(id);
		if (ids.empty()) continue;
		llama_memory_clear(llama_get_memory(ctx), true);
		if (!strcmp(argv[2], "greedy")) {
			greedy(ctx, ids, vocab, atoi(argv[3]));
		} else {
			compute(ctx, ids, 0, true);
			for (size_t i = 0; i < ids.size(); i++) fwrite(llama_get_logits_ith(ctx, (int)i), sizeof(float), vocab, stdout);
		}
		fflush(stdout);
	}
}
