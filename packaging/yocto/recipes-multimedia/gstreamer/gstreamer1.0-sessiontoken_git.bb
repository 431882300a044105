# SPDX-License-Identifier: MIT OR Apache-2.0

SUMMARY = "GStreamer plugin that puts an operator's session token into DRM key requests"
DESCRIPTION = "Elements that get a session token from an operator's auth service for \
a decryptor (sessiontoken), decrypt with keys from a ClearKey license server \
(clearkeydec) or with the box's CDM (ocdmdec), and play HLS with key tags of DRM systems (hlsdrmdemux)."
SECTION = "multimedia"
# SPDX has OR, which wrynose does not know yet.
LICENSE = "MIT | Apache-2.0"
LIC_FILES_CHKSUM = " \
    file://LICENSE-MIT;md5=b377b220f43d747efdec40d69fcaa69d \
    file://LICENSE-APACHE;md5=3b83ef96387f14655fc854ddc3c6bd57 \
"

# Where this repository is fetched from, and which commit of it. Both come from the distribution or local.conf:
# SESSIONTOKEN_URI = "git://HOST/PATH;protocol=https;branch=main"
SESSIONTOKEN_URI ??= ""
SESSIONTOKEN_SRCREV ??= ""

SRC_URI = "${SESSIONTOKEN_URI}"
SRCREV = "${SESSIONTOKEN_SRCREV}"
PV = "0.1.0+git"

python () {
    if not d.getVar("SESSIONTOKEN_URI") or not d.getVar("SESSIONTOKEN_SRCREV"):
        raise bb.parse.SkipRecipe("SESSIONTOKEN_URI and SESSIONTOKEN_SRCREV say where its source is, and are not set")
}

DEPENDS = "glib-2.0 gstreamer1.0"

inherit cargo cargo-update-recipe-crates pkgconfig
require ${BPN}-crates.inc

CARGO_PROFILE = "${@oe.utils.vartrue('DEBUG_BUILD', 'dev', 'set-top-box', d)}"
# For wrynose, whose cargo.bbclass knows no profiles; blacksail's comes to the same.
BUILD_MODE = "--profile=${CARGO_PROFILE}"
BUILD_DIR = "${@d.getVar('CARGO_PROFILE').replace('dev', 'debug')}"

# What goes into the -dbg package is taken out by Yocto.
export CARGO_PROFILE_RELEASE_STRIP = "none"
export CARGO_PROFILE_SET_TOP_BOX_STRIP = "none"

# ring has files in C.
DEBUG_PREFIX_MAP += "-ffile-prefix-map=${CARGO_HOME}=${TARGET_DBGSRC_DIR}"

# Neither tests, benches nor examples.
CARGO_BUILD_FLAGS:append = " --lib"

# Not cargo.bbclass's, which puts libraries where rustc looks. cargo_c.bbclass would do too, but before blacksail it knows no libdir.
do_install() {
    install -D -m 0755 ${B}/target/${CARGO_TARGET_SUBDIR}/libgstsessiontoken.so \
        ${D}${libdir}/gstreamer-1.0/libgstsessiontoken.so
    install -D -m 0644 ${S}/include/gst/sessiontoken/gstsessiontoken.h \
        ${D}${includedir}/gstreamer-1.0/gst/sessiontoken/gstsessiontoken.h
}

FILES:${PN} += "${libdir}/gstreamer-1.0/libgstsessiontoken.so"

RRECOMMENDS:${PN} = "ca-certificates gstreamer1.0-plugins-good-isomp4 gstreamer1.0-plugins-good-soup"
