pub fn configure(player: &gst::Bin, auth_service: &str) {
    let factory = gst::ElementFactory::find("sessiontoken").expect("the plugin is installed");
    factory.set_rank(gst::Rank::PRIMARY);

    let auth_service = auth_service.to_owned();
    player.connect_deep_element_added(move |_, _, element| {
        if element.factory().as_ref() == Some(&factory) {
            element.set_property("location", &auth_service);
        }
    });
}
