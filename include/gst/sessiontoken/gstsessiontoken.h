/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * The contract between the element `sessiontoken` and decryptors, for authors of decryptors in C and C++.
 *
 * Names and inline functions only: there is nothing to link besides GStreamer, and a decryptor built with this header works with
 * and without the plugin. docs/decryptors.md explains when to use what, examples/c is a decryptor's skeleton that does.
 *
 * None of these functions logs anything, and none takes a lock of the caller's. No other header of GStreamer's is needed. C89 and newer
 * (with GLib's `inline`), C++98 and newer; GStreamer 1.16 and newer.
 */

#ifndef __GST_SESSION_TOKEN_H__
#define __GST_SESSION_TOKEN_H__

#include <gst/gst.h>

G_BEGIN_DECLS

/* ---- The metadata of a key request ---- */

/**
 * GST_SESSION_TOKEN_KEY_REQUEST:
 *
 * Name of the structure in the #GstProtectionMeta of a protection event's init data.
 *
 * Since: 0.1.0
 */
#define GST_SESSION_TOKEN_KEY_REQUEST "drm-key-request"

/**
 * GST_SESSION_TOKEN_FIELD_SESSION_TOKEN:
 *
 * Field of the key request: the token as it came, without a prefix (string).
 */
#define GST_SESSION_TOKEN_FIELD_SESSION_TOKEN "session-token"
/**
 * GST_SESSION_TOKEN_FIELD_GENERATION:
 *
 * Field of the key request: tells tokens apart (uint). Unique in the process, and higher for a newer token.
 */
#define GST_SESSION_TOKEN_FIELD_GENERATION "generation"
/**
 * GST_SESSION_TOKEN_FIELD_EXPIRES_AT:
 *
 * Field of the key request: when the token ends (#GstDateTime); only where that is known.
 */
#define GST_SESSION_TOKEN_FIELD_EXPIRES_AT "expires-at"
/**
 * GST_SESSION_TOKEN_FIELD_FLOW:
 *
 * Field of the key request: what the presentation is, one of the GST_SESSION_TOKEN_FLOW_ names (string).
 */
#define GST_SESSION_TOKEN_FIELD_FLOW "flow"
/**
 * GST_SESSION_TOKEN_FIELD_HTTP_HEADERS:
 *
 * Field of the key request: what to add to the license request, a string field a header (#GstStructure).
 */
#define GST_SESSION_TOKEN_FIELD_HTTP_HEADERS "http-headers"
/**
 * GST_SESSION_TOKEN_FIELD_QUERY:
 *
 * Field of the key request: what to add to the query of the license server's URL, percent-encoded (string); absent where the application wants
 * none.
 */
#define GST_SESSION_TOKEN_FIELD_QUERY "query"
/**
 * GST_SESSION_TOKEN_FIELD_CUSTOM_DATA:
 *
 * Field of the key request: what to pack into the license challenge (string); absent where the application wants none.
 */
#define GST_SESSION_TOKEN_FIELD_CUSTOM_DATA "custom-data"
/**
 * GST_SESSION_TOKEN_FIELD_CORRELATION_ID:
 *
 * Field of the key request: ties the license request to the token's own request in the services' logs (string).
 */
#define GST_SESSION_TOKEN_FIELD_CORRELATION_ID "correlation-id"
/**
 * GST_SESSION_TOKEN_FIELD_KEY_IDS:
 *
 * Field of the key request: the keys that the token is for, UUIDs in lower case with commas between them (string); only where other keys may need
 * another token.
 */
#define GST_SESSION_TOKEN_FIELD_KEY_IDS "key-ids"

#define GST_SESSION_TOKEN_FLOW_DASH "dash"
#define GST_SESSION_TOKEN_FLOW_HLS "hls"
#define GST_SESSION_TOKEN_FLOW_SMOOTH_STREAMING "smooth-streaming"
#define GST_SESSION_TOKEN_FLOW_UNKNOWN "unknown"

/* ---- The store ---- */

/**
 * GST_SESSION_TOKEN_CONTEXT_TYPE:
 *
 * Type of the CONTEXT query by which a decryptor finds the store, and of the context that answers it.
 *
 * Since: 0.1.0
 */
#define GST_SESSION_TOKEN_CONTEXT_TYPE "drm-session-token"
/**
 * GST_SESSION_TOKEN_CONTEXT_FIELD_STORE:
 *
 * Field of that context: the store (#GObject).
 */
#define GST_SESSION_TOKEN_CONTEXT_FIELD_STORE "store"

/**
 * GST_SESSION_TOKEN_STORE_TYPE_NAME:
 *
 * Name of the store's #GType, which is registered when the first store is made.
 */
#define GST_SESSION_TOKEN_STORE_TYPE_NAME "GstSessionTokenStore"
/**
 * GST_SESSION_TOKEN_STORE_PROPERTY_SESSION_TOKEN:
 *
 * Property of the store, read-only: the newest valid token (string), %NULL where there is none.
 */
#define GST_SESSION_TOKEN_STORE_PROPERTY_SESSION_TOKEN "session-token"
/**
 * GST_SESSION_TOKEN_STORE_PROPERTY_GENERATION:
 *
 * Property of the store, read-only: the generation of that token (uint), 0 where there is none.
 */
#define GST_SESSION_TOKEN_STORE_PROPERTY_GENERATION "generation"
/**
 * GST_SESSION_TOKEN_STORE_PROPERTY_EXPIRES_AT:
 *
 * Property of the store, read-only: when that token ends (#GstDateTime), %NULL where that is not known.
 */
#define GST_SESSION_TOKEN_STORE_PROPERTY_EXPIRES_AT "expires-at"
/**
 * GST_SESSION_TOKEN_STORE_SIGNAL_REJECT:
 *
 * Action signal of the store: GstStructure * (guint generation, guint http_status). See gst_session_token_store_reject().
 */
#define GST_SESSION_TOKEN_STORE_SIGNAL_REJECT "reject"
/**
 * GST_SESSION_TOKEN_STORE_SIGNAL_NEWEST:
 *
 * Action signal of the store: GstStructure * (guint generation). See gst_session_token_store_newest().
 */
#define GST_SESSION_TOKEN_STORE_SIGNAL_NEWEST "newest"
/**
 * GST_SESSION_TOKEN_STORE_SIGNAL_SET_FLUSHING:
 *
 * Action signal of the store: void (gboolean flushing). See gst_session_token_store_set_flushing().
 */
#define GST_SESSION_TOKEN_STORE_SIGNAL_SET_FLUSHING "set-flushing"

/* ---- The upstream event ---- */

/**
 * GST_SESSION_TOKEN_REJECTED_EVENT:
 *
 * Name of the structure of the custom upstream event by which a decryptor says that a token was refused. See
 * gst_session_token_send_rejected().
 *
 * Since: 0.1.0
 */
#define GST_SESSION_TOKEN_REJECTED_EVENT "drm-session-token-rejected"
/* uint, mandatory */
#define GST_SESSION_TOKEN_REJECTED_FIELD_GENERATION "generation"
/* uint, optional */
#define GST_SESSION_TOKEN_REJECTED_FIELD_HTTP_STATUS "http-status"
/* string, optional; GStreamer logs it */
#define GST_SESSION_TOKEN_REJECTED_FIELD_REASON "reason"

/* ---- What the application hears ---- */

/**
 * GST_SESSION_TOKEN_MESSAGE:
 *
 * Name of the structure in the element messages of `sessiontoken`. Field `state` is one of the GST_SESSION_TOKEN_STATE_ names.
 *
 * Since: 0.1.0
 */
#define GST_SESSION_TOKEN_MESSAGE "session-token"
#define GST_SESSION_TOKEN_STATE_ACQUIRED "acquired"
#define GST_SESSION_TOKEN_STATE_REFRESHED "refreshed"
#define GST_SESSION_TOKEN_STATE_REJECTED "rejected"
#define GST_SESSION_TOKEN_STATE_FAILED "failed"

/**
 * GST_SESSION_TOKEN_LICENSE_MESSAGE:
 *
 * Name of the structure in the element messages of `clearkeydec`, which other decryptors need not post.
 */
#define GST_SESSION_TOKEN_LICENSE_MESSAGE "clearkey-license"

/**
 * GST_SESSION_TOKEN_ERROR_DETAILS:
 *
 * Name of the details structure of the plugin's errors and warnings (gst_message_parse_error_details()).
 */
#define GST_SESSION_TOKEN_ERROR_DETAILS "session-token-error"

/* ---- Reading a key request ---- */

/**
 * gst_session_token_buffer_get_key_request:
 * @init_data: the init data of a protection event
 *
 * Finds the key request among the #GstProtectionMeta of the buffer, of which others may have put some there too
 * (gst_buffer_get_protection_meta() would give the first one, whosever it is).
 *
 * Any thread. Does not block.
 *
 * Returns: (nullable) (transfer none): the structure, valid as long as the caller keeps the buffer; %NULL where there is
 *     none. Never print it: it holds the token.
 *
 * Since: 0.1.0
 */
static inline const GstStructure *
gst_session_token_buffer_get_key_request (GstBuffer * init_data)
{
  gpointer state = NULL;
  GstMeta *meta;

  while ((meta = gst_buffer_iterate_meta_filtered (init_data, &state,
              GST_PROTECTION_META_API_TYPE)) != NULL) {
    const GstStructure *info = ((GstProtectionMeta *) meta)->info;

    if (info != NULL
        && gst_structure_has_name (info, GST_SESSION_TOKEN_KEY_REQUEST))
      return info;
  }
  return NULL;
}

/**
 * gst_session_token_event_get_key_request:
 * @event: an event of any type
 *
 * The key request on a protection event. To be called from the sink pad's event function, or later by whoever keeps a
 * reference to the event.
 *
 * Any thread. Does not block.
 *
 * Returns: (nullable) (transfer none): the structure, valid as long as the caller keeps the event; %NULL where this is no protection
 *     event or nobody has put a token on it. Never print it: it holds the token.
 *
 * Since: 0.1.0
 */
static inline const GstStructure *
gst_session_token_event_get_key_request (GstEvent * event)
{
  GstBuffer *init_data = NULL;

  if (GST_EVENT_TYPE (event) != GST_EVENT_PROTECTION)
    return NULL;
  gst_event_parse_protection (event, NULL, &init_data, NULL);
  if (init_data == NULL)
    return NULL;
  return gst_session_token_buffer_get_key_request (init_data);
}

/**
 * gst_session_token_key_request_get_token:
 * @request: a key request
 *
 * Returns: (nullable) (transfer none): the token as the auth service gave it, visible ASCII characters; valid as long as @request.
 *
 * Since: 0.1.0
 */
static inline const gchar *
gst_session_token_key_request_get_token (const GstStructure * request)
{
  return gst_structure_get_string (request,
      GST_SESSION_TOKEN_FIELD_SESSION_TOKEN);
}

/**
 * gst_session_token_key_request_get_generation:
 * @request: a key request
 *
 * Returns: the token's generation, to be named when it is refused; 0 where it has none.
 *
 * Since: 0.1.0
 */
static inline guint
gst_session_token_key_request_get_generation (const GstStructure * request)
{
  guint generation = 0;

  if (!gst_structure_get_uint (request, GST_SESSION_TOKEN_FIELD_GENERATION,
          &generation))
    return 0;
  return generation;
}

/**
 * gst_session_token_key_request_dup_expires_at:
 * @request: a key request
 *
 * Returns: (nullable) (transfer full): when the token ends, to be freed by gst_date_time_unref(); %NULL where that is not
 *     known, which means nothing else: such a token is good until it is refused.
 *
 * Since: 0.1.0
 */
static inline GstDateTime *
gst_session_token_key_request_dup_expires_at (const GstStructure * request)
{
  GstDateTime *expires_at = NULL;

  if (!gst_structure_get_date_time (request, GST_SESSION_TOKEN_FIELD_EXPIRES_AT,
          &expires_at))
    return NULL;
  return expires_at;
}

/**
 * gst_session_token_key_request_get_flow:
 * @request: a key request
 *
 * Returns: (transfer none): one of the GST_SESSION_TOKEN_FLOW_ names; valid as long as @request.
 *
 * Since: 0.1.0
 */
static inline const gchar *
gst_session_token_key_request_get_flow (const GstStructure * request)
{
  const gchar *flow =
      gst_structure_get_string (request, GST_SESSION_TOKEN_FIELD_FLOW);

  return flow != NULL ? flow : GST_SESSION_TOKEN_FLOW_UNKNOWN;
}

/**
 * gst_session_token_key_request_get_custom_data:
 * @request: a key request
 *
 * Returns: (nullable) (transfer none): what to pack into the license challenge, JSON in UTF-8; valid as long as @request. %NULL
 *     where there is nothing to pack. It holds the token.
 *
 * Since: 0.1.0
 */
static inline const gchar *
gst_session_token_key_request_get_custom_data (const GstStructure * request)
{
  return gst_structure_get_string (request,
      GST_SESSION_TOKEN_FIELD_CUSTOM_DATA);
}

/**
 * gst_session_token_key_request_get_correlation_id:
 * @request: a key request
 *
 * Returns: (nullable) (transfer none): the id by which the services' logs can be put together; valid as long as @request. It is
 *     no secret.
 *
 * Since: 0.1.0
 */
static inline const gchar *
gst_session_token_key_request_get_correlation_id (const GstStructure * request)
{
  return gst_structure_get_string (request,
      GST_SESSION_TOKEN_FIELD_CORRELATION_ID);
}

/**
 * gst_session_token_key_request_get_query:
 * @request: a key request
 *
 * Parameters for the query of the license server's URL, like `token=abc`. They most likely hold the token: they belong into no log.
 *
 * Returns: (nullable) (transfer none): what to add, percent-encoded; valid as long as @request.
 *
 * Since: 0.1.0
 */
static inline const gchar *
gst_session_token_key_request_get_query (const GstStructure * request)
{
  return gst_structure_get_string (request, GST_SESSION_TOKEN_FIELD_QUERY);
}

/**
 * GstSessionTokenHeaderFunc:
 * @name: the header's name
 * @value: the header's value, which most likely holds the token; gone when the function returns
 * @user_data: what was given for it
 *
 * Returns: %TRUE to go on, %FALSE to be given no more headers.
 *
 * Since: 0.1.0
 */
typedef gboolean (*GstSessionTokenHeaderFunc) (const gchar * name,
    const gchar * value, gpointer user_data);

/**
 * gst_session_token_key_request_foreach_header:
 * @request: a key request
 * @func: (scope call): called for each header
 * @user_data: (closure): for @func
 *
 * The HTTP headers that the license request wants.
 *
 * Any thread. Does not block.
 *
 * Returns: %FALSE where @func did not want to go on.
 *
 * Since: 0.1.0
 */
static inline gboolean
gst_session_token_key_request_foreach_header (const GstStructure * request,
    GstSessionTokenHeaderFunc func, gpointer user_data)
{
  const GValue *field =
      gst_structure_get_value (request, GST_SESSION_TOKEN_FIELD_HTTP_HEADERS);
  const GstStructure *headers;
  guint at, count;

  if (field == NULL || !GST_VALUE_HOLDS_STRUCTURE (field))
    return TRUE;
  headers = gst_value_get_structure (field);
  if (headers == NULL)
    return TRUE;
  count = (guint) gst_structure_n_fields (headers);
  for (at = 0; at < count; at++) {
    const gchar *name = gst_structure_nth_field_name (headers, at);
    const gchar *value = gst_structure_get_string (headers, name);

    if (value != NULL && !func (name, value, user_data))
      return FALSE;
  }
  return TRUE;
}

/**
 * gst_session_token_status_is_refusal:
 * @http_status: the HTTP status of a license server's answer
 *
 * Whether the token is to blame, as `clearkeydec` and AAMP take it: 401, 403 and 412. Anything else says nothing of the token, and another one
 * would not help.
 *
 * Since: 0.1.0
 */
static inline gboolean
gst_session_token_status_is_refusal (guint http_status)
{
  return http_status == 401 || http_status == 403 || http_status == 412;
}

/* ---- The store: tokens beyond those on events ---- */

/**
 * gst_session_token_query_store:
 * @sinkpad: the decryptor's sink pad
 *
 * Looks for the store upstream, past queues and bins. Where a protection event brought a key request, ask again: in
 * another tune another element may be upstream.
 *
 * Any thread, the pad's event and chain functions included, once the pad is linked. Waits for nothing but upstream
 * elements' query functions. Hold no lock of yours that they, or their neighbours, could want.
 *
 * Returns: (nullable) (transfer full): the store, to be freed by g_object_unref(); %NULL where nobody upstream has one. Keeping it
 *     keeps no element alive: a store whose element is gone or stopped has no token.
 *
 * Since: 0.1.0
 */
static inline GObject *
gst_session_token_query_store (GstPad * sinkpad)
{
  GstQuery *query = gst_query_new_context (GST_SESSION_TOKEN_CONTEXT_TYPE);
  GObject *store = NULL;

  if (gst_pad_peer_query (sinkpad, query)) {
    GstContext *context = NULL;

    gst_query_parse_context (query, &context);
    if (context != NULL) {
      /* Not by gst_structure_get(), which takes G_TYPE_OBJECT for no more than that very type. */
      const GValue *field =
          gst_structure_get_value (gst_context_get_structure (context),
          GST_SESSION_TOKEN_CONTEXT_FIELD_STORE);

      if (field != NULL && G_VALUE_HOLDS_OBJECT (field))
        store = (GObject *) g_value_dup_object (field);
    }
  }
  gst_query_unref (query);
  return store;
}

/**
 * gst_session_token_store_newest:
 * @store: the store
 * @generation: the generation of the token at hand, 0 where there is none
 *
 * The newest valid token of the service that issued the one at hand, which may be newer than that of the last event: tokens that are renewed
 * ahead of their end are not announced. To be called before each license request.
 *
 * Any thread. Makes no request and waits for none.
 *
 * Returns: (nullable) (transfer full): a key request with the token, as an event of the stream would bring it, to be freed by
 *     gst_structure_free(); %NULL where no token is valid now. Never print it: it holds the token. It has no key ids: those of the event hold.
 *
 * Since: 0.1.0
 */
static inline GstStructure *
gst_session_token_store_newest (GObject * store, guint generation)
{
  GstStructure *request = NULL;

  g_signal_emit_by_name (store, GST_SESSION_TOKEN_STORE_SIGNAL_NEWEST,
      generation, &request);
  return request;
}

/**
 * gst_session_token_store_dup_expires_at:
 * @store: the store
 *
 * Any thread. Makes no request and waits for none.
 *
 * Returns: (nullable) (transfer full): when the newest token ends, to be freed by gst_date_time_unref(); %NULL where that is not known.
 *
 * Since: 0.1.0
 */
static inline GstDateTime *
gst_session_token_store_dup_expires_at (GObject * store)
{
  GstDateTime *expires_at = NULL;

  g_object_get (store, GST_SESSION_TOKEN_STORE_PROPERTY_EXPIRES_AT, &expires_at,
      NULL);
  return expires_at;
}

/**
 * gst_session_token_store_reject:
 * @store: the store
 * @generation: that of the token that was refused
 * @http_status: with which HTTP status, 0 where there was none
 *
 * Says that a token was refused and waits for another one. However many decryptors refuse one generation, one new token is fetched, and all get
 * it. After three refused in a row there is no fourth.
 *
 * This is the one function here that BLOCKS: at the longest for the `timeout` of `sessiontoken`. Call it from a thread of your own
 * that makes license requests, without a lock of yours. In a pad function it holds the stream up, and in playbin3 that is the thread for
 * which a stop and a seek wait. gst_session_token_store_set_flushing() ends the wait.
 *
 * Returns: (nullable) (transfer full): a key request with the newer token, to be freed by gst_structure_free(); %NULL where there is none, while
 *     the store is flushing, and where the element upstream was stopped. Never print it: it holds the token. It has no key ids: those of the
 *     event hold.
 *
 * Since: 0.1.0
 */
static inline GstStructure *
gst_session_token_store_reject (GObject * store, guint generation,
    guint http_status)
{
  GstStructure *request = NULL;

  g_signal_emit_by_name (store, GST_SESSION_TOKEN_STORE_SIGNAL_REJECT,
      generation, http_status, &request);
  return request;
}

/**
 * gst_session_token_store_set_flushing:
 * @store: the store
 * @flushing: whether nobody may wait
 *
 * While it is set, as with gst_poll_set_flushing(), every gst_session_token_store_reject() of this store returns %NULL at once: those that wait, and
 * those that begin a moment later.
 *
 * To be set when the decryptor is stopped: from its change_state function at PAUSED to READY, before the parent class's. (In the `stop` of
 * GstBaseTransform it is too late: that comes when the streaming thread has left.) Where the streaming thread itself waits
 * in the store, at FLUSH_START as well. To be unset at FLUSH_STOP, and when the decryptor finds the store in its next tune.
 *
 * Any thread. Does not block.
 *
 * Since: 0.1.0
 */
static inline void
gst_session_token_store_set_flushing (GObject * store, gboolean flushing)
{
  g_signal_emit_by_name (store, GST_SESSION_TOKEN_STORE_SIGNAL_SET_FLUSHING,
      flushing);
}

/* ---- The upstream event: feedback without waiting ---- */

/**
 * gst_session_token_send_rejected:
 * @sinkpad: the decryptor's sink pad
 * @generation: that of the token that was refused
 * @http_status: with which HTTP status, 0 where there was none
 * @reason: (nullable): a word on it. GStreamer logs it: no secrets, and nothing that a server said.
 *
 * Says that a token was refused and does not wait. All protection events of the stream come again, with a new token and in their order,
 * before the next buffer; the decryptor keeps the sample that it could not decrypt.
 *
 * Any thread, the pad's event and chain functions included. Does not wait for the token. Hold no lock of yours that upstream elements, or
 * their neighbours, could want.
 *
 * The events come with the next buffer, so the chain function must not wait for them: it keeps the sample and returns. Where the stream has
 * ended there is no next buffer; what is kept then wants gst_session_token_store_reject().
 *
 * Returns: whether somebody upstream took it. %FALSE too where the stream has ended.
 *
 * Since: 0.1.0
 */
static inline gboolean
gst_session_token_send_rejected (GstPad * sinkpad, guint generation,
    guint http_status, const gchar * reason)
{
  GstStructure *rejected =
      gst_structure_new (GST_SESSION_TOKEN_REJECTED_EVENT,
      GST_SESSION_TOKEN_REJECTED_FIELD_GENERATION, G_TYPE_UINT, generation,
      NULL);

  if (http_status != 0)
    gst_structure_set (rejected, GST_SESSION_TOKEN_REJECTED_FIELD_HTTP_STATUS,
        G_TYPE_UINT, http_status, NULL);
  if (reason != NULL)
    gst_structure_set (rejected, GST_SESSION_TOKEN_REJECTED_FIELD_REASON,
        G_TYPE_STRING, reason, NULL);
  return gst_pad_push_event (sinkpad,
      gst_event_new_custom (GST_EVENT_CUSTOM_UPSTREAM, rejected));
}

G_END_DECLS

#endif /* __GST_SESSION_TOKEN_H__ */
