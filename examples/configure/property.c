static void
element_added (GstBin * player, GstBin * bin, GstElement * element, gpointer auth_service)
{
  GstElementFactory *factory = gst_element_get_factory (element);

  if (factory && g_str_equal (GST_OBJECT_NAME (factory), "sessiontoken"))
    g_object_set (element, "location", auth_service, NULL);
}

/* The text has to stay as long as the player. */
static void
configure (GstElement * player, gchar * auth_service)
{
  GstRegistry *registry = gst_registry_get ();
  GstPluginFeature *feature = gst_registry_lookup_feature (registry, "sessiontoken");

  gst_plugin_feature_set_rank (feature, GST_RANK_PRIMARY);
  gst_object_unref (feature);
  g_signal_connect (player, "deep-element-added", G_CALLBACK (element_added), auth_service);
}
