/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/* Fetches with libcurl's easy interface, as a player that does it by itself would, and prints what each fetch took, in microseconds. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>

struct body
{
  char text[4096];
  size_t length;
};

static size_t
keep (char *data, size_t size, size_t count, void *user_data)
{
  struct body *body = user_data;
  size_t length = size * count;

  if (length > sizeof body->text - body->length)
    return 0;
  memcpy (body->text + body->length, data, length);
  body->length += length;
  return length;
}

static double
now (void)
{
  struct timespec time;

  clock_gettime (CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static CURL *
begin (const char *url, const char *authorities)
{
  CURL *easy = curl_easy_init ();

  curl_easy_setopt (easy, CURLOPT_URL, url);
  curl_easy_setopt (easy, CURLOPT_WRITEFUNCTION, keep);
  curl_easy_setopt (easy, CURLOPT_TIMEOUT_MS, 5000L);
  curl_easy_setopt (easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt (easy, CURLOPT_NOPROXY, "*");
  if (*authorities != '\0')
    curl_easy_setopt (easy, CURLOPT_CAINFO, authorities);
  return easy;
}

static void
fetch (CURL * easy)
{
  struct body body = { "", 0 };
  long status = 0;
  CURLcode code;

  curl_easy_setopt (easy, CURLOPT_WRITEDATA, &body);
  code = curl_easy_perform (easy);
  curl_easy_getinfo (easy, CURLINFO_RESPONSE_CODE, &status);
  if (code != CURLE_OK || status != 200
      || strstr (body.text, "\"token\"") == NULL) {
    fprintf (stderr, "no token: %s, status %ld\n", curl_easy_strerror (code),
        status);
    exit (1);
  }
}

int
main (int count, char **arguments)
{
  double start = now ();
  CURL *easy;
  int fetches;

  if (count != 5) {
    fputs ("usage: curl URL FILE-OF-AUTHORITIES first|new|same FETCHES\n",
        stderr);
    return 2;
  }
  curl_global_init (CURL_GLOBAL_DEFAULT);
  easy = begin (arguments[1], arguments[2]);
  if (strcmp (arguments[3], "first") == 0) {
    /* With what happens once in a process. */
    fetch (easy);
    printf ("%.0f\n", now () - start);
  } else {
    fetch (easy);
    for (fetches = atoi (arguments[4]); fetches > 0; fetches--) {
      start = now ();
      if (strcmp (arguments[3], "new") == 0) {
        curl_easy_cleanup (easy);
        easy = begin (arguments[1], arguments[2]);
      }
      fetch (easy);
      printf ("%.0f\n", now () - start);
    }
  }
  curl_easy_cleanup (easy);
  curl_global_cleanup ();
  return 0;
}
