#!/bin/sh
# sbom.sh - lists the parts of a program, as an SPDX document (version 2.3, JSON) on standard output; `make sbom` calls
# it.
#
#     sbom.sh PROGRAM BOARD LIBRARY...
#
# LIBRARY is a name of the table in boards/deps.sh, or picolibc. Its version and the SHA-256 of its archive are in
# DEPS_DIR/LIBRARY.version; a library from elsewhere (MBEDTLS_DIR, JSMN_DIR, MUSL_DIR, LWIP_DIR) is listed without a
# checksum. In the environment: DEPS_DIR, VERSION, SOURCE_DATE_EPOCH, MBEDTLS (its directory), JSMN_VERSION. The same
# program gives the same bytes.

set -eu
export LC_ALL=C
program=$1 board=$2
shift 2
sum=$(sha256sum <"$program" | cut -d' ' -f1)

# package ID NAME VERSION SUM DECLARED CONCLUDED COPYRIGHT PURPOSE CPE
package() {
    printf '    {\n      "SPDXID": "SPDXRef-%s",\n      "name": "%s",\n' "$1" "$2"
    [ -z "$3" ] || printf '      "versionInfo": "%s",\n' "$3"
    printf '      "downloadLocation": "NOASSERTION",\n      "filesAnalyzed": false,\n'
    [ -z "$4" ] || printf '      "checksums": [{"algorithm": "SHA256", "checksumValue": "%s"}],\n' "$4"
    [ -z "$9" ] || printf '      "externalRefs": [{"referenceCategory": "SECURITY", "referenceType": "cpe23Type", "referenceLocator": "%s"}],\n' \
        "cpe:2.3:a:$9:$(echo "$3" | sed 's/[-+~].*//'):*:*:*:*:*:*:*"
    printf '      "licenseDeclared": "%s",\n      "licenseConcluded": "%s",\n' "$5" "$6"
    printf '      "copyrightText": "%s",\n      "primaryPackagePurpose": "%s"\n    }' "$7" "$8"
}

# library NAME: puts its version and checksum into `release` and `from`.
library() {
    release='' from=''
    directory=$(echo "${1%-*}" | tr '[:lower:]' '[:upper:]')_DIR
    eval "own=\${$directory:-}"
    if [ -z "$own" ] && [ -s "$DEPS_DIR/$1.version" ]; then
        read -r _ release from <"$DEPS_DIR/$1.version"
    elif [ "$1" = mbedtls ]; then
        release=$(sed -n 's/^#define MBEDTLS_VERSION_STRING *"\(.*\)"/\1/p' "$MBEDTLS/include/mbedtls/build_info.h")
    elif [ "$1" = jsmn ]; then
        release=${JSMN_VERSION#of JSMN_DIR}
    elif [ "$1" = picolibc ]; then
        release=$(dpkg-query -W -f "\${Version}" picolibc-arm-none-eabi 2>/dev/null || :)
    fi
}

cat <<END
{
  "spdxVersion": "SPDX-2.3",
  "dataLicense": "CC0-1.0",
  "SPDXID": "SPDXRef-DOCUMENT",
  "name": "rekey-$VERSION-$board",
  "documentNamespace": "https://rekey.invalid/spdx/rekey-$VERSION-$board-$sum",
  "creationInfo": {
    "created": "$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)",
    "creators": ["Organization: The rekey authors", "Tool: rekey-sbom-$VERSION"]
  },
  "packages": [
END
package rekey rekey "$VERSION" "$sum" MIT MIT "2026 the rekey authors" APPLICATION ''
for name; do
    library "$name"
    echo ,
    case $name in
        mbedtls) package mbedtls 'Mbed TLS' "$release" "$from" 'Apache-2.0 OR GPL-2.0-or-later' Apache-2.0 \
            'The Mbed TLS Contributors' LIBRARY arm:mbed_tls ;;
        jsmn) package jsmn jsmn "$release" "$from" MIT MIT '2010 Serge Zaitsev' LIBRARY '' ;;
        musl-arm[eh]*) package "$name" musl "$release" "$from" MIT 'MIT AND BSD-2-Clause' \
            '2005-2020 Rich Felker, et al.; 2008 The Android Open Source Project' LIBRARY musl-libc:musl ;;
        musl*) package "$name" musl "$release" "$from" MIT MIT '2005-2020 Rich Felker, et al.' LIBRARY musl-libc:musl ;;
        lwip) package lwip lwIP "$release" "$from" BSD-3-Clause BSD-3-Clause \
            '2001-2004 Swedish Institute of Computer Science' LIBRARY lwip_project:lwip ;;
        picolibc) package picolibc picolibc "$release" "$from" BSD-3-Clause BSD-3-Clause \
            '2018-2022 Keith Packard, et al.' LIBRARY '' ;;
        *) echo "sbom: unknown library $name" >&2 && exit 1 ;;
    esac
done
printf '\n  ],\n  "relationships": [\n'
printf '    {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-rekey"}'
for name; do
    printf ',\n    {"spdxElementId": "SPDXRef-rekey", "relationshipType": "STATIC_LINK", "relatedSpdxElement": "SPDXRef-%s"}' "$name"
done
printf '\n  ]\n}\n'
