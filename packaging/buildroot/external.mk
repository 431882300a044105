include $(sort $(wildcard $(BR2_EXTERNAL_SESSIONTOKEN_PATH)/package/*/*.mk))
