# mbedtls.mk - how mbedTLS is compiled: with our configuration, and some of its files in a way of their own (docs/porting.md).

mbedtls_objects = $(patsubst $(MBEDTLS)/library/%.c,$(B)/mbedtls/%.o,$(wildcard $(MBEDTLS)/library/*.c))

$(B)/mbedtls/ssl_tls12_client.o: BOARD_CFLAGS += -include port/mbedtls/owner/tls12_pss.h
$(B)/mbedtls/pk_wrap.o: BOARD_CFLAGS += -include port/mbedtls/owner/pk_verify.h
$(B)/mbedtls/ssl_tls13_client.o: BOARD_CFLAGS += -include port/mbedtls/owner/tls13_client.h
$(addprefix $(B)/mbedtls/,ssl_tls12_client.o pk_wrap.o ssl_tls13_client.o): $(addprefix port/mbedtls/owner/,tls12_pss.h pk_verify.h tls13_client.h)
$(B)/mbedtls/rsa.o: BOARD_CFLAGS += -Dmbedtls_mpi_exp_mod_unsafe=rekey_rsa_public
$(B)/mbedtls/ssl_tls.o $(B)/mbedtls/ssl_tls13_generic.o: BOARD_CFLAGS += -Dmbedtls_x509_crt_parse_der=rekey_peer_parse \
    -Dmbedtls_x509_crt_parse_der_nocopy=rekey_peer_parse_nocopy -Dmbedtls_x509_crt_verify_with_ca_cb=rekey_peer_verify
$(B)/mbedtls/x509_crt.o: BOARD_CFLAGS += -Dmbedtls_x509_get_sig_alg=rekey_x509_signature
$(addprefix $(B)/mbedtls/,ssl_tls.o ssl_tls12_client.o ssl_tls13_client.o ssl_tls13_generic.o x509_crt.o rsa.o): port/mbedtls/owner/mbedtls.mk
$(addprefix $(B)/port/mbedtls/,owner/rsa_public.o client_certificate.o peer.o): BOARD_CFLAGS += -isystem $(MBEDTLS)/library
$(B)/mbedtls/%.o: $(MBEDTLS)/library/%.c $(B)/flags port/mbedtls/owner/mbedtls_config.h
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(port_cppflags) $(CFLAGS) $(our_cflags) $(BOARD_CFLAGS) -I$(MBEDTLS)/library -w -c $< -o $@

$(B)/libmbedtls.a: $(mbedtls_objects)
	$(call say,AR)
	$(archive)
