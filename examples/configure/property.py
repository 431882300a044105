def configure(player, auth_service):
    feature = Gst.Registry.get().lookup_feature("sessiontoken")
    feature.set_rank(Gst.Rank.PRIMARY)

    def element_added(_player, _bin, element):
        factory = element.get_factory()
        if factory and factory.get_name() == "sessiontoken":
            element.set_property("location", auth_service)

    player.connect("deep-element-added", element_added)
