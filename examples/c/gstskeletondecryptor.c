/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/**
 * SECTION:element-skeletondecryptor
 * @title: skeletondecryptor
 *
 * A decryptor's skeleton: everything that one needs to work with `sessiontoken`, and no DRM. To be copied by authors of
 * decryptors, who fill in acquire_key() and decrypt(). As it stands it asks no license server and passes buffers on still encrypted.
 *
 * It reads the key request on each protection event, finds the store, makes license requests on a thread of its own with the newest
 * token, rejects a token that was refused and asks once more with the new one. While a key is under way buffers wait; a stop and a
 * flush end that wait at once, also when the auth service hangs.
 *
 * It says on the bus what it does, in element messages `skeletondecryptor` with a `state`: `key-request` for each protection event
 * (`system-id`, `origin`, `generation`, the names of the `fields` and `headers` that were there, whether there is a `store`), `asking` before each
 * license request (`generation`), `refused` (`generation`, `http-status`, `new-generation`), `acquired` and `failed` (`generation`,
 * `http-status`). Names and numbers, never values.
 *
 * Since: 0.1.0
 */

#include <gst/gst.h>
#include <gst/base/gstbasetransform.h>
#include <gst/sessiontoken/gstsessiontoken.h>

#define PACKAGE "gst-plugin-sessiontoken"

/* The W3C common system. A decryptor of a real DRM has that of its own here. */
#define SYSTEM_ID "1077efec-c0b2-4d02-ace3-3c1e52e2fb4b"

/* How often a wait looks at what cannot wake it. A viewer does not notice that, and it costs nothing. */
#define LOOK_AROUND (20 * G_TIME_SPAN_MILLISECOND)

/* What decryptors call a license server's answer here. */
#define HTTP_OK 200
#define HTTP_UNAUTHORIZED 401

GST_DEBUG_CATEGORY_STATIC (gst_skeleton_decryptor_debug);
#define GST_CAT_DEFAULT gst_skeleton_decryptor_debug

/* One license that is wanted. */
typedef struct
{
  /* Brings init data and key request. */
  GstEvent *event;
  /* Where there are newer tokens; NULL where nobody upstream has any. */
  GObject *store;
} Job;

typedef struct
{
  GstBaseTransform parent;

  gboolean reject_first;
  /* Guards what follows, and is held for nothing that calls anybody. */
  GMutex lock;
  GCond changed;
  GThread *thread;
  /* Licenses that are wanted, and the one that is asked for now. */
  GQueue wanted;
  Job *current;
  /* The last one could not be had. */
  gboolean failed;
  gboolean stopping;
  gboolean flushing;
  /* That of the first event's token, 0 before that. */
  guint first_generation;
} GstSkeletonDecryptor;

typedef struct
{
  GstBaseTransformClass parent_class;
} GstSkeletonDecryptorClass;

enum
{
  PROP_0,
  PROP_REJECT_FIRST
};

static GType gst_skeleton_decryptor_get_type (void);

#define gst_skeleton_decryptor_parent_class parent_class
G_DEFINE_TYPE (GstSkeletonDecryptor, gst_skeleton_decryptor,
    GST_TYPE_BASE_TRANSFORM)

/* qtdemux compares system ids by case and looks for a plain string, so a system whose id comes in upper case too needs a second structure. */
static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE ("sink",
    GST_PAD_SINK, GST_PAD_ALWAYS,
    GST_STATIC_CAPS ("application/x-cenc, protection-system=(string)"
        SYSTEM_ID));

