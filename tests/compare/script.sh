#!/bin/sh
# script.sh - regenerates the Primary key as scripts do: a token by curl and jq, the POST by curl, a
# loop of polls. docs/comparison.md lists what the script lacks and rekey does.
set -eu

answer=$(curl -sSf "https://login.microsoftonline.com/$AZURE_TENANT_ID/oauth2/v2.0/token" \
    -d grant_type=client_credentials -d "client_id=$AZURE_CLIENT_ID" \
    --data-urlencode "client_secret=$AZURE_CLIENT_SECRET" \
    --data-urlencode scope=https://management.azure.com/.default)
token=$(printf '%s' "$answer" | jq -r .access_token)

head=$(curl -sSf -D - -o /dev/null -H "Authorization: Bearer $token" \
    -H 'Content-Type: application/json' -d '{"keyType":"Primary"}' \
    "https://management.azure.com$ENDPOINT_ID/regenerateKeys?api-version=2025-09-01")
url=$(printf '%s\n' "$head" | tr -d '\r' | sed -n 's/^azure-asyncoperation: //Ip')
wait=$(printf '%s\n' "$head" | tr -d '\r' | sed -n 's/^retry-after: //Ip')

while :; do
    sleep "${wait:-10}"
    answer=$(curl -sSf -H "Authorization: Bearer $token" "$url")
    status=$(printf '%s' "$answer" | jq -r .status)
    case $status in
    Succeeded) exit 0 ;;
    Failed | Canceled) echo "$status" >&2; exit 1 ;;
    esac
done
