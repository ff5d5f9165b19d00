# anchors.py FILE... - prints the certificates of PEM files as a C table of DER, for anchors.h.

import re
import ssl
import sys

if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
    sys.exit("usage: anchors.py FILE... >anchors.h    (FILE: certificates in PEM)")
der = [ssl.PEM_cert_to_DER_cert(text) for path in sys.argv[1:]
       for text in re.findall("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", open(path).read(), re.S)]
print('#include "span.h"')
for i, certificate in enumerate(der):
    print(f"static const unsigned char anchor_{i}[] = {{{','.join(map(str, certificate))}}};")
print("static const struct rekey_span board_anchors[] = {")
for i in range(len(der)):
    print(f"    {{(const char *)anchor_{i}, sizeof(anchor_{i})}},")
print(f"}};\n#define BOARD_ANCHOR_COUNT {len(der)}")
