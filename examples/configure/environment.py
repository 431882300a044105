def configure_by_environment(auth_service):
    """Before Gst.init() is called."""
    os.environ["GST_PLUGIN_FEATURE_RANK"] = "sessiontoken:PRIMARY"
    os.environ["GST_SESSION_TOKEN_CONFIG"] = (
        f'session-token-config, location=(string)"{auth_service}"'
    )
