/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/* Loaded before the C library (LD_PRELOAD): counts what each thread asks it for. The functions behind are those that glibc calls by these
 * names for just that. */

#include <errno.h>
#include <stddef.h>

extern void *__libc_malloc (size_t size);
extern void *__libc_calloc (size_t count, size_t size);
extern void *__libc_realloc (void *block, size_t size);
extern void *__libc_memalign (size_t alignment, size_t size);

static __thread unsigned long count __attribute__ ((tls_model ("initial-exec")));

/* How often this thread has asked for memory. */
unsigned long
allocations (void)
{
  return count;
}

void *
malloc (size_t size)
{
  count++;
  return __libc_malloc (size);
}

void *
calloc (size_t members, size_t size)
{
  count++;
  return __libc_calloc (members, size);
}

void *
realloc (void *block, size_t size)
{
  count++;
  return __libc_realloc (block, size);
}

void *
memalign (size_t alignment, size_t size)
{
  count++;
  return __libc_memalign (alignment, size);
}

void *
aligned_alloc (size_t alignment, size_t size)
{
  count++;
  return __libc_memalign (alignment, size);
}

int
posix_memalign (void **block, size_t alignment, size_t size)
{
  count++;
  *block = __libc_memalign (alignment, size);
  return *block == NULL ? ENOMEM : 0;
}
