/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/* An OpenCDM library of before 2019, as far as it tells: it has no opencdm_get_system_session. */

void *opencdm_create_system (const char *key_system);

void *
opencdm_create_system (const char *key_system)
{
  (void) key_system;
  return 0;
}
