/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/* The least that an element in C can do: hands everything on. What it costs is the price of a pair of pads. */

#include <gst/gst.h>

#define PACKAGE "passthrough"

typedef struct
{
  GstElement parent;
  GstPad *source;
} Passthrough;

typedef GstElementClass PassthroughClass;

G_DEFINE_TYPE (Passthrough, passthrough, GST_TYPE_ELEMENT)

static GstStaticPadTemplate sink_template =
GST_STATIC_PAD_TEMPLATE ("sink", GST_PAD_SINK, GST_PAD_ALWAYS,
    GST_STATIC_CAPS_ANY);
static GstStaticPadTemplate source_template =
GST_STATIC_PAD_TEMPLATE ("src", GST_PAD_SRC, GST_PAD_ALWAYS,
    GST_STATIC_CAPS_ANY);

static GstFlowReturn
passthrough_chain (GstPad * pad, GstObject * parent, GstBuffer * buffer)
{
  (void) pad;
  return gst_pad_push (((Passthrough *) parent)->source, buffer);
}

static GstFlowReturn
passthrough_chain_list (GstPad * pad, GstObject * parent, GstBufferList * list)
{
  (void) pad;
  return gst_pad_push_list (((Passthrough *) parent)->source, list);
}

static gboolean
passthrough_event (GstPad * pad, GstObject * parent, GstEvent * event)
{
  (void) pad;
  return gst_pad_push_event (((Passthrough *) parent)->source, event);
}

static void
passthrough_class_init (PassthroughClass * klass)
{
  gst_element_class_add_static_pad_template (klass, &sink_template);
  gst_element_class_add_static_pad_template (klass, &source_template);
  gst_element_class_set_static_metadata (klass, "Passthrough", "Generic",
      "Hands everything on", "The gst-plugin-sessiontoken developers");
}

static void
passthrough_init (Passthrough * self)
{
  GstPad *sink = gst_pad_new_from_static_template (&sink_template, "sink");

  gst_pad_set_chain_function (sink, passthrough_chain);
  gst_pad_set_chain_list_function (sink, passthrough_chain_list);
  gst_pad_set_event_function (sink, passthrough_event);
  GST_PAD_SET_PROXY_CAPS (sink);
  GST_PAD_SET_PROXY_ALLOCATION (sink);
  gst_element_add_pad (GST_ELEMENT (self), sink);
  self->source = gst_pad_new_from_static_template (&source_template, "src");
  GST_PAD_SET_PROXY_CAPS (self->source);
  gst_element_add_pad (GST_ELEMENT (self), self->source);
}

static gboolean
plugin_init (GstPlugin * plugin)
{
  return gst_element_register (plugin, "passthrough", GST_RANK_NONE,
      passthrough_get_type ());
}

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, passthrough,
    "An element to compare with", plugin_init, "0", "MIT/X11", PACKAGE,
    "https://gstreamer.freedesktop.org")
