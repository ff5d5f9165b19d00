# mbedtls.mk - how mbedTLS is compiled: with our configuration, and some of its files with special rules
# (docs/porting.md).

mbedtls_cppflags := -isystem $(MBEDTLS)/include '-DMBEDTLS_CONFIG_FILE=<mbedtls_config.h>' $(if $(BOARD_FAST),-DREKEY_FAST=1)
mbedtls_objects = $(patsubst $(MBEDTLS)/library/%.c,$(B)/mbedtls/%.o,$(wildcard $(MBEDTLS)/library/*.c))

# Each of these files of mbedTLS is compiled with one of our headers included before it. The header says why.
owner := port/mbedtls/owner
$(B)/mbedtls/ssl_tls12_client.o: BOARD_CFLAGS += -include $(owner)/tls12_client.h
$(B)/mbedtls/ssl_tls13_client.o: BOARD_CFLAGS += -include $(owner)/tls13_client.h
$(addprefix $(B)/mbedtls/,pk_wrap.o psa_crypto_rsa.o): BOARD_CFLAGS += -include $(owner)/verify_only.h
$(B)/mbedtls/x509_crt.o: BOARD_CFLAGS += -include $(owner)/x509_parse.h
$(B)/mbedtls/ssl_tls.o $(B)/mbedtls/ssl_tls13_generic.o: BOARD_CFLAGS += -include $(owner)/tls_hooks.h
$(B)/mbedtls/ecdh.o: BOARD_CFLAGS += -include $(owner)/ecdh_point.h
$(B)/mbedtls/rsa.o: BOARD_CFLAGS += -Dmbedtls_mpi_exp_mod_unsafe=rekey_rsa_public
$(addprefix $(B)/mbedtls/,ssl_tls.o ssl_tls12_client.o ssl_tls13_client.o ssl_tls13_generic.o x509_crt.o ecdh.o pk_wrap.o psa_crypto_rsa.o rsa.o): \
    $(addprefix $(owner)/,mbedtls.mk tls12_client.h tls13_client.h verify_only.h x509_parse.h tls_hooks.h lend.h ecdh_point.h)
$(addprefix $(B)/$(owner)/,lend.o rsa_public.o rsa_square.o): BOARD_CFLAGS += -isystem $(MBEDTLS)/library
# The files in which a handshake spends its time are optimized for speed on a board that sets
# BOARD_FAST.
fast_objects := $(patsubst %,$(B)/mbedtls/%.o,bignum_core bignum ecp ecp_curves constant_time)
$(fast_objects): BOARD_CFLAGS += $(if $(BOARD_FAST),-O2)
$(B)/$(owner)/rsa_square.o: BOARD_CFLAGS += $(if $(BOARD_FAST),-O2 -funroll-loops)
$(B)/port/anchors/pem.o: BOARD_CFLAGS += $(if $(BOARD_FAST),-O2)
$(fast_objects) $(B)/$(owner)/rsa_square.o $(B)/port/anchors/pem.o: $(owner)/mbedtls.mk
$(B)/mbedtls/%.o: $(MBEDTLS)/library/%.c $(B)/flags port/mbedtls/owner/mbedtls_config.h
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(port_cppflags) $(CFLAGS) $(our_cflags) $(BOARD_CFLAGS) -I$(MBEDTLS)/library -w -c $< -o $@

$(B)/libmbedtls.a: $(mbedtls_objects)
	$(call say,AR)
	$(archive)
