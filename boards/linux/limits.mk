# The limits of all Linux boards, on which memory is cheap: a body of 20 KB with 512 JSON tokens, so that a status can
# be read after 16 KB of text, or beside the signed polling URLs of 6 KB that services repeat in a body.
BOARD_LIMITS   := REKEY_URL_MAX=8192 REKEY_STAGING_MAX=28672 REKEY_JSON_TOKENS=512
