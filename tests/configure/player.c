/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Plays a URI with one of the documents' samples: `player WAY URI AUTH-SERVICE`. */

#include <gst/gst.h>

/* Handlers of signals have more arguments than they need. */
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include "../../examples/configure/property.c"
#include "../../examples/configure/context.c"

static GstElement *
make (const gchar * factory)
{
  GstElement *element = gst_element_factory_make (factory, NULL);

  g_assert_nonnull (element);
  return element;
}

int
main (int argc, char **argv)
{
  GstElement *player;
  GstBus *bus;
  GstMessage *message;
  gboolean has_ended;

  gst_init (NULL, NULL);
  g_assert_cmpint (argc, ==, 4);
  player = make ("playbin3");
  g_object_set (player, "uri", argv[2], "video-sink", make ("fakevideosink"),
      "audio-sink", make ("fakeaudiosink"), NULL);
  if (g_str_equal (argv[1], "property"))
    configure (player, argv[3]);
  else
    configure_by_context (player, argv[3]);

  gst_element_set_state (player, GST_STATE_PLAYING);
  bus = gst_element_get_bus (player);
  message = gst_bus_timed_pop_filtered (bus, GST_CLOCK_TIME_NONE,
      GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  has_ended = GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS;
  if (!has_ended) {
    GError *error = NULL;

    gst_message_parse_error (message, &error, NULL);
    g_printerr ("%s\n", error->message);
    g_error_free (error);
  }
  gst_message_unref (message);
  gst_object_unref (bus);
  gst_element_set_state (player, GST_STATE_NULL);
  gst_object_unref (player);
  return has_ended ? 0 : 1;
}
