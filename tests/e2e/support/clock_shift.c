// Preloaded into a program: shifts its wall clock by the seconds that the file $CLOCK_SHIFT_FILE has, 8 bytes that may change at any
// moment. Other clocks are left alone, as they are when a machine's time is set.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECONDS_AT_MOST_UP 500000000  // 15 years

static const volatile int64_t *shift;

__attribute__((constructor)) static void open_shift(void) {
  const char *path = getenv("CLOCK_SHIFT_FILE");
  const int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  void *const at = mmap(NULL, sizeof *shift, PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (at != MAP_FAILED) shift = at;
}

static int64_t seconds(void) { return shift == NULL ? 0 : *shift; }

int clock_gettime(clockid_t clock, struct timespec *out) {
  static int (*real)(clockid_t, struct timespec *);
  if (real == NULL) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  const int result = real(clock, out);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) out->tv_sec += seconds();
  return result;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
  (void)zone;
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
  out->tv_sec = now.tv_sec;
  out->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *out) {
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return (time_t)-1;
  if (out != NULL) *out = now.tv_sec;
  return now.tv_sec;
}

// Waits end by the wall clock that the program sees, also if that jumps meanwhile.
int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
  // By a clock that begins with the machine.
  if (until->tv_sec < SECONDS_AT_MOST_UP) {
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    if (real == NULL)
      real = (int (*)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *))dlsym(
          RTLD_NEXT, "pthread_cond_timedwait");
    return real(condition, mutex, until);
  }
  for (;;) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t left = (int64_t)(until->tv_sec - now.tv_sec) * 1000000000 + (until->tv_nsec - now.tv_nsec);
    if (left <= 0) return ETIMEDOUT;
    const int is_last = left <= 20000000;
    if (!is_last) left = 20000000;
    struct timespec step;
    clock_gettime(CLOCK_MONOTONIC, &step);
    step.tv_nsec += (long)left;
    step.tv_sec += step.tv_nsec / 1000000000;
    step.tv_nsec %= 1000000000;
    const int result = pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, &step);
    if (result != ETIMEDOUT || is_last) return result;
  }
}
