################################################################################
#
# gst1-sessiontoken
#
################################################################################

# SPDX-License-Identifier: MIT OR Apache-2.0

GST1_SESSIONTOKEN_VERSION = $(call qstrip,$(BR2_PACKAGE_GST1_SESSIONTOKEN_VERSION))
GST1_SESSIONTOKEN_SITE = $(call qstrip,$(BR2_PACKAGE_GST1_SESSIONTOKEN_REPOSITORY))
GST1_SESSIONTOKEN_SITE_METHOD = git
GST1_SESSIONTOKEN_LICENSE = MIT or Apache-2.0
GST1_SESSIONTOKEN_LICENSE_FILES = LICENSE-MIT LICENSE-APACHE
GST1_SESSIONTOKEN_DEPENDENCIES = host-pkgconf gstreamer1 libglib2
GST1_SESSIONTOKEN_INSTALL_STAGING = YES

# Whoever configures the commit knows it, the hash file cannot.
BR_NO_CHECK_HASH_FOR += $(GST1_SESSIONTOKEN_SOURCE)

ifeq ($(BR2_PACKAGE_GST1_SESSIONTOKEN)$(BR_BUILDING),yy)
ifeq ($(GST1_SESSIONTOKEN_SITE),)
$(error Where gst1-sessiontoken is fetched from is not set: BR2_PACKAGE_GST1_SESSIONTOKEN_REPOSITORY)
endif
ifeq ($(GST1_SESSIONTOKEN_VERSION),)
$(error Which commit of gst1-sessiontoken is built is not set: BR2_PACKAGE_GST1_SESSIONTOKEN_VERSION)
endif
endif

ifeq ($(BR2_ENABLE_DEBUG),y)
GST1_SESSIONTOKEN_PROFILE = dev
GST1_SESSIONTOKEN_FOLDER = debug
else
GST1_SESSIONTOKEN_PROFILE = set-top-box
GST1_SESSIONTOKEN_FOLDER = set-top-box
endif

# The infrastructure builds with the profile release, whatever the options
# are, and has no way to install a library.
define GST1_SESSIONTOKEN_BUILD_CMDS
	cd $(@D) && \
	$(TARGET_MAKE_ENV) \
		$(TARGET_CONFIGURE_OPTS) \
		$(PKG_CARGO_ENV) \
		cargo build \
			--offline \
			--locked \
			--lib \
			--profile $(GST1_SESSIONTOKEN_PROFILE)
endef

define GST1_SESSIONTOKEN_INSTALL_TARGET_CMDS
	$(INSTALL) -D -m 0755 \
		$(@D)/target/$(RUSTC_TARGET_NAME)/$(GST1_SESSIONTOKEN_FOLDER)/libgstsessiontoken.so \
		$(TARGET_DIR)/usr/lib/gstreamer-1.0/libgstsessiontoken.so
endef

define GST1_SESSIONTOKEN_INSTALL_STAGING_CMDS
	$(INSTALL) -D -m 0644 \
		$(@D)/include/gst/sessiontoken/gstsessiontoken.h \
		$(STAGING_DIR)/usr/include/gstreamer-1.0/gst/sessiontoken/gstsessiontoken.h
endef

$(eval $(cargo-package))