static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE ("src",
    GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

/* ---- To be filled in ---- */

static gboolean
set_header (const gchar * name, const gchar * value, gpointer user_data)
{
  /* curl_slist_append(), soup_message_headers_replace(), … on user_data. The value is gone when this returns. */
  (void) name;
  (void) value;
  (void) user_data;
  return TRUE;
}

/*
 * Has the CDM make its challenge, sends it to the license server, and gives the answer to the CDM.
 *
 * On a thread of our own, without a lock: this may block, as long as it has a time limit and cancel_acquisition() ends it.
 * Returns the HTTP status, 0 where there was no answer.
 */
static guint
acquire_key (GstSkeletonDecryptor * self, GstEvent * event,
    const GstStructure * request)
{
  guint generation = gst_session_token_key_request_get_generation (request);
  const gchar *custom_data =
      gst_session_token_key_request_get_custom_data (request);
  GstBuffer *init_data = NULL;
  guint first_generation;

  /* 1. The challenge, from `init_data` and, where the CDM packs it, the custom data (opencdm_construct_session's CDMData). */
  gst_event_parse_protection (event, NULL, &init_data, NULL);
  (void) custom_data;
  /* 2. The request, with these headers. */
  gst_session_token_key_request_foreach_header (request, set_header, NULL);
  /* 3. The answer to the CDM (opencdm_session_update), if it is one. */
  g_mutex_lock (&self->lock);
  first_generation = self->first_generation;
  g_mutex_unlock (&self->lock);
  if (self->reject_first && generation == first_generation)
    return HTTP_UNAUTHORIZED;
  return HTTP_OK;
}

/* Ends an acquire_key() that blocks, from another thread: aborts the HTTP request, wakes who waits for the CDM. */
static void
cancel_acquisition (GstSkeletonDecryptor * self)
{
  (void) self;
}

/* Decrypts in place, as the GstProtectionMeta of this buffer says. Afterwards that meta goes (gst_buffer_remove_meta()). */
static GstFlowReturn
decrypt (GstSkeletonDecryptor * self, GstBuffer * buffer)
{
  (void) self;
  (void) buffer;
  return GST_FLOW_OK;
}

/* ---- What the application hears ---- */

static void
post (GstSkeletonDecryptor * self, GstStructure * structure)
{
  gst_element_post_message (GST_ELEMENT (self),
      gst_message_new_element (GST_OBJECT (self), structure));
}

/* The names of a structure's fields. (gst_structure_get() would print the whole structure where one is missing.) */
static gchar *
field_names (const GstStructure * structure)
{
  GString *names = g_string_new (NULL);
  gint at;

  for (at = 0; structure != NULL && at < gst_structure_n_fields (structure);
      at++) {
    if (at > 0)
      g_string_append_c (names, ' ');
    g_string_append (names, gst_structure_nth_field_name (structure,
            (guint) at));
  }
  return g_string_free (names, FALSE);
}

static gboolean
add_name (const gchar * name, const gchar * value, gpointer user_data)
{
  GString *names = user_data;

  (void) value;
  if (names->len > 0)
    g_string_append_c (names, ' ');
  g_string_append (names, name);
  return TRUE;
}

/* For each protection event: what was there. */
static void
tell_of_request (GstSkeletonDecryptor * self, GstEvent * event,
    const GstStructure * request, gboolean has_store)
{
  GstStructure *told = gst_structure_new ("skeletondecryptor",
      "state", G_TYPE_STRING, "key-request",
      "store", G_TYPE_BOOLEAN, has_store, NULL);
  const gchar *system_id = NULL, *origin = NULL;
  GString *headers = g_string_new (NULL);
  gchar *fields = field_names (request);
  guint generation = 0;

  gst_event_parse_protection (event, &system_id, NULL, &origin);
  if (request != NULL) {
    generation = gst_session_token_key_request_get_generation (request);
    gst_session_token_key_request_foreach_header (request, add_name, headers);
  }
  gst_structure_set (told, "system-id", G_TYPE_STRING, system_id,
      "origin", G_TYPE_STRING, origin, "fields", G_TYPE_STRING, fields,
      "headers", G_TYPE_STRING, headers->str,
      "generation", G_TYPE_UINT, generation, NULL);
  post (self, told);
  g_string_free (headers, TRUE);
  g_free (fields);
}

static void
tell_of_asking (GstSkeletonDecryptor * self, guint generation)
{
  post (self, gst_structure_new ("skeletondecryptor",
          "state", G_TYPE_STRING, "asking",
          "generation", G_TYPE_UINT, generation, NULL));
}

static void
tell_of_refusal (GstSkeletonDecryptor * self, guint generation,
    guint http_status, guint new_generation)
{
  post (self, gst_structure_new ("skeletondecryptor",
          "state", G_TYPE_STRING, "refused",
          "generation", G_TYPE_UINT, generation,
          "http-status", G_TYPE_UINT, http_status,
          "new-generation", G_TYPE_UINT, new_generation, NULL));
}

static void
tell_of_key (GstSkeletonDecryptor * self, gboolean is_here, guint generation,
    guint http_status)
{
  post (self, gst_structure_new ("skeletondecryptor",
          "state", G_TYPE_STRING, is_here ? "acquired" : "failed",
          "generation", G_TYPE_UINT, generation,
          "http-status", G_TYPE_UINT, http_status, NULL));
}

/* ---- Licenses, on a thread of our own ---- */

static Job *
job_new (GstEvent * event, GObject * store)
{
  Job *job = g_new0 (Job, 1);

  job->event = gst_event_ref (event);
  job->store = store;
  return job;
}

static void
job_free (Job * job)
{
  gst_event_unref (job->event);
  g_clear_object (&job->store);
  g_free (job);
}

static gboolean
is_stopping (GstSkeletonDecryptor * self)
{
  gboolean stopping;

  g_mutex_lock (&self->lock);
  stopping = self->stopping;
  g_mutex_unlock (&self->lock);
  return stopping;
}

/* The key request with the newest token, if that of the event has been replaced since: ahead of its end, or because another stream's was
 * refused. */
static GstStructure *
newest_request (const Job * job, const GstStructure * request)
{
  guint generation = gst_session_token_key_request_get_generation (request);
  GstStructure *newest = NULL;

  if (job->store != NULL)
    newest = gst_session_token_store_newest (job->store, generation);
  if (newest != NULL
      && gst_session_token_key_request_get_generation (newest) <= generation)
    g_clear_pointer (&newest, gst_structure_free);
  return newest;
}

/* A key request with another token instead of the one that was refused. This waits. */
static GstStructure *
request_instead (GstSkeletonDecryptor * self, const Job * job, guint generation,
    guint http_status)
{
  GstStructure *instead = NULL;
  guint new_generation = 0;

  if (job->store != NULL && !is_stopping (self))
    instead =
        gst_session_token_store_reject (job->store, generation, http_status);
  if (instead != NULL)
    new_generation = gst_session_token_key_request_get_generation (instead);
  tell_of_refusal (self, generation, http_status, new_generation);
  return instead;
}

static guint
ask_for_key (GstSkeletonDecryptor * self, const Job * job,
    const GstStructure * request)
{
  tell_of_asking (self, gst_session_token_key_request_get_generation (request));
  return acquire_key (self, job->event, request);
}

/* Whether the key is here now. */
static gboolean
serve (GstSkeletonDecryptor * self, const Job * job)
{
  const GstStructure *request =
      gst_session_token_event_get_key_request (job->event);
  GstStructure *newer = newest_request (job, request);
  guint generation, http_status;

  if (newer != NULL)
    request = newer;
  http_status = ask_for_key (self, job, request);
  generation = gst_session_token_key_request_get_generation (request);
  /* One more token and one more request: where that is refused too, something else is wrong. */
  if (gst_session_token_status_is_refusal (http_status)) {
    GstStructure *instead =
        request_instead (self, job, generation, http_status);

    if (instead != NULL) {
      g_clear_pointer (&newer, gst_structure_free);
      newer = instead;
      http_status = ask_for_key (self, job, instead);
      generation = gst_session_token_key_request_get_generation (instead);
    }
  }
  g_clear_pointer (&newer, gst_structure_free);
  tell_of_key (self, http_status == HTTP_OK, generation, http_status);
  return http_status == HTTP_OK;
}

static gpointer
license_thread (gpointer data)
{
  GstSkeletonDecryptor *self = data;

  g_mutex_lock (&self->lock);
  while (!self->stopping) {
    Job *job = g_queue_pop_head (&self->wanted);
    gboolean is_here;

    if (job == NULL) {
      g_cond_wait (&self->changed, &self->lock);
      continue;
    }
    self->current = job;
    g_mutex_unlock (&self->lock);
    is_here = serve (self, job);
    g_mutex_lock (&self->lock);
    self->current = NULL;
    self->failed = !is_here;
    g_cond_broadcast (&self->changed);
    g_mutex_unlock (&self->lock);
    job_free (job);
    g_mutex_lock (&self->lock);
  }
  g_mutex_unlock (&self->lock);
  return NULL;
}

static void
want_license (GstSkeletonDecryptor * self, GstEvent * event, GObject * store)
{
  Job *job = job_new (event, store);

  g_mutex_lock (&self->lock);
  if (self->first_generation == 0)
    self->first_generation =
        gst_session_token_key_request_get_generation
        (gst_session_token_event_get_key_request (event));
  g_queue_push_tail (&self->wanted, job);
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

/* Ends what the license thread waits for, and whatever it would wait for from now on. */
static void
cancel_license (GstSkeletonDecryptor * self)
{
  GObject *store = NULL;

  g_mutex_lock (&self->lock);
  self->stopping = TRUE;
  g_cond_broadcast (&self->changed);
  if (self->current != NULL && self->current->store != NULL)
    store = g_object_ref (self->current->store);
  g_mutex_unlock (&self->lock);
  cancel_acquisition (self);
  if (store != NULL) {
    gst_session_token_store_set_flushing (store, TRUE);
    g_object_unref (store);
  }
}

static gboolean
gst_skeleton_decryptor_start (GstBaseTransform * base)
{
  GstSkeletonDecryptor *self = (GstSkeletonDecryptor *) base;
  GError *error = NULL;

  self->stopping = FALSE;
  self->flushing = FALSE;
  self->failed = FALSE;
  self->first_generation = 0;
  self->thread = g_thread_try_new ("licenses", license_thread, self, &error);
  if (self->thread == NULL) {
    GST_ELEMENT_ERROR (self, RESOURCE, FAILED, ("No thread for licenses."),
        ("%s", error->message));
    g_clear_error (&error);
    return FALSE;
  }
  return TRUE;
}

/* No thread of the stream's is here any more. */
static gboolean
gst_skeleton_decryptor_stop (GstBaseTransform * base)
{
  GstSkeletonDecryptor *self = (GstSkeletonDecryptor *) base;

  cancel_license (self);
  g_thread_join (self->thread);
  self->thread = NULL;
  g_queue_clear_full (&self->wanted, (GDestroyNotify) job_free);
  return TRUE;
}

/* ---- The stream ---- */

static void
take_protection (GstSkeletonDecryptor * self, GstEvent * event)
{
  const GstStructure *request = gst_session_token_event_get_key_request (event);
  const gchar *system_id = NULL;
  GObject *store = NULL;

  gst_event_parse_protection (event, &system_id, NULL, NULL);
  if (request != NULL)
    store = gst_session_token_query_store (GST_BASE_TRANSFORM_SINK_PAD (self));
  /* It may be as the last tune left it. */
  if (store != NULL && !is_stopping (self))
    gst_session_token_store_set_flushing (store, FALSE);
  tell_of_request (self, event, request, store != NULL);
  /* A real one goes on without a token too, and compares init data with those whose keys it has: events come again after a seek, and
   * after a token was refused. */
  if (request != NULL && g_ascii_strcasecmp (system_id, SYSTEM_ID) == 0)
    want_license (self, event, store);
  else
    g_clear_object (&store);
}

static void
set_flushing (GstSkeletonDecryptor * self, gboolean flushing)
{
  g_mutex_lock (&self->lock);
  self->flushing = flushing;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

static gboolean
gst_skeleton_decryptor_sink_event (GstBaseTransform * base, GstEvent * event)
{
  GstSkeletonDecryptor *self = (GstSkeletonDecryptor *) base;

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_PROTECTION:
      take_protection (self, event);
      /* It was for us. */
      gst_event_unref (event);
      return TRUE;
    case GST_EVENT_FLUSH_START:
      /* The license thread goes on: what it gets is of use after the flush too. */
      set_flushing (self, TRUE);
      break;
    case GST_EVENT_FLUSH_STOP:
      set_flushing (self, FALSE);
      break;
    default:
      break;
  }
  return GST_BASE_TRANSFORM_CLASS (parent_class)->sink_event (base, event);
}

/* Whether a bin around us is to go below PAUSED. In playbin3 nothing else tells: the demuxer waits for the thread that waits here, and only
 * then are we stopped. */
static gboolean
is_being_stopped (GstSkeletonDecryptor * self)
{
  GstObject *ancestor = gst_object_get_parent (GST_OBJECT (self));
  gboolean stopped = FALSE;

  while (ancestor != NULL) {
    GstObject *next;

    if (GST_IS_ELEMENT (ancestor)) {
      GST_OBJECT_LOCK (ancestor);
      if (GST_STATE_TARGET (ancestor) < GST_STATE_PAUSED)
        stopped = TRUE;
      GST_OBJECT_UNLOCK (ancestor);
    }
    next = gst_object_get_parent (ancestor);
    gst_object_unref (ancestor);
    ancestor = next;
  }
  return stopped;
}

/* Waits until all licenses that were wanted are here. The license thread has a time limit for each, so this one needs none. */
static GstFlowReturn
wait_for_keys (GstSkeletonDecryptor * self)
{
  GstFlowReturn flow = GST_FLOW_OK;
  gboolean is_pointless = FALSE;

  g_mutex_lock (&self->lock);
  while (!self->stopping && !self->flushing && !is_pointless
      && (self->current != NULL || !g_queue_is_empty (&self->wanted))) {
    if (!g_cond_wait_until (&self->changed, &self->lock,
            g_get_monotonic_time () + LOOK_AROUND)) {
      g_mutex_unlock (&self->lock);
      is_pointless = is_being_stopped (self);
      g_mutex_lock (&self->lock);
    }
  }
  if (self->stopping || self->flushing || is_pointless)
    flow = GST_FLOW_FLUSHING;
  else if (self->failed)
    flow = GST_FLOW_ERROR;
  g_mutex_unlock (&self->lock);
  return flow;
}

static GstFlowReturn
gst_skeleton_decryptor_transform_ip (GstBaseTransform * base,
    GstBuffer * buffer)
{
  GstSkeletonDecryptor *self = (GstSkeletonDecryptor *) base;
  GstFlowReturn flow = wait_for_keys (self);

  if (flow == GST_FLOW_ERROR)
    GST_ELEMENT_ERROR (self, STREAM, DECRYPT_NOKEY,
        ("There is no license for this stream."), (NULL));
  return flow == GST_FLOW_OK ? decrypt (self, buffer) : flow;
}

/* ---- Caps: `application/x-cenc, original-media-type=X` on one side, `X` on the other ---- */

static GstStructure *
decrypted (const GstStructure * encrypted)
{
  const gchar *media_type =
      gst_structure_get_string (encrypted, "original-media-type");
  GstStructure *structure;

  if (media_type == NULL)
    return NULL;
  structure = gst_structure_copy (encrypted);
  gst_structure_set_name (structure, media_type);
  gst_structure_remove_fields (structure, "original-media-type",
      "protection-system", "cipher-mode", NULL);
  return structure;
}

static GstStructure *
encrypted (const GstStructure * decrypted)
{
  return gst_structure_new ("application/x-cenc",
      "protection-system", G_TYPE_STRING, SYSTEM_ID,
      "original-media-type", G_TYPE_STRING, gst_structure_get_name (decrypted),
      NULL);
}

static GstCaps *
gst_skeleton_decryptor_transform_caps (GstBaseTransform * base,
    GstPadDirection direction, GstCaps * caps, GstCaps * filter)
{
  GstCaps *other, *filtered;
  guint at;

  (void) base;
  /* Who takes anything, or demands nothing yet, says nothing about the other side. */
  if (gst_caps_is_any (caps))
    return filter != NULL ? gst_caps_ref (filter) : gst_caps_new_any ();
  other = gst_caps_new_empty ();
  for (at = 0; at < gst_caps_get_size (caps); at++) {
    const GstStructure *one = gst_caps_get_structure (caps, at);
    GstStructure *transformed =
        direction == GST_PAD_SINK ? decrypted (one) : encrypted (one);

    if (transformed != NULL)
      other = gst_caps_merge_structure (other, transformed);
    else
      other = gst_caps_merge (other, gst_caps_new_any ());
  }
  if (filter == NULL)
    return other;
  filtered = gst_caps_intersect_full (filter, other, GST_CAPS_INTERSECT_FIRST);
  gst_caps_unref (other);
  return filtered;
}

/* ---- The element ---- */

static GstStateChangeReturn
gst_skeleton_decryptor_change_state (GstElement * element,
    GstStateChange transition)
{
  GstSkeletonDecryptor *self = (GstSkeletonDecryptor *) element;

  /* Before the parent class, which waits for the streaming thread: that may wait for a key, and that for a token. */
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) {
    cancel_license (self);
  }
  return GST_ELEMENT_CLASS (parent_class)->change_state (element, transition);
}

static void
gst_skeleton_decryptor_set_property (GObject * object, guint id,
    const GValue * value, GParamSpec * spec)
{
  GstSkeletonDecryptor *self = (GstSkeletonDecryptor *) object;

  if (id == PROP_REJECT_FIRST)
    self->reject_first = g_value_get_boolean (value);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
}

static void
gst_skeleton_decryptor_get_property (GObject * object, guint id, GValue * value,
    GParamSpec * spec)
{
  GstSkeletonDecryptor *self = (GstSkeletonDecryptor *) object;

  if (id == PROP_REJECT_FIRST)
    g_value_set_boolean (value, self->reject_first);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
}

static void
gst_skeleton_decryptor_finalize (GObject * object)
{
  GstSkeletonDecryptor *self = (GstSkeletonDecryptor *) object;

  g_queue_clear_full (&self->wanted, (GDestroyNotify) job_free);
  g_cond_clear (&self->changed);
  g_mutex_clear (&self->lock);
  G_OBJECT_CLASS (parent_class)->finalize (object);
}

static void
gst_skeleton_decryptor_class_init (GstSkeletonDecryptorClass * klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseTransformClass *base_class = GST_BASE_TRANSFORM_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (gst_skeleton_decryptor_debug, "skeletondecryptor", 0,
      "A decryptor's skeleton");
  object_class->set_property = gst_skeleton_decryptor_set_property;
  object_class->get_property = gst_skeleton_decryptor_get_property;
  object_class->finalize = gst_skeleton_decryptor_finalize;
  g_object_class_install_property (object_class, PROP_REJECT_FIRST,
      g_param_spec_boolean ("reject-first", "Reject the first token",
          "Behave as if the license server refused the first token with HTTP status 401",
          FALSE, G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS));

  element_class->change_state = gst_skeleton_decryptor_change_state;
  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (element_class,
      "A decryptor's skeleton", GST_ELEMENT_FACTORY_KLASS_DECRYPTOR,
      "Shows how a decryptor works with sessiontoken; decrypts nothing",
      "The gst-plugin-sessiontoken developers");

  base_class->start = gst_skeleton_decryptor_start;
  base_class->stop = gst_skeleton_decryptor_stop;
  base_class->sink_event = gst_skeleton_decryptor_sink_event;
  base_class->transform_ip = gst_skeleton_decryptor_transform_ip;
  base_class->transform_ip_on_passthrough = FALSE;
  base_class->transform_caps = gst_skeleton_decryptor_transform_caps;
}

static void
gst_skeleton_decryptor_init (GstSkeletonDecryptor * self)
{
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  g_queue_init (&self->wanted);
  gst_base_transform_set_in_place (GST_BASE_TRANSFORM (self), TRUE);
  gst_base_transform_set_passthrough (GST_BASE_TRANSFORM (self), FALSE);
  gst_base_transform_set_gap_aware (GST_BASE_TRANSFORM (self), FALSE);
}

static gboolean
plugin_init (GstPlugin * plugin)
{
  /* No player should plug what does not decrypt. A real one has GST_RANK_PRIMARY. */
  return gst_element_register (plugin, "skeletondecryptor", GST_RANK_NONE,
      gst_skeleton_decryptor_get_type ());
}

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, skeletondecryptor,
    "A decryptor's skeleton", plugin_init, "0.1.0", "MIT/X11", PACKAGE,
    PACKAGE)
