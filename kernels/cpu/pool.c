// The workers. The caller of a run is worker 0; the others are threads that
// spin for a moment (SPIN_NS) after their last work and then sleep, so that an idle
// tandem takes no processor time. Between ops they meet at a barrier of the same
// kind. A pool serves one run at a time: its owner is the device's executor.
#define _GNU_SOURCE
#include "pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#ifdef __linux__
#include <linux/futex.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

// Who spins longer does so on a core that others want, the mate it waits for
// among them.
enum { SPIN_NS = 10000 };

static void sleep_on(atomic_int *at, int value)
{
	syscall(SYS_futex, at, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void wake_all(atomic_int *at)
{
	syscall(SYS_futex, at, FUTEX_WAKE_PRIVATE, 1 << 30, NULL, NULL, 0);
}
#else
// Without futexes a sleeper looks again every 100 us, so that sleep costs more.
enum { SPIN_NS = 50000 };

static void sleep_on(atomic_int *at, int value)
{
	struct timespec t = {0, 100000};
	if (atomic_load(at) == value) nanosleep(&t, NULL);
}

static void wake_all(atomic_int *at) { (void)at; }
#endif

// gate is a counter that threads wait on: spin first, then sleep.
struct gate {
	_Alignas(64) atomic_int value;
	atomic_int sleepers;
};

typedef void job_fn(struct pool *p, int id);

struct pool {
	int count;
	const struct rung *rung;
	pthread_t *threads;
	struct start { struct pool *pool; int id; } *starts;
	job_fn *job; // written by worker 0 before it opens the start gate
	void *arg;
	int first, last;
	struct gate start;   // its value counts the jobs
	struct gate barrier; // its value counts the barriers passed
	_Alignas(64) atomic_int arrived;
};

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline void pause_cpu(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static void gate_wait(struct gate *g, int old)
{
	int64_t until = 0;
	for (int i = 1; atomic_load_explicit(&g->value, memory_order_acquire) == old; i++) {
		pause_cpu();
		if (i % 64) continue; // look at the clock now and then
		int64_t now = now_ns();
		if (!until) until = now + SPIN_NS;
		if (now < until) continue;
		atomic_fetch_add(&g->sleepers, 1);
		sleep_on(&g->value, old);
		atomic_fetch_sub(&g->sleepers, 1);
	}
}

static void gate_open(struct gate *g)
{
	atomic_fetch_add(&g->value, 1);
	if (atomic_load(&g->sleepers)) wake_all(&g->value);
}

static void barrier_wait(struct pool *p)
{
	int old = atomic_load_explicit(&p->barrier.value, memory_order_relaxed);
	if (atomic_fetch_add_explicit(&p->arrived, 1, memory_order_acq_rel) + 1 < p->count) {
		gate_wait(&p->barrier, old);
		return;
	}
	atomic_store_explicit(&p->arrived, 0, memory_order_relaxed);
	gate_open(&p->barrier);
}

static void *worker_main(void *arg)
{
	struct start *s = arg;
	struct pool *p = s->pool;
	for (int seen = 0;; seen++) {
		gate_wait(&p->start, seen);
		if (!p->job) return NULL;
		p->job(p, s->id);
		barrier_wait(p);
	}
}

// run_job runs job on every worker and returns when all are done.
static void run_job(struct pool *p, job_fn *job)
{
	p->job = job;
	if (p->count > 1) gate_open(&p->start);
	job(p, 0);
	barrier_wait(p);
}

#if defined(__x86_64__)
// has_f16c and has_extension ask the processor itself: not every compiler's
// __builtin_cpu_supports knows the names. Whether the system saves the registers
// is what the answer for avx2 says.
static int has_f16c(void)
{
	unsigned a, b, c, d;
	return __get_cpuid(1, &a, &b, &c, &d) && c & bit_F16C;
}

enum { AVX_VNNI = 1 << 4, AVX512_BF16 = 1 << 5 };
static int has_extension(unsigned bit)
{
	unsigned a, b, c, d;
	return __get_cpuid_count(7, 1, &a, &b, &c, &d) && a & bit;
}

// has_amx asks the system, too: it keeps the tile registers of a process only once
// that has asked for it. Asking again changes nothing.
static int has_amx(void)
{
#ifdef __linux__
	enum { AMX_TILE = 1 << 24, AMX_INT8 = 1 << 25 };
	enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 }; // ARCH_REQ_XCOMP_PERM of the kernel's asm/prctl.h
	unsigned a, b, c, d;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && d & AMX_TILE && d & AMX_INT8 &&
		!syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA);
#else
	return 0;
#endif
}

int cpu_rung_supported(int rung)
{
	__builtin_cpu_init();
	int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
	int avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
		__builtin_cpu_supports("avx512vnni");
	switch (rung) {
	case RUNG_GENERIC: return 1;
	case RUNG_AVX2: return avx2;
	case RUNG_AVXVNNI: return avx2 && has_extension(AVX_VNNI);
	case RUNG_AVX512VNNI: return avx512;
	case RUNG_AVX512BF16: return avx512 && has_extension(AVX512_BF16);
	case RUNG_AMX: return avx512 && has_amx();
	}
	return 0;
}
#else
// has_dot_product: every arm64 processor of Apple has it; elsewhere Linux is asked.
static int has_dot_product(void)
{
#if defined(__aarch64__) && defined(__APPLE__)
	return 1;
#elif defined(__aarch64__) && defined(__linux__)
	enum { ASIMDDP = 1 << 20 }; // HWCAP_ASIMDDP of the kernel's asm/hwcap.h
	return (getauxval(AT_HWCAP) & ASIMDDP) != 0;
#else
	return 0;
#endif
}

int cpu_rung_supported(int rung) { return rung == RUNG_GENERIC || (rung == RUNG_NEONDOT && has_dot_product()); }
#endif

// pool_open starts threads - 1 threads; NULL if that fails.
struct pool *pool_open(int threads, int rung)
{
	static const struct rung *const rungs[RUNGS] = {
		[RUNG_GENERIC] = &rung_generic,
#if defined(__x86_64__)
		[RUNG_AVX2] = &rung_avx2, [RUNG_AVXVNNI] = &rung_avxvnni, [RUNG_AVX512VNNI] = &rung_avx512vnni,
		[RUNG_AVX512BF16] = &rung_avx512bf16, [RUNG_AMX] = &rung_amx,
#elif defined(__aarch64__)
		[RUNG_NEONDOT] = &rung_neondot,
#endif
	};
	struct pool *p = cpu_alloc(sizeof *p);
	if (!p) return NULL;
	memset(p, 0, sizeof *p);
	p->rung = rungs[rung];
	p->threads = calloc(threads, sizeof *p->threads);
	p->starts = calloc(threads, sizeof *p->starts);
	p->count = 1;
	if (!p->threads || !p->starts || !p->rung) {
		pool_close(p);
		return NULL;
	}
	for (int i = 1; i < threads; i++) {
		p->starts[i] = (struct start){p, i};
		if (pthread_create(&p->threads[i], NULL, worker_main, &p->starts[i])) {
			pool_close(p);
			return NULL;
		}
		p->count = i + 1;
	}
	return p;
}

void pool_close(struct pool *p)
{
	p->job = NULL;
	if (p->count > 1) gate_open(&p->start);
	for (int i = 1; i < p->count; i++) pthread_join(p->threads[i], NULL);
	free(p->threads);
	free(p->starts);
	cpu_free(p);
}

// clock_lap adds the time since *begin to *sum and begins anew.
static void clock_lap(int64_t *sum, int64_t *begin)
{
	int64_t now = now_ns();
	*sum += now - *begin;
	*begin = now;
}

static void run_ops(struct pool *p, int id)
{
	struct cpu_program *prog = p->arg;
	struct worker w = {id, p->count, prog, prog->scratch + id * prog->scratch_bytes};
	int64_t *times = id ? NULL : prog->times, begin = times ? now_ns() : 0;
	for (int i = p->first; i < p->last; i++) {
		const struct cpu_op *op = &prog->ops[i];
		if (op->barrier) barrier_wait(p);
		if (times) clock_lap(&times[2 * i + 1], &begin);
		// A cancelled run still meets at the barriers, with nothing between them.
		if (!cancelled(&w)) p->rung->ops[op->kind](op, &w);
		if (times) clock_lap(&times[2 * i], &begin);
	}
}

void cpu_run(struct pool *p, struct cpu_program *prog, int first, int last)
{
	for (int i = first; i < last; i++) atomic_store_explicit(&prog->next[i], 0, memory_order_relaxed);
	p->arg = prog;
	p->first = first;
	p->last = last;
	run_job(p, run_ops);
}

void cpu_set_cancel(struct cpu_program *prog, int value) { atomic_store(&prog->cancel, value); }

struct measure {
	const uint8_t *data;
	size_t bytes;
	double *ops; // per worker
};

static void read_share(struct pool *p, int id)
{
	struct measure *m = p->arg;
	size_t n = m->bytes / p->count / 4096 * 4096;
	m->ops[id] = p->rung->read(m->data + n * id, n);
}

// cpu_read_gb_s reads data once with all workers.
double cpu_read_gb_s(struct pool *p, const uint8_t *data, size_t bytes)
{
	double *sums = calloc(p->count, sizeof *sums);
	if (!sums) return 0;
	struct measure m = {data, bytes, sums};
	p->arg = &m;
	int64_t t = now_ns();
	run_job(p, read_share);
	t = now_ns() - t;
	free(sums);
	return (double)bytes / t;
}

static void spin_share(struct pool *p, int id)
{
	struct measure *m = p->arg;
	m->ops[id] = p->rung->spin_int8(0.1);
}

// cpu_tera_ops is the int8 multiply-add peak from registers, two operations each.
double cpu_tera_ops(struct pool *p)
{
	double *ops = calloc(p->count, sizeof *ops), sum = 0;
	if (!ops) return 0;
	struct measure m = {NULL, 0, ops};
	p->arg = &m;
	int64_t t = now_ns();
	run_job(p, spin_share);
	t = now_ns() - t;
	for (int i = 0; i < p->count; i++) sum += ops[i];
	free(ops);
	return sum / t * 1e-3;
}
