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
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
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

int
clock_gettime (clockid_t clock, struct timespec *now)
{
  int read = (int) syscall (SYS_clock_gettime, clock, now);

  if (read == 0)
    now->tv_sec += offset_of (clock);
  return read;
}

int
gettimeofday (struct timeval *restrict now, void *restrict zone)
{
  struct timespec wall;

  (void) zone;
  clock_gettime (CLOCK_REALTIME, &wall);
  now->tv_sec = wall.tv_sec;
  now->tv_usec = wall.tv_nsec / 1000;
  return 0;
}

time_t
time (time_t * now)
{
  struct timespec wall;

  clock_gettime (CLOCK_REALTIME, &wall);
  if (now)
    *now = wall.tv_sec;
  return wall.tv_sec;
}

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
