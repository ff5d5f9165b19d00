# image.mk - the container image: the static command FROM scratch, for three platforms, in one OCI archive.

# Each board, and the platform of its command. linux-musl is this machine's platform.
IMAGE_PLATFORMS := $(if $(filter x86_64,$(shell uname -m)),linux-musl=linux/amd64) linux-arm64=linux/arm64 linux-armhf=linux/arm/v7
image_file      := build/rekey-$(VERSION).oci.tar
image_notice    := $(or $(wildcard boards/linux/NOTICE),boards/linux/debian/copyright $(MBEDTLS)/LICENSE)
# The certificates of the package, not this machine's own bundle, which may contain the
# administrator's own anchors.
image_anchors   := /usr/share/ca-certificates/mozilla

.PHONY: image image-one check-fleet

image: ## a container image for amd64, arm64 and arm/v7 into build/, as an OCI archive
	$(Q)boards/deps.sh packages ca-certificates python3
	$(Q)for b in $(foreach p,$(IMAGE_PLATFORMS),$(firstword $(subst =, ,$p))); do $(MAKE) --no-print-directory -s deps-cross BOARD=$$b && \
	    $(MAKE) --no-print-directory -s image-one BOARD=$$b || exit 1; done
	$(Q)mkdir -p build/image && cat $(image_notice) >build/image/NOTICE
	$(Q)LC_ALL=C; cat $(image_anchors)/*.crt >build/image/ca-certificates.crt
	$(Q)$(PYTHON) boards/linux/image/oci.py $(image_file) --version $(VERSION) --time $(SOURCE_DATE_EPOCH) \
	    --anchors-version "$$(dpkg-query -W -f '$${Version}' ca-certificates)" \
	    --file usr/share/doc/rekey/NOTICE=build/image/NOTICE \
	    --file etc/ssl/certs/ca-certificates.crt=build/image/ca-certificates.crt \
	    $(foreach p,$(IMAGE_PLATFORMS),--command $(lastword $(subst =, ,$p))=build/$(firstword $(subst =, ,$p))/image/rekey)

# Objects that contain the time of the build are compiled again if that time changes.
image-one:
	$(Q)mkdir -p $(B)/image && echo $(SOURCE_DATE_EPOCH) >$(B)/image/time.now && \
	    { cmp -s $(B)/image/time.now $(B)/image/time || \
	    rm -f $$(grep -rl --include='*.c' REKEY_BUILD_TIME port boards | sed 's|\(.*\)c$$|$(B)/\1o|'); }
	$(make_quietly) all
	$(Q)mv $(B)/image/time.now $(B)/image/time && $(STRIP) --strip-all -R .comment -R .note -o $(B)/image/rekey $(B)/$(program)

# The image, the pods of boards/linux/kubernetes, and the files of docs/fleet.md. cloud-init is unpacked, never
# installed: an installed one would reconfigure the machine.
check-install: check-fleet

check-fleet: image deb-all deps-test ## the part of check-install for the image, the pods of Kubernetes and the fleet: built twice, run, killed at any point
	$(Q)boards/deps.sh packages runc skopeo file python3-yaml ansible-core ansible-lint python3-apt mender-artifact systemd \
	    python3-configobj python3-requests python3-jsonschema python3-jsonpatch python3-oauthlib python3-netifaces python3-jinja2
	$(Q)[ -d build/cloud-init/usr ] || { mkdir -p build/cloud-init && cd build/cloud-init && \
	    apt-get download -o APT::Sandbox::User=root cloud-init >/dev/null && dpkg -x cloud-init_*.deb .; } || true
	$(make_quietly) build/certs/.made
	$(Q)$(of_this_build) REKEY_IMAGE=$(image_file) REKEY_DEB=build/deb $(pytest) \
	    tests/e2e/test_image.py tests/e2e/test_kubernetes.py tests/e2e/test_fleet.py
