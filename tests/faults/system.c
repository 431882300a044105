// SPDX-License-Identifier: MIT OR Apache-2.0

/*
 * Stands between a process and its system (LD_PRELOAD): clocks that are set, a suspend, names that nobody looks up, and threads that cannot be had.
 * What is to happen stands in the file that FAULTS_SYSTEM names; the test writes there while the process runs.
 *
 * CLOCK_MONOTONIC is left alone: nobody can set it, and it stands still while a system is suspended.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* As tests/faults/machine.rs writes it. */
struct orders {
  /* Seconds that CLOCK_REALTIME is off. */
  volatile int64_t wall;
  /* Seconds that CLOCK_BOOTTIME is ahead. */
  volatile int64_t boot;
  /* Not 0: no name is found, and none is said not to be there. */
  volatile int64_t lookups_hang;
  /* Not 0: there are no more threads. */
  volatile int64_t no_threads;
};

static struct orders none;
static struct orders *orders = &none;

__attribute__ ((constructor))
static void
take_orders (void)
{
  const char *path = getenv ("FAULTS_SYSTEM");
  int file = path ? open (path, O_RDONLY | O_CLOEXEC) : -1;

  if (file < 0)
    return;
  void *mapped = mmap (NULL, sizeof *orders, PROT_READ, MAP_SHARED, file, 0);
  if (mapped != MAP_FAILED)
    orders = mapped;
  close (file);
}

static int64_t
offset_of (clockid_t clock)
{
  switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
      return orders->wall;
    case CLOCK_BOOTTIME:
      return orders->boot;
    default:
      return 0;
  }
}

/* The time in 64 bits, as the kernel has it. */
struct moment {
  int64_t seconds;
  int64_t nanoseconds;
};

static int
look (clockid_t clock, struct moment *now)
{
#ifdef SYS_clock_gettime64
  int read = (int) syscall (SYS_clock_gettime64, clock, now);
#else
  int read = (int) syscall (SYS_clock_gettime, clock, now);
#endif

  if (read == 0)
    now->seconds += offset_of (clock);
  return read;
}

/*
 * C libraries of 32-bit systems have each of these twice, for programs that were built with a time
 * of 32 bits and of 64. The compiler may have another name behind each one's declaration, so each
 * has the very symbol here.
 */
#define NAMED(symbol) __asm__ (symbol) __attribute__ ((visibility ("default"), used))

struct long_time {
  long seconds;
  long fraction;
};

static int
tell_long (clockid_t clock, long unit, struct long_time *to)
{
  struct moment now = { 0, 0 };
  int read = look (clock, &now);

  if (read == 0) {
    to->seconds = (long) now.seconds;
    to->fraction = (long) (now.nanoseconds / unit);
  }
  return read;
}

int own_clock_gettime (clockid_t clock, struct long_time *to) NAMED ("clock_gettime");
int own_gettimeofday (struct long_time *to, void *zone) NAMED ("gettimeofday");
long own_time (long *to) NAMED ("time");

int
own_clock_gettime (clockid_t clock, struct long_time *to)
{
  return tell_long (clock, 1, to);
}

int
own_gettimeofday (struct long_time *to, void *zone)
{
  (void) zone;
  return tell_long (CLOCK_REALTIME, 1000, to);
}

long
own_time (long *to)
{
  struct long_time now = { 0, 0 };

  tell_long (CLOCK_REALTIME, 1, &now);
  if (to)
    *to = now.seconds;
  return now.seconds;
}

#ifdef SYS_clock_gettime64
struct wide_time {
  int64_t seconds;
  int32_t fraction;
  int32_t padding;
};

int wide_clock_gettime (clockid_t clock, struct wide_time *to) NAMED ("__clock_gettime64");
int wide_gettimeofday (struct moment *to, void *zone) NAMED ("__gettimeofday64");
int64_t wide_time (int64_t *to) NAMED ("__time64");

int
wide_clock_gettime (clockid_t clock, struct wide_time *to)
{
  struct moment now = { 0, 0 };
  int read = look (clock, &now);

  if (read == 0) {
    to->seconds = now.seconds;
    to->fraction = (int32_t) now.nanoseconds;
    to->padding = 0;
  }
  return read;
}

int
wide_gettimeofday (struct moment *to, void *zone)
{
  int read = look (CLOCK_REALTIME, to);

  (void) zone;
  to->nanoseconds /= 1000;
  return read;
}

int64_t
wide_time (int64_t *to)
{
  struct moment now = { 0, 0 };

  look (CLOCK_REALTIME, &now);
  if (to)
    *to = now.seconds;
  return now.seconds;
}
#endif

int
getaddrinfo (const char *restrict node, const char *restrict service,
    const struct addrinfo *restrict hints, struct addrinfo **restrict found)
{
  static int (*look_up) (const char *, const char *, const struct addrinfo *,
      struct addrinfo **);

  while (orders->lookups_hang)
    usleep (10000);
  if (!look_up)
    *(void **) &look_up = dlsym (RTLD_NEXT, "getaddrinfo");
  /* A name of this machine that has to be looked up. */
  if (node && strcmp (node, "service.test") == 0)
    node = "localhost";
  return look_up (node, service, hints, found);
}

int
pthread_create (pthread_t * restrict thread,
    const pthread_attr_t * restrict attributes,
    void *(*start) (void *), void *restrict argument)
{
  static int (*create) (pthread_t *, const pthread_attr_t *,
      void *(*)(void *), void *);

  if (orders->no_threads)
    return EAGAIN;
  if (!create)
    *(void **) &create = dlsym (RTLD_NEXT, "pthread_create");
  return create (thread, attributes, start, argument);
}
