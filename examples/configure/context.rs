pub fn configure_by_context(player: &gst::Element, auth_service: &str) {
    let mut context = gst::Context::new("session-token-config", true);
    let context_mut = context.get_mut().expect("nobody else has it yet");
    context_mut.structure_mut().set("location", auth_service);
    player.set_context(&context);
}
