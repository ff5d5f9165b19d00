include $(sort $(wildcard $(BR2_EXTERNAL_REKEY_PATH)/package/*/*.mk))
