/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/* Calls an OpenCDM library as a CDM vendor's sample does, by the declarations of open_cdm.h and
 * open_cdm_adapter.h as this plugin reads them: a challenge, a license, one decrypted buffer. A C
 * compiler checks sizes and numbers on the way.
 *
 *   vendor /path/to/libocdm.so
 */

#include <gmodule.h>
#include <gst/gst.h>
#include <stdint.h>
#include <string.h>

typedef struct OpenCDMSystem OpenCDMSystem;
typedef struct OpenCDMSession OpenCDMSession;

typedef enum { Temporary = 0, PersistentUsageRecord, PersistentLicense } LicenseType;

typedef enum {
  Usable = 0,
  Expired,
  Released,
  OutputRestricted,
  OutputRestrictedHDCP22,
  OutputDownscaled,
  StatusPending,
  InternalError,
  HWError
} KeyStatus;

typedef enum {
  ERROR_NONE = 0,
  ERROR_INVALID_SESSION = 0x80000003,
  ERROR_FAIL = 0x80004005
} OpenCDMError;

typedef struct {
  void (*process_challenge_callback) (OpenCDMSession *, void *, const char url[],
      const uint8_t challenge[], const uint16_t length);
  void (*key_update_callback) (OpenCDMSession *, void *, const uint8_t key_id[],
      const uint8_t length);
  void (*error_message_callback) (OpenCDMSession *, void *, const char message[]);
  void (*keys_updated_callback) (const OpenCDMSession *, void *);
} OpenCDMSessionCallbacks;

/* What src/ocdm/abi.rs takes for granted. */
G_STATIC_ASSERT (sizeof (LicenseType) == 4);
G_STATIC_ASSERT (sizeof (KeyStatus) == 4);
G_STATIC_ASSERT (sizeof (OpenCDMError) == 4);
G_STATIC_ASSERT (HWError == 8);
G_STATIC_ASSERT (StatusPending == 6);
G_STATIC_ASSERT (sizeof (OpenCDMSessionCallbacks) == 4 * sizeof (void *));
G_STATIC_ASSERT (G_STRUCT_OFFSET (OpenCDMSessionCallbacks, keys_updated_callback)
    == 3 * sizeof (void *));

/* One symbol of the library, of this type. */
#define SYMBOL(type, name, arguments)                                          \
  type (*name) arguments;                                                      \
  g_assert (g_module_symbol (module, #name, (gpointer *) &name))

typedef struct {
  GMutex lock;
  GCond changed;
  GString *challenge;
  gboolean has_key;
} Heard;

static void
process_challenge (OpenCDMSession * session, void *data, const char url[],
    const uint8_t challenge[], const uint16_t length)
{
  Heard *heard = data;

  (void) session;
  (void) url;
  g_mutex_lock (&heard->lock);
  g_string_append_len (heard->challenge, (const char *) challenge, length);
  g_cond_signal (&heard->changed);
  g_mutex_unlock (&heard->lock);
}

static void
key_update (OpenCDMSession * session, void *data, const uint8_t key_id[], const uint8_t length)
{
  Heard *heard = data;

  (void) session;
  g_assert (length == 16 && key_id[15] == 15);
  g_mutex_lock (&heard->lock);
  heard->has_key = TRUE;
  g_cond_signal (&heard->changed);
  g_mutex_unlock (&heard->lock);
}

static void
error_message (OpenCDMSession * session, void *data, const char message[])
{
  (void) session;
  (void) data;
  g_error ("the CDM says: %s", message);
}

static void
keys_updated (const OpenCDMSession * session, void *data)
{
  (void) session;
  (void) data;
}

/* AES-128 in counter mode, SP 800-38A, F.5.1. */
static const guint8 COUNTER[16] = { 0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9,
  0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff
};

static const guint8 PLAIN[16] = { 0x6b, 0xc1, 0xbe, 0xe2, 0x2e, 0x40, 0x9f, 0x96, 0xe9, 0x3d, 0x7e,
  0x11, 0x73, 0x93, 0x17, 0x2a
};

static const guint8 PROTECTED[16] = { 0x87, 0x4d, 0x61, 0x91, 0xb6, 0x20, 0xe3, 0x26, 0x1b, 0xef,
  0x68, 0x64, 0x99, 0x0d, 0xb6, 0xce
};

static const char LICENSE[] = "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"AAECAwQFBgcICQoLDA0ODw\","
    "\"k\":\"K34VFiiu0qar9xWICc9PPA\"}],\"type\":\"temporary\"}";

/* One pssh box of the W3C common system, with the key id 000102…0f. */
static const guint8 INIT_DATA[52] = { 0, 0, 0, 52, 'p', 's', 's', 'h', 1, 0, 0, 0,
  0x10, 0x77, 0xef, 0xec, 0xc0, 0xb2, 0x4d, 0x02, 0xac, 0xe3, 0x3c, 0x1e, 0x52, 0xe2, 0xfb, 0x4b,
  0, 0, 0, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 0, 0, 0
};

static GstBuffer *
buffer_of (const guint8 bytes[16])
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, 16, NULL);

  gst_buffer_fill (buffer, 0, bytes, 16);
  return buffer;
}

