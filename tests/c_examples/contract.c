/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * What a decryptor in C or C++ can do with the header, done with the real element. tests/c_examples.rs compiles this as C89 and as C++17 with all
 * warnings, and runs it. The token is the application's own, so that nobody has to be asked.
 */

/* First, and alone: the header must need no other before it. */
#include <gst/sessiontoken/gstsessiontoken.h>
/* And a second time it must do no harm. */
#include <gst/sessiontoken/gstsessiontoken.h>

#include <string.h>

/* Says what is wrong, and where. */
#define CHECK(condition) \
  do { \
    if (!(condition)) { \
      g_printerr ("%s:%d: this does not hold: %s\n", __FILE__, __LINE__, #condition); \
      exit_code = 1; \
    } \
  } while (0)

static int exit_code = 0;

/* Protection events that have come out of the element, the last one first. */
static GList *came = NULL;
static guint buffers = 0;

static gboolean
take_event (GstPad * pad, GstObject * parent, GstEvent * event)
{
  (void) pad;
  (void) parent;
  if (GST_EVENT_TYPE (event) == GST_EVENT_PROTECTION)
    came = g_list_prepend (came, event);
  else
    gst_event_unref (event);
  return TRUE;
}

static GstFlowReturn
take_buffer (GstPad * pad, GstObject * parent, GstBuffer * buffer)
{
  (void) pad;
  (void) parent;
  buffers++;
  gst_buffer_unref (buffer);
  return GST_FLOW_OK;
}

static GstEvent *
last_event (void)
{
  return came != NULL ? (GstEvent *) came->data : NULL;
}

/* An event whose init data has somebody else's metadata already. */
static GstEvent *
protection_event (void)
{
  GstBuffer *init_data = gst_buffer_new_allocate (NULL, 4, NULL);
  GstEvent *event;

  gst_buffer_memset (init_data, 0, 7, 4);
  gst_buffer_add_protection_meta (init_data,
      gst_structure_new ("application/x-somebody-elses", "session-token",
          G_TYPE_STRING, "not this one", NULL));
  event = gst_event_new_protection ("1077efec-c0b2-4d02-ace3-3c1e52e2fb4b",
      init_data, "dash/mpd");
  gst_buffer_unref (init_data);
  return event;
}

typedef struct
{
  guint count;
  const gchar *name;
  const gchar *value;
  gboolean go_on;
} Expected;

static gboolean
check_header (const gchar * name, const gchar * value, gpointer user_data)
{
  Expected *expected = (Expected *) user_data;

  expected->count++;
  if (expected->name != NULL) {
    CHECK (g_str_equal (name, expected->name));
    CHECK (g_str_equal (value, expected->value));
  }
  return expected->go_on;
}

static void
check_headers (const GstStructure * request, const gchar * value)
{
  Expected expected;

  expected.count = 0;
  expected.name = "X-Token";
  expected.value = value;
  expected.go_on = TRUE;
  CHECK (gst_session_token_key_request_foreach_header (request, check_header,
          &expected));
  CHECK (expected.count == 1);
}

static void
check_request (GstEvent * event, const gchar * token, guint generation,
    const gchar * header)
{
  const GstStructure *request;

  CHECK (event != NULL);
  if (event == NULL)
    return;
  request = gst_session_token_event_get_key_request (event);
  CHECK (request != NULL);
  if (request == NULL)
    return;
  CHECK (gst_structure_has_name (request, GST_SESSION_TOKEN_KEY_REQUEST));
  CHECK (g_strcmp0 (gst_session_token_key_request_get_token (request),
          token) == 0);
  CHECK (gst_session_token_key_request_get_generation (request) == generation);
  CHECK (g_str_equal (gst_session_token_key_request_get_flow (request),
          GST_SESSION_TOKEN_FLOW_DASH));
  CHECK (gst_session_token_key_request_get_custom_data (request) != NULL);
  CHECK (gst_session_token_key_request_get_correlation_id (request) != NULL);
  /* Nobody has said when it ends. */
  CHECK (gst_session_token_key_request_dup_expires_at (request) == NULL);
  check_headers (request, header);
}

/* What is missing is missing, and no crash. */
static void
check_absence (void)
{
  GstEvent *without = protection_event ();
  GstEvent *other = gst_event_new_eos ();
  GstStructure *empty = gst_structure_new_empty (GST_SESSION_TOKEN_KEY_REQUEST);
  Expected expected;

  memset (&expected, 0, sizeof (expected));
  CHECK (gst_session_token_event_get_key_request (without) == NULL);
  CHECK (gst_session_token_event_get_key_request (other) == NULL);
  CHECK (gst_session_token_key_request_get_token (empty) == NULL);
  CHECK (gst_session_token_key_request_get_generation (empty) == 0);
  CHECK (gst_session_token_key_request_dup_expires_at (empty) == NULL);
  CHECK (g_str_equal (gst_session_token_key_request_get_flow (empty),
          GST_SESSION_TOKEN_FLOW_UNKNOWN));
  CHECK (gst_session_token_key_request_get_custom_data (empty) == NULL);
  CHECK (gst_session_token_key_request_get_query (empty) == NULL);
  CHECK (gst_session_token_key_request_get_correlation_id (empty) == NULL);
  CHECK (gst_session_token_key_request_foreach_header (empty, check_header,
          &expected));
  CHECK (expected.count == 0);
  gst_structure_free (empty);
  gst_event_unref (other);
  gst_event_unref (without);
}

/* Headers with the token in any place, and somebody who has seen enough. */
static void
check_many_headers (void)
{
  GstStructure *headers = gst_structure_new ("http-headers",
      "X-Token", G_TYPE_STRING, "a=one;b=one", "X-Number", G_TYPE_UINT, 1,
      NULL);
  GstStructure *request = gst_structure_new (GST_SESSION_TOKEN_KEY_REQUEST,
      "session-token", G_TYPE_STRING, "one",
      "http-headers", GST_TYPE_STRUCTURE, headers, NULL);
  GstDateTime *soon = gst_date_time_new_now_utc ();
  GstDateTime *expires_at;
  Expected expected;

  check_headers (request, "a=one;b=one");
  gst_structure_set (headers, "X-Second", G_TYPE_STRING, "2", NULL);
  gst_structure_set (request, "http-headers", GST_TYPE_STRUCTURE, headers,
      "expires-at", GST_TYPE_DATE_TIME, soon, NULL);
  memset (&expected, 0, sizeof (expected));
  CHECK (!gst_session_token_key_request_foreach_header (request, check_header,
          &expected));
  CHECK (expected.count == 1);
  expires_at = gst_session_token_key_request_dup_expires_at (request);
  CHECK (expires_at != NULL);
  if (expires_at != NULL)
    gst_date_time_unref (expires_at);
  gst_date_time_unref (soon);
  gst_structure_free (request);
  gst_structure_free (headers);
}

/* The newest token, as a key request of its own. Gives its generation, 0 where there is none. */
static guint
check_newest (GObject * store, const gchar * token, guint generation)
{
  GstStructure *newest = gst_session_token_store_newest (store, generation);
  guint its_generation = 0;

  CHECK ((newest != NULL) == (token != NULL));
  if (newest != NULL) {
    CHECK (gst_structure_has_name (newest, GST_SESSION_TOKEN_KEY_REQUEST));
    CHECK (g_strcmp0 (gst_session_token_key_request_get_token (newest),
            token) == 0);
    check_headers (newest, token);
    its_generation = gst_session_token_key_request_get_generation (newest);
    gst_structure_free (newest);
  }
  CHECK (gst_session_token_store_dup_expires_at (store) == NULL);
  return its_generation;
}

typedef struct
{
  GObject *store;
  guint generation;
} Waiting;

static gpointer
reject_and_wait (gpointer data)
{
  Waiting *waiting = (Waiting *) data;

  CHECK (gst_session_token_store_reject (waiting->store, waiting->generation,
          412) == NULL);
  return NULL;
}

/* The application gives no other token, so only we can end the wait: before it has begun or after. */
static void
check_flushing (GObject * store, guint generation)
{
  Waiting waiting;
  GThread *thread;

  waiting.store = store;
  waiting.generation = generation;
  thread = g_thread_new ("rejects", reject_and_wait, &waiting);
  gst_session_token_store_set_flushing (store, TRUE);
  g_thread_join (thread);
  CHECK (gst_session_token_store_reject (store, generation, 412) == NULL);
  gst_session_token_store_set_flushing (store, FALSE);
}

static void
check_refusals (GstElement * element, GstPad * before, GstPad * after,
    guint first)
{
  GObject *store = gst_session_token_query_store (after);
  guint count = g_list_length (came);
  guint second = 0;
  GstStructure *newer;

  CHECK (store != NULL);
  if (store == NULL)
    return;
  CHECK (g_str_equal (G_OBJECT_TYPE_NAME (store),
          GST_SESSION_TOKEN_STORE_TYPE_NAME));
  CHECK (check_newest (store, "one", first) == first);

  g_object_set (element, "session-token", "two", NULL);
  newer = gst_session_token_store_reject (store, first, 401);
  CHECK (newer != NULL);
  if (newer != NULL) {
    CHECK (g_strcmp0 (gst_session_token_key_request_get_token (newer),
            "two") == 0);
    check_headers (newer, "two");
    second = gst_session_token_key_request_get_generation (newer);
    gst_structure_free (newer);
  }
  CHECK (second > first);
  CHECK (check_newest (store, "two", second) == second);

  /* Nobody was told to send anything again. */
  CHECK (g_list_length (came) == count);
  CHECK (gst_session_token_send_rejected (after, first, 401, "refused"));
  CHECK (g_list_length (came) == count);
  CHECK (gst_pad_push (before, gst_buffer_new ()) == GST_FLOW_OK);
  CHECK (g_list_length (came) == count + 1);
  CHECK (buffers == 1);
  check_request (last_event (), "two", second, "two");

  check_flushing (store, second);
  CHECK (gst_session_token_send_rejected (after, second, 412, NULL));
  CHECK (check_newest (store, NULL, 0) == 0);
  g_object_unref (store);
}

static void
check_statuses (void)
{
  CHECK (gst_session_token_status_is_refusal (401));
  CHECK (gst_session_token_status_is_refusal (403));
  CHECK (gst_session_token_status_is_refusal (412));
  CHECK (!gst_session_token_status_is_refusal (0));
  CHECK (!gst_session_token_status_is_refusal (200));
  CHECK (!gst_session_token_status_is_refusal (500));
}

static void
check_element (GstElement * element)
{
  GstPad *before = gst_pad_new ("before", GST_PAD_SRC);
  GstPad *after = gst_pad_new ("after", GST_PAD_SINK);
  GstPad *sinkpad = gst_element_get_static_pad (element, "sink");
  GstPad *srcpad = gst_element_get_static_pad (element, "src");
  GstCaps *caps = gst_caps_new_empty_simple ("application/x-cenc");
  GstSegment segment;
  const GstStructure *request = NULL;
  guint first = 0;

  gst_pad_set_event_function (after, take_event);
  gst_pad_set_chain_function (after, take_buffer);
  CHECK (gst_pad_link (before, sinkpad) == GST_PAD_LINK_OK);
  CHECK (gst_pad_link (srcpad, after) == GST_PAD_LINK_OK);
  /* Ten minutes: whatever ends before was ended by somebody. */
  g_object_set (element, "session-token", "one", "key-request-header",
      "X-Token: {token}", "timeout", 600000, NULL);
  CHECK (gst_pad_set_active (after, TRUE));
  CHECK (gst_element_set_state (element,
          GST_STATE_PLAYING) == GST_STATE_CHANGE_SUCCESS);
  CHECK (gst_pad_set_active (before, TRUE));
  CHECK (gst_pad_push_event (before, gst_event_new_stream_start ("picture")));
  CHECK (gst_pad_push_event (before, gst_event_new_caps (caps)));
  gst_caps_unref (caps);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  CHECK (gst_pad_push_event (before, gst_event_new_segment (&segment)));
  CHECK (gst_pad_push_event (before, protection_event ()));

  CHECK (g_list_length (came) == 1);
  if (last_event () != NULL)
    request = gst_session_token_event_get_key_request (last_event ());
  CHECK (request != NULL);
  if (request != NULL)
    first = gst_session_token_key_request_get_generation (request);
  CHECK (first > 0);
  check_request (last_event (), "one", first, "one");
  check_refusals (element, before, after, first);

  gst_element_set_state (element, GST_STATE_NULL);
  gst_pad_set_active (before, FALSE);
  gst_pad_set_active (after, FALSE);
  /* Without an element upstream there is no store. */
  gst_pad_unlink (srcpad, after);
  CHECK (gst_session_token_query_store (after) == NULL);
  CHECK (!gst_session_token_send_rejected (after, 1, 0, NULL));
  gst_pad_unlink (before, sinkpad);
  gst_object_unref (srcpad);
  gst_object_unref (sinkpad);
  gst_object_unref (after);
  gst_object_unref (before);
}

int
main (int argc, char **argv)
{
  GstElement *element;

  gst_init (&argc, &argv);
  check_absence ();
  check_many_headers ();
  check_statuses ();
  element = gst_element_factory_make ("sessiontoken", NULL);
  CHECK (element != NULL);
  if (element != NULL) {
    gst_object_ref_sink (element);
    check_element (element);
    gst_object_unref (element);
  }
  g_list_free_full (came, (GDestroyNotify) gst_event_unref);
  return exit_code;
}
