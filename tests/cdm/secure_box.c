/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/* The tests' CDM on a box with secure memory, as RDK's adapters have it: the caps behind a
 * decryptor say so. All other functions are those of the library behind it. */

#include <gst/gst.h>

unsigned opencdm_gstreamer_transform_caps (GstCaps ** caps);

unsigned
opencdm_gstreamer_transform_caps (GstCaps ** caps)
{
  *caps = gst_caps_make_writable (*caps);
  gst_caps_set_simple (*caps, "secure", G_TYPE_BOOLEAN, TRUE, NULL);
  return 0;
}