int
main (int argc, char **argv)
{
  static OpenCDMSessionCallbacks callbacks = { process_challenge, key_update, error_message,
    keys_updated
  };
  Heard heard = { 0, };
  GModule *module;
  OpenCDMSystem *system;
  OpenCDMSession *session = NULL;
  GstBuffer *sample, *iv, *key_id;
  guint8 bytes[16];

  gst_init (&argc, &argv);
  g_assert (argc == 2);
  module = g_module_open (argv[1], G_MODULE_BIND_LAZY | G_MODULE_BIND_LOCAL);
  if (module == NULL)
    g_error ("%s", g_module_error ());

  SYMBOL (OpenCDMError, opencdm_is_type_supported, (const char *, const char *));
  SYMBOL (OpenCDMSystem *, opencdm_create_system, (const char *));
  SYMBOL (OpenCDMError, opencdm_construct_session, (OpenCDMSystem *, LicenseType, const char *,
          const uint8_t *, uint16_t, const uint8_t *, uint16_t, OpenCDMSessionCallbacks *, void *,
          OpenCDMSession **));
  SYMBOL (OpenCDMError, opencdm_session_update, (OpenCDMSession *, const uint8_t *, uint16_t));
  SYMBOL (KeyStatus, opencdm_session_status, (const OpenCDMSession *, const uint8_t *, uint8_t));
  SYMBOL (const char *, opencdm_session_id, (const OpenCDMSession *));
  SYMBOL (OpenCDMError, opencdm_session_close, (OpenCDMSession *));
  SYMBOL (OpenCDMError, opencdm_destruct_session, (OpenCDMSession *));
  SYMBOL (OpenCDMError, opencdm_gstreamer_session_decrypt, (OpenCDMSession *, GstBuffer *,
          GstBuffer *, uint32_t, GstBuffer *, GstBuffer *, uint32_t));

  g_mutex_init (&heard.lock);
  g_cond_init (&heard.changed);
  heard.challenge = g_string_new (NULL);

  g_assert (opencdm_is_type_supported ("org.w3.clearkey", "") == ERROR_NONE);
  system = opencdm_create_system ("org.w3.clearkey");
  g_assert (system != NULL);
  g_assert (opencdm_construct_session (system, Temporary, "cenc", INIT_DATA, sizeof (INIT_DATA),
          NULL, 0, &callbacks, &heard, &session) == ERROR_NONE);
  g_assert (session != NULL && opencdm_session_id (session)[0] != '\0');

  g_mutex_lock (&heard.lock);
  while (heard.challenge->len == 0)
    g_cond_wait (&heard.changed, &heard.lock);
  g_print ("challenge: %s\n", heard.challenge->str);
  g_mutex_unlock (&heard.lock);

  g_assert (opencdm_session_update (session, (const uint8_t *) LICENSE,
          sizeof (LICENSE) - 1) == ERROR_NONE);
  g_mutex_lock (&heard.lock);
  while (!heard.has_key)
    g_cond_wait (&heard.changed, &heard.lock);
  g_mutex_unlock (&heard.lock);

  key_id = buffer_of (INIT_DATA + 32);
  g_assert (opencdm_session_status (session, INIT_DATA + 32, 16) == Usable);
  sample = buffer_of (PROTECTED);
  iv = buffer_of (COUNTER);
  g_assert (opencdm_gstreamer_session_decrypt (session, sample, NULL, 0, iv, key_id,
          0) == ERROR_NONE);
  gst_buffer_extract (sample, 0, bytes, sizeof (bytes));
  g_assert (memcmp (bytes, PLAIN, sizeof (bytes)) == 0);
  g_print ("decrypted\n");

  gst_buffer_unref (sample);
  gst_buffer_unref (iv);
  gst_buffer_unref (key_id);
  g_assert (opencdm_session_close (session) == ERROR_NONE);
  g_assert (opencdm_destruct_session (session) == ERROR_NONE);
  g_string_free (heard.challenge, TRUE);
  g_mutex_clear (&heard.lock);
  g_cond_clear (&heard.changed);
  return 0;
}
