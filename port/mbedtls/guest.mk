# guest.mk - uses an mbedTLS that somebody else has configured, and perhaps built: 3.6, or 4.x with its TF-PSA-Crypto.
# It uses the archives of an installation or of a build in the source tree; if there are none, it compiles the sources of
# a 3.6 unchanged.

tf_psa_crypto    := $(or $(TF_PSA_CRYPTO_DIR),$(MBEDTLS)/tf-psa-crypto)
mbedtls_cppflags := $(addprefix -isystem ,$(wildcard $(addsuffix /include,$(MBEDTLS) $(tf_psa_crypto) $(tf_psa_crypto)/drivers/builtin)))
mbedtls_archives := $(wildcard $(addprefix $(MBEDTLS)/lib*/lib,mbedtls.a mbedx509.a))
mbedtls_archives += $(firstword $(wildcard $(MBEDTLS)/lib*/libtfpsacrypto.a $(tf_psa_crypto)/core/libtfpsacrypto.a $(MBEDTLS)/lib*/libmbedcrypto.a))
mbedtls_objects  := $(if $(strip $(mbedtls_archives)),,$(patsubst $(MBEDTLS)/library/%.c,$(B)/mbedtls/%.o,$(wildcard $(MBEDTLS)/library/*.c)))

$(B)/mbedtls/%.o: $(MBEDTLS)/library/%.c $(B)/flags
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(mbedtls_cppflags) $(time_cppflags) $(CFLAGS) $(our_cflags) $(BOARD_CFLAGS) -I$(MBEDTLS)/library -w -c $< -o $@

$(B)/libmbedtls.a: $(mbedtls_archives) $(mbedtls_objects)
	$(call say,AR)
	$(Q)rm -f $@ && { echo create $@; $(foreach a,$(mbedtls_archives),echo addlib $a;) $(foreach o,$(mbedtls_objects),echo addmod $o;) \
	    echo save; } | $(AR) -M
