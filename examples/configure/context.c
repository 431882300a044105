static void
configure_by_context (GstElement * player, const gchar * auth_service)
{
  GstContext *context = gst_context_new ("session-token-config", TRUE);

  gst_structure_set (gst_context_writable_structure (context),
      "location", G_TYPE_STRING, auth_service, NULL);
  gst_element_set_context (player, context);
  gst_context_unref (context);
}
