/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A player that has the plugin linked in. It plays to the end, without picture and sound. */

#include <stdlib.h>

#include <gst/gst.h>

GST_PLUGIN_STATIC_DECLARE (sessiontoken);

static void
set_rank (const gchar * element, guint rank)
{
  GstPluginFeature *feature = gst_registry_lookup_feature (gst_registry_get (), element);

  if (!feature) {
    g_printerr ("static-player: the plugin did not register %s\n", element);
    exit (EXIT_FAILURE);
  }
  gst_plugin_feature_set_rank (feature, rank);
  gst_object_unref (feature);
}

static void
register_plugin (void)
{
  gst_init (NULL, NULL);
  GST_PLUGIN_STATIC_REGISTER (sessiontoken);
  set_rank ("sessiontoken", GST_RANK_PRIMARY);
  set_rank ("hlsdrmdemux", G_MAXINT);
}

static GstElement *
make (const gchar * factory)
{
  GstElement *element = gst_element_factory_make (factory, NULL);

  if (!element) {
    g_printerr ("static-player: %s is missing\n", factory);
    exit (EXIT_FAILURE);
  }
  return element;
}

static gboolean
play (const gchar * uri, const gchar * auth_service)
{
  GstElement *player = make ("playbin3");
  GstContext *context = gst_context_new ("session-token-config", TRUE);
  GstBus *bus = gst_element_get_bus (player);
  GstMessage *message;
  GError *error = NULL;

  g_object_set (player, "uri", uri, "video-sink", make ("fakevideosink"),
      "audio-sink", make ("fakeaudiosink"), NULL);
  gst_structure_set (gst_context_writable_structure (context),
      "location", G_TYPE_STRING, auth_service, NULL);
  gst_element_set_context (player, context);

  /* The bus has the reason if it fails. */
  gst_element_set_state (player, GST_STATE_PLAYING);
  message = gst_bus_timed_pop_filtered (bus, GST_CLOCK_TIME_NONE,
      GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  gst_element_set_state (player, GST_STATE_NULL);
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    gst_message_parse_error (message, &error, NULL);
    g_printerr ("static-player: %s\n", error->message);
  }
  gst_message_unref (message);
  gst_object_unref (bus);
  gst_context_unref (context);
  gst_object_unref (player);
  return !error;
}

int
main (int argc, char **argv)
{
  if (argc != 3) {
    g_printerr ("Usage: static-player URI AUTH-SERVICE\n");
    return 2;
  }
  register_plugin ();
  return play (argv[1], argv[2]) ? EXIT_SUCCESS : EXIT_FAILURE;
}
