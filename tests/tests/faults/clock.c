// Preloaded into a program: its wall clock is off by CLOCK_OFF_BY seconds. The monotonic clock is not, and what waits until a time
// of the wall clock waits as long as it meant to.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>

static time_t off(void) {
    static time_t seconds;
    static int known;
    if (!known) {
        const char *given = getenv("CLOCK_OFF_BY");
        seconds = given ? atol(given) : 0;
        known = 1;
    }
    return seconds;
}

#define REAL(name) ((__typeof__(name) *) dlsym(RTLD_NEXT, #name))

int clock_gettime(clockid_t clock, struct timespec *now) {
    static __typeof__(clock_gettime) *real;
    if (!real) real = REAL(clock_gettime);
    int result = real(clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += off();
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void) zone;
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    now->tv_sec = at.tv_sec;
    now->tv_usec = at.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    if (now) *now = at.tv_sec;
    return at.tv_sec;
}

int timespec_get(struct timespec *now, int base) {
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, now) == 0 ? base : 0;
}

int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict until) {
    static __typeof__(cnd_timedwait) *real;
    if (!real) real = REAL(cnd_timedwait);
    struct timespec at = { until->tv_sec - off(), until->tv_nsec };
    return real(condition, mutex, &at);
}

// Of librdkafka's and the standard library's conditions, those that wait by the wall clock.
int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
    static __typeof__(pthread_cond_timedwait) *real;
    if (!real) real = REAL(pthread_cond_timedwait);
    // A condition may count by the monotonic clock: its times are small.
    struct timespec at = { until->tv_sec > 1000000000 ? until->tv_sec - off() : until->tv_sec, until->tv_nsec };
    return real(condition, mutex, &at);
}
