#!/bin/sh
# certs.sh DIR - makes every certificate that the stand-in service and the tests use, with openssl alone, in a few
# seconds; a DIR that this very script has completed is left as it is. The validity dates are fixed (2024 to 2049), so
# that a directory never goes stale. For each listener's certificate there is NAME.pem, the chain as it is sent (leaf
# first, without the root), and NAME.key. Trust anchors: ca.pem (the test root), ca-all.pem (with the EC root too),
# bundle.pem (120 decoys, then the test root), bundle-same-name.pem (another root of that name, then the test root). The
# certificates of devices, each with its key, are device*.pem.
set -eu

dir=${1:?usage: certs.sh DIR}
stamp=$(openssl dgst -sha256 -r "$0" | cut -c1-64)
[ "$(cat "$dir/complete" 2>/dev/null || :)" = "$stamp" ] && exit 0
mkdir -p "$dir"
work=$(mktemp -d "$(cd "$dir" && pwd)/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

good="20240101000000Z 20491231000000Z"
past="20200101000000Z 20210101000000Z"
future="20480101000000Z 20491231000000Z"

# As many names as the certificate of management.azure.com has, to make the leaf as long.
regions=
for region in eastus eastus2 westus westus2 westus3 centralus northcentralus southcentralus westcentralus \
    canadacentral canadaeast brazilsouth northeurope westeurope uksouth ukwest francecentral germanywestcentral \
    switzerlandnorth norwayeast swedencentral polandcentral italynorth spaincentral uaenorth qatarcentral \
    israelcentral southafricanorth centralindia southindia westindia southeastasia eastasia \
    japaneast japanwest koreacentral koreasouth australiaeast australiasoutheast australiacentral \
    newzealandnorth mexicocentral chilecentral; do
    regions="$regions,DNS:$region.management.example"
done
# And so many that the chain nearly fills a record.
local="DNS:localhost,IP:127.0.0.1,IP:127.0.0.2,IP:::1"
many=$local$regions
for n in $(seq 230); do many="$many,DNS:n$n.of.many.management.example"; done

cat > openssl.cnf <<END
[ca]
default_ca = any
[any]
database = index.txt
new_certs_dir = issued
policy = subject
rand_serial = yes
unique_subject = no
[subject]
countryName = optional
organizationName = optional
commonName = optional
[req]
distinguished_name = subject
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[issuer]
basicConstraints = critical, CA:TRUE
keyUsage = critical, digitalSignature, keyCertSign, cRLSign
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
certificatePolicies = 2.23.140.1.2.2, 1.3.6.1.4.1.311.42.1
authorityInfoAccess = OCSP;URI:http://ocsp.example, caIssuers;URI:http://www.example/pkiops/certs/root.crt
crlDistributionPoints = URI:http://crl.example/root.crl
[forMail]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
extendedKeyUsage = emailProtection
[excluding]
basicConstraints = critical, CA:TRUE
nameConstraints = excluded;DNS:localhost
[elsewhereOnly]
basicConstraints = critical, CA:TRUE
nameConstraints = critical, permitted;DNS:corp.example
[permitting]
basicConstraints = critical, CA:TRUE
nameConstraints = critical, permitted;DNS:localhost, permitted;IP:127.0.0.0/255.0.0.0, permitted;IP:::1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, keyEncipherment
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = DNS:localhost,IP:127.0.0.1,IP:::1
[azure]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, keyEncipherment
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
certificatePolicies = 2.23.140.1.2.2, 1.3.6.1.4.1.311.42.1
authorityInfoAccess = OCSP;URI:http://ocsp.example, caIssuers;URI:http://www.example/pkiops/certs/issuing.crt
crlDistributionPoints = URI:http://www.example/pkiops/crl/issuing.crl
subjectAltName = $local$regions
[wide]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = $many
[clouds]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, keyEncipherment
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = DNS:management.azure.com,DNS:management.usgovcloudapi.net,DNS:management.chinacloudapi.cn,DNS:login.microsoftonline.com,DNS:login.microsoftonline.us,DNS:login.chinacloudapi.cn$regions
[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
[elsewhere]
basicConstraints = critical, CA:FALSE
subjectAltName = DNS:other.example
END
mkdir issued
: > index.txt

rsa() { openssl genpkey -algorithm RSA -pkeyopt "rsa_keygen_bits:$2" -out "$1.key" 2>/dev/null; }
ec() { openssl genpkey -algorithm EC -pkeyopt "ec_paramgen_curve:$2" -out "$1.key"; }

# certificate NAME SUBJECT EXTENSIONS ISSUER DIGEST DATES [OPTION...]: NAME.one from NAME.key; self-signed if ISSUER is NAME
certificate() {
    name=$1 extensions=$3 issuer=$4 digest=$5 dates=$6
    openssl req -new -config openssl.cnf -key "$name.key" -subj "$2" -out "$name.csr"
    shift 6
    if [ "$issuer" = "$name" ]; then set -- "$@" -selfsign; else set -- "$@" -cert "$issuer.one"; fi
    openssl ca -batch -notext -config openssl.cnf -in "$name.csr" -out "$name.one" -extfile openssl.cnf -extensions "$extensions" \
        -keyfile "$issuer.key" -md "$digest" -startdate "${dates% *}" -enddate "${dates#* }" "$@" 2>log ||
        { cat log >&2; exit 1; }
}

# root NAME SUBJECT DIGEST BYTES: makes a root of this size. It is part of the firmware of a board, whose size is compared;
# the lengths of serial numbers and of ECDSA signatures are random, so it may take some tries.
root() {
    for _ in $(seq 30); do
        certificate "$1" "$2" root "$1" "$3" "$good"
        if [ "$(openssl x509 -in "$1.one" -outform DER | wc -c)" -eq "$4" ]; then return; fi
    done
    echo "certs.sh: no $1 of $4 bytes in 30 tries; the firmware will not have the size in docs/memory.md" >&2
}

rsa issuer1 4096 & rsa issuer2 4096 & rsa ca 2048 & rsa server 2048 & rsa client 2048 & rsa client4096 4096 &
rsa clientother 2048 & wait
for name in expired future wronghost selfsigned impostor unknown clouds; do cp server.key $name.key; done
cp client4096.key wide.key
rsa unknownroot 2048 & rsa impostorroot 2048 & wait
ec ecroot P-521; ec ecissuer P-384; ec ec P-256; ec clientec P-256

root ca "/C=US/O=rekey tests/CN=rekey test root" sha256 846
certificate issuer1 "/C=US/O=rekey tests/CN=rekey test RSA policy authority 2024" issuer ca sha256 "$good"
certificate issuer2 "/C=US/O=rekey tests/CN=rekey test RSA TLS issuing authority 04" issuer issuer1 sha512 "$good"
certificate server "/C=US/O=rekey tests/CN=localhost" azure issuer2 sha384 "$good"
certificate wide /CN=localhost wide issuer2 sha512 "$good" -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest
certificate expired /CN=localhost leaf ca sha256 "$past"
certificate future /CN=localhost leaf ca sha256 "$future"
certificate clouds /CN=management.azure.com clouds issuer2 sha384 "$good"
certificate client "/CN=rekey test device" client client sha256 "$good"
certificate client4096 "/CN=rekey test device with a long key" client client4096 sha256 "$good"
certificate clientec "/CN=rekey test device with an EC key" client clientec sha256 "$good"
certificate wronghost /CN=other.example elsewhere ca sha256 "$good"
certificate selfsigned /CN=localhost leaf selfsigned sha256 "$good"
certificate unknownroot "/O=Captive Portal Inc/CN=Captive Portal Root" root unknownroot sha256 "$good"
certificate unknown /CN=localhost leaf unknownroot sha256 "$good"
certificate impostorroot "/C=US/O=rekey tests/CN=rekey test root" root impostorroot sha256 "$good"
certificate impostor /CN=localhost leaf impostorroot sha256 "$good"
root ecroot "/O=rekey tests/CN=rekey test EC root" sha512 566
certificate ecissuer "/O=rekey tests/CN=rekey test EC issuing authority" issuer ecroot sha512 "$good"
certificate ec /CN=localhost leaf ecissuer sha384 "$good"

# Issuers that are not allowed to certify every server; only the last may certify this one.
for kind in forMail excluding elsewhereOnly permitting; do
    ec $kind-issuer P-256
    cp server.key $kind.key
    certificate $kind-issuer "/O=rekey tests/CN=rekey test issuer $kind" $kind ca sha256 "$good"
    certificate $kind /CN=localhost leaf $kind-issuer sha256 "$good"
    cat $kind.one $kind-issuer.one > $kind.pem
done

for name in server wide clouds; do cat $name.one issuer2.one issuer1.one > $name.pem; done
cat ec.one ecissuer.one > ec.pem
for name in ca expired future wronghost selfsigned unknown impostor; do cp $name.one $name.pem; done
cat ca.one ecroot.one > ca-all.pem
cat impostorroot.one ca.one > bundle-same-name.pem

# How a device proves its identity: a file with certificate and key, as AZURE_CLIENT_CERTIFICATE_PATH names it. The key
# is PKCS#8, or PKCS#1, or comes first; one does not fit, one is encrypted, one is not RSA, some files are incomplete.
for name in client client4096 clientec; do cat $name.one $name.key > device-$name.pem; done
mv device-client4096.pem device-4096.pem; mv device-client.pem device.pem; mv device-clientec.pem device-ec.pem
openssl rsa -in client.key -traditional -out client.pkcs1 2>/dev/null
openssl pkcs8 -topk8 -in client.key -passout pass:secret -out client.encrypted
cat client.one client.pkcs1 > device-pkcs1.pem
cat client.key client.one > device-key-first.pem
cat client.one ca.one client.key > device-chain.pem
cat client.one clientother.key > device-mismatch.pem
cat client.one client.encrypted > device-encrypted.pem
cp client.one device-no-key.pem
cp client.key device-no-certificate.pem

# Decoys: ten with EC keys and two with the existing RSA-4096 keys, each ten times, between texts as in bundles.
for n in 0 1 2 3 4 5 6 7 8 9 10 11; do
    case $n in 10) cp issuer1.key decoy$n.key ;; 11) cp issuer2.key decoy$n.key ;; *) ec decoy$n P-384 ;; esac
    certificate decoy$n "/C=ZZ/O=Decoy Trust Services/CN=Decoy Root $n" root decoy$n sha384 "$good"
done
{
    echo "# Bundle of CA root certificates; the one that is looked for is the last."
    for round in 1 2 3 4 5 6 7 8 9 10; do
        for n in 0 1 2 3 4 5 6 7 8 9 10 11; do
            printf '\nDecoy Root %s, round %s\n======================\n' $n $round
            cat decoy$n.one
        done
    done
    printf '\n# rekey test root\n'
    cat ca.one
} > bundle.pem

mv ./*.pem ./*.key ..
rm ../issuer?.key ../*-issuer.key ../decoy*.key ../*root.key ../ecissuer.key ../ca.key ../client*.key # nothing is signed with these any more
echo "$stamp" > ../complete
