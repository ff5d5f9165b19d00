#!/bin/sh
# deps.sh - gets what the build needs; `make deps` calls it.
#
#     boards/deps.sh packages PKG...     install the Debian packages that are missing
#     boards/deps.sh sources NAME...     put the named sources (see TABLE) under DEPS_DIR
#     boards/deps.sh peers               put the web servers of the end-to-end tests (see PEERS) under DEPS_DIR/peers
#     boards/deps.sh tree                put a small Debian that systemd-nspawn boots into DEPS_DIR/tree
#
# Sources need no root. They come from the Debian suites named below, whatever release the machine runs, through a
# private apt configuration: address, keyring and proxy are those of the machine's own apt, everything else is in a
# temporary directory, and the machine's package lists do not change. A source is unpacked in a temporary directory and
# then moved into place; after that DEPS_DIR/NAME.version is written (one line: name, version, sha256 of the upstream
# tarball or .deb). If that file exists already, nothing is done and no network is needed. Environment: DEPS_DIR
# (default build/deps), and MBEDTLS_DIR, JSMN_DIR, CMOCKA_DIR, LWIP_DIR: a checkout of the upstream release, used
# instead of fetching that source. CBMC_DIR: the directory of an installed cbmc, such as /usr/bin. MUSL_DIR: for musl-*,
# the directory into which `make install` of musl wrote. musl-* is the C library of another architecture, unpacked:
# nothing is installed, and the machine's list of architectures does not change.
#
# Peers are binary packages of the release that the machine runs (they need its libc), with those of their dependencies
# that are not installed. They are unpacked, never installed: installing a web server starts it. DEPS_DIR/peers.version
# has a line for each package: name, version. Root is needed only if the machine's package lists are empty or old. The
# output of apt and dpkg goes to DEPS_DIR/deps.log.

set -eu
export LC_ALL=C
DEPS_DIR=${DEPS_DIR:-build/deps}
log=$DEPS_DIR/deps.log
own_apt_config=${APT_CONFIG:-}

# How a source is obtained: "source" a Debian source package with Debian's patches, "tar" only its upstream tarball,
# "deb" one header of a binary package, "musl" headers and archives of one, "cross" the same, compiled here from the
# source package by the cross compiler named after the colon, "run" a program of the first binary package with the C
# library for which it was built and the other packages that it needs. In the end the file named last must exist; *_DIR
# is checked for it, too. A mirror keeps only the newest version of each suite. Of several suites (with commas) the
# newest version with our major and minor number is used: security fixes of mbedTLS reach one suite long before another.
# A version other than the recorded one is a warning; another minor version is an error.
#
#     name    version sha256                                                           suites how package file
TABLE='
      mbedtls 3.6.7   a7e8bcbec0e6f761b4af24f25677626b35f762f68eef79c08677a363212d11f6 trixie,forky,sid source mbedtls     library/ssl_tls.c
      jsmn    1.1.0-2 4117ce4e363f31e1b21d7ab89d6350b5d78374965d4c9fef00a572f6e487c874 trixie deb    libjsmn-dev jsmn.h
      lwip    2.2.1+dfsg1 83729c274c499d3348e9fbbe043a3113f3fa8953e7efddc7c21c7fcbb1f2b7b1 trixie source lwip src/core/tcp.c
      musl-amd64 1.2.5-3.1~deb13u1 a3f7d47e452129bb65aae201d6c115abf4d5d3efb136b38b7c6b4fa03ec065e9 trixie musl musl-dev:amd64 lib/libc.a
      musl-arm64 1.2.5-3.1~deb13u1 384ea029e3694baac696d3993d93246f9a4b3741c493697e1ceb7256d8820748 trixie musl musl-dev:arm64 lib/libc.a
      musl-armhf 1.2.5-3.1~deb13u1 a9a118bbe84d8764da0ea0d28b3ab3fae8477fc7e4085d90102b8596fc7c75e4 trixie cross musl:arm-linux-gnueabihf lib/libc.a
      musl-armel 1.2.5-3.1~deb13u1 a9a118bbe84d8764da0ea0d28b3ab3fae8477fc7e4085d90102b8596fc7c75e4 trixie cross musl:arm-linux-gnueabi lib/libc.a
      cbmc    6.6.0-4 02560859a17049c976961c232c4fc58f0747b57f9b751a466b1f368a438b0e41 trixie run    cbmc,minisat,libstdc++6,libgcc-s1,zlib1g,libc6 cbmc
      cmocka  1.1.7   810570eb0b8d64804331f82b29ff47c790ce9cd6b163e98d47a4807047ecad82 trixie tar    cmocka      src/cmocka.c
'

# lighttpd has TLS and compression in separate packages; apache2 itself contains only configuration.
PEERS='nginx haproxy apache2-bin lighttpd lighttpd-mod-openssl lighttpd-mod-deflate squid tinyproxy-bin'

warn() { echo "deps: $*" >&2; }
die() { warn "$*"; exit 1; }
start_log() { { mkdir -p "$DEPS_DIR" && : >"$log"; } 2>/dev/null || die "cannot write to $DEPS_DIR; set DEPS_DIR"; }

# ---- packages --------------------------------------------------------------------------------------------------------

# shellcheck disable=SC2086  # $missing is one word per package
packages() {
    command -v dpkg-query >/dev/null || die "no dpkg here; install what these Debian packages hold by other means: $*"
    missing=
    for package; do
        dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q ' ok installed$' || missing="$missing $package"
    done
    [ "$missing" ] || return 0

    sudo=
    if [ "$(id -u)" -ne 0 ]; then
        apt-cache show $missing >/dev/null 2>&1 || printf 'sudo apt-get update && '
        echo "sudo apt-get install -y --no-install-recommends$missing"
        [ -t 0 ] && command -v sudo >/dev/null || exit 1
        sudo=sudo
    fi
    start_log
    echo "deps: installing$missing"
    # The machine's package lists may be old or empty: they are updated if the first attempt fails.
    install || { $sudo apt-get update >"$log" 2>&1; install; } ||
        die "cannot install$missing: no network? (apt-get said: $(sed -n 's/^E: //p' "$log" | head -n 1); see $log)"
}

# shellcheck disable=SC2086
install() {
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing >>"$log" 2>&1 </dev/null
}

# ---- sources ---------------------------------------------------------------------------------------------------------

# Reads the row of source $1 into variables; dir_var is the name of the variable that replaces it.
row() {
    name=$1
    # shellcheck disable=SC2046  # seven words
    set -- $(echo "$TABLE" | awk -v name="$1" '$1 == name')
    [ $# -eq 7 ] || die "unknown source: $name"
    version=$2 sum=$3 suites=$4 how=$5 package=$6 file=$7
    minor=$(echo "$version" | cut -d. -f1,2)
    dir_var=$(echo "${name%-*}" | tr '[:lower:]' '[:upper:]')_DIR
}

# give_up REASON NAME...: prints one line that says what cannot be obtained, why, and what to do.
give_up() {
    reason=$1 what='' vars=''
    shift
    for name; do
        row "$name"
        what="$what, $name $version" vars="$vars, $dir_var"
    done
    die "cannot fetch ${what#, }: $reason; set ${vars#, } to a checkout of the upstream release"
}

# shellcheck disable=SC2086  # $wanted, $groups and $lacking are one word per source or group
sources() {
    wanted='' groups=''
    for name; do
        row "$name"
        eval "own=\${$dir_var:-}"
        if [ "$own" ]; then
            [ -f "$own/$file" ] || die "$dir_var=$own has no $file in it"
        elif ! [ -s "$DEPS_DIR/$name.version" ] || ! [ -f "$DEPS_DIR/$name/$file" ]; then
            wanted="$wanted $name" groups="$groups $suites"
        else
            old=$(cut -d' ' -f2 "$DEPS_DIR/$name.version")
            [ "$(printf '%s\n' "$old" "$version" | sort -V | tail -n 1)" = "$old" ] ||
                warn "warning: $DEPS_DIR has $name $old, the recorded version is $version; remove $DEPS_DIR/$name.version to get it"
        fi
    done
    [ "$wanted" ] || return 0

    command -v apt-get >/dev/null || give_up "no apt-get here" $wanted
    start_log
    make_work
    lacking=
    for group in $(printf '%s\n' $groups | sort -u); do
        members=
        for name in $wanted; do
            row "$name"
            [ "$suites" != "$group" ] || members="$members $name"
        done
        fetch_group $members
    done
    [ -z "$lacking" ] || give_up "no network? (apt-get said: $(sed -n 's/^E: //p' "$log" | head -n 1); see $log)" $lacking
}

# fetch_group NAME...: fetches sources that have the same suites. Those that cannot be obtained are added to $lacking.
fetch_group() {
    row "$1"
    private_apt "$@"
    [ -s "$work/apt.sources" ] || give_up "no Debian archive among this machine's apt sources" "$@"
    # apt-get's exit status says little: 0 without a network, 100 if one archive of several has no such suite.
    apt-get update >"$work/update" 2>&1 || :
    cat "$work/update" >>"$log"
    if ! ls "$work"/lists/*_dists_*Release >/dev/null 2>&1 && grep -q 'not have a Release file' "$work/update"; then
        give_up "this machine's apt sources have no suite $suites" "$@"
    fi
    for name; do
        row "$name"
        fetch || lacking="$lacking $name"
    done
}

# Makes the temporary directory, beside the result so that mv is a rename.
make_work() {
    work=$(cd "$DEPS_DIR" && pwd)/.fetch.$$
    for old in "$DEPS_DIR"/.fetch.*; do # left by a run that was killed
        kill -0 "${old##*.}" 2>/dev/null || rm -rf "$old"
    done
    trap 'rm -rf "$work"' EXIT
    trap 'exit 1' HUP INT TERM
    mkdir -m 700 "$work" # private: the address of a proxy may hold a password
}

# private_apt NAME...: makes the private configuration for apt, with the suites of the current row. Of the machine's own
# configuration only the options of Acquire are kept (proxy, certificates), but no hooks, pins and sources.
private_apt() {
    APT_CONFIG=$own_apt_config
    rm -rf "$work/lists"
    mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/none"
    : >"$work/status"
    archives >"$work/apt.sources"
    {
        apt-config dump | grep '^Acquire::'
        architectures "$@"
        cat <<END
Acquire::Languages "none";
Acquire::Retries "1";
APT::Sandbox::User "root";
Dir::State "$work";
Dir::State::status "$work/status";
Dir::Cache "$work";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "$work/none";
Dir::Etc::sourcelist "$work/apt.sources";
Dir::Etc::sourceparts "$work/none";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "$work/none";
END
    } >"$work/apt.conf"
    export APT_CONFIG="$work/apt.conf"
}

# architectures NAME...: prints the architectures whose lists of binary packages are needed: those that the packages
# name, and the machine's own for packages that name none, or if there are no others.
architectures() {
    own='' named=''
    eval "$(apt-config shell own APT::Architecture)"
    for name; do
        row "$name"
        case $how:$package in
        musl:*) named="$named ${package#*:}" ;;
        deb:* | run:*) named="$named $own" ;;
        esac
    done
    for each in ${named:-$own}; do
        echo "APT::Architectures:: \"$each\";"
    done
}

# Prints the archives named in the machine's sources files, of both forms, as entries for our suites: each address once,
# with its keyring (a file, or a key in the stanza itself). Left out are disabled entries, security archives, cdrom, and
# entries that have no plain suite (without "-" and "/") with a component main.
archives() {
    eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
    # shellcheck disable=SC2154  # list and parts
    find "$list" "$parts" -maxdepth 1 -readable \( -name '*.list' -o -name '*.sources' \) -exec awk -v ours="$(echo "$suites" | tr , ' ')" '
        function put(uri, suites, comps, key) {
            sub(/\/+$/, "", uri)
            gsub(/[ \t\n]+/, " ", suites); gsub(/[ \t\n]+/, " ", comps)
            if (uri ~ /security/ || uri ~ /^cdrom/) return
            if (" " suites " " !~ / [a-z]+ / || " " comps " " !~ / main / || seen[uri]++) return
            print "Types: deb deb-src\nURIs: " uri "\nSuites: " ours "\nComponents: main"
            print (key == "" ? "" : "Signed-By: " key "\n")
        }
        function stanza(    n, i, uris) {
            n = f["enabled"] ~ /no|false|off|0/ ? 0 : split(f["uris"], uris)
            for (i = 1; i <= n; i++) put(uris[i], f["suites"], f["components"], f["signed-by"])
            split("", f)
        }
        FNR == 1             { stanza(); deb822 = FILENAME ~ /\.sources$/ }
        /^[ \t]*#/           { next }
        deb822 && /^[ \t]*$/ { stanza(); next }
        deb822 && /^[ \t]/   { f[field] = f[field] "\n" $0; next }
        deb822               { field = tolower($0); sub(/[ \t]*:.*/, "", field)
                               sub(/^[^:]*:[ \t]*/, ""); f[field] = $0; next }
        $1 ~ /^deb/          { key = ""; sub(/#.*/, "")
                               if (match($0, /signed-by=[^] \t]+/)) key = substr($0, RSTART + 10, RLENGTH - 10)
                               gsub(/,/, " ", key); sub(/\[[^]]*\]/, "")
                               uri = $2; plain = $3; $1 = $2 = $3 = ""; put(uri, plain, $0, key) }
        END                  { stanza() }' {} + 2>/dev/null || :
}

# Fetches, verifies and unpacks the source of the current row and moves it into place; fails if it cannot be obtained.
fetch() {
    tmp=$work/$name
    mkdir "$tmp"
    case $how in
    source | cross) set -- source --only-source --download-only ;;
    tar) set -- source --only-source --download-only --tar-only ;;
    deb | musl | run) set -- download ;;
    esac
    [ "$how" = musl ] && from=$package || from=${package%:*}
    case $how in
    source | cross | tar)
        newest=$(apt-cache showsrc "$from" 2>>"$log" | sed -n "s/^Version: \($minor\.\)/\1/p" | sort -V | tail -n 1)
        from=$from${newest:+=$newest}
        ;;
    esac
    # shellcheck disable=SC2046  # one word per package
    (cd "$tmp" && apt-get "$@" $(echo "$from" | tr ',' ' ')) >>"$log" 2>&1 || return 1

    # apt has checked the signature and the hash; this checks that it is the version with which the project was tested.
    # For a source that is compiled here, the version is Debian's, with its patches, as that of a package would be.
    got_file=$(find "$tmp" -name '*.orig.tar.*' ! -name '*.asc' -o -name "${package%%[:,]*}_*.deb")
    [ -f "$got_file" ] || return 1
    got=${got_file##*/}
    [ "$how" != cross ] || got=$(basename "$tmp"/*.dsc .dsc)
    got=${got#*_}
    got=${got%.orig.tar.*}
    got=${got%_*.deb}
    got_sum=$(sha256sum <"$got_file" | cut -d' ' -f1)
    if [ "$(echo "$got" | cut -d. -f1,2)" != "$minor" ]; then
        die "suite $suites has $name $got, but $minor.x is needed; set $dir_var to a checkout of that release"
    elif [ "$got" != "$version" ]; then
        warn "warning: taking $name $got, the recorded version is $version"
    elif [ "$got_sum" != "$sum" ]; then
        die "$name $got has sha256 $got_sum, but $sum is recorded: not used"
    fi

    if [ "$how" = deb ]; then
        mkdir "$tmp/tree" && dpkg-deb -x "$got_file" "$tmp/root" && cp "$tmp/root/usr/include/$file" "$tmp/tree/"
    elif [ "$how" = musl ]; then
        dpkg-deb -x "$got_file" "$tmp/root" && triplet=$(basename "$tmp"/root/usr/lib/*-linux-musl*) && move_musl
    elif [ "$how" = run ]; then
        unpack_program
    elif [ "$how" = cross ]; then
        triplet=${package#*:}
        command -v "$triplet-gcc" || die "$name is compiled by $triplet-gcc, which is missing; install it, or set $dir_var"
        compile_musl && move_musl
    elif [ "$how" = source ] && command -v dpkg-source >/dev/null; then
        dpkg-source --no-check -x "$tmp"/*.dsc "$tmp/tree"
    else
        [ "$how" = tar ] || echo "no dpkg-source: $name goes without Debian's patches"
        mkdir "$tmp/tree" && tar -xf "$got_file" -C "$tmp/tree" --strip-components=1
    fi >>"$log" 2>&1 || die "cannot unpack $name $got; see $log"
    [ -f "$tmp/tree/$file" ] || die "$name $got has no $file in it"
    # Two thirds of mbedTLS do not belong to the library.
    [ "$name" != mbedtls ] || rm -rf "$tmp/tree/tests" "$tmp/tree/docs" "$tmp/tree/programs"

    echo "$name $got $got_sum" >"$tmp/version"
    rm -rf "$DEPS_DIR/$name.version" "$DEPS_DIR/${name:?}"
    mv "$tmp/tree" "$DEPS_DIR/$name"
    mv "$tmp/version" "$DEPS_DIR/$name.version"
    echo "deps: $name $got"
}

# Compiles musl, with Debian's patches, into $tmp/root, at the paths of the binary package.
compile_musl() {
    dpkg-source --no-check -x "$tmp"/*.dsc "$tmp/src" && mkdir "$tmp/build" &&
        (cd "$tmp/build" && ../src/configure --target="$triplet" --prefix=/usr --includedir="/usr/include/$triplet" \
            --libdir="/usr/lib/$triplet" --disable-shared --enable-wrapper=gcc CC="$triplet-gcc" CFLAGS=-Os &&
            make -s -j "$(nproc)" && make -s install DESTDIR="$tmp/root")
}

# Puts headers and archives of $tmp/root where `make install` of musl would put them, and changes the specs for gcc to
# name those directories instead of the ones in /usr. Adds its licence.
move_musl() {
    mkdir "$tmp/tree" && for place in include lib; do
        mv "$tmp/root/usr/$place/$triplet" "$tmp/tree/$place" || return 1
    done
    cp "$tmp/root/usr/share/doc/musl-dev/copyright" "$tmp/tree/COPYRIGHT" 2>/dev/null || cp "$tmp/src/COPYRIGHT" "$tmp/tree"
    sed -i "s#/usr/\(include\|lib\)/$triplet#$DEPS_DIR/$name/\1#g" "$tmp/tree/lib/musl-gcc.specs"
}

# Unpacks a program with its libraries, and writes a script beside them that starts it through its own dynamic linker:
# the program uses nothing of the machine's C library, and nothing else uses this one.
unpack_program() {
    mkdir "$tmp/tree" && for deb in "$tmp"/*.deb; do
        dpkg-deb -x "$deb" "$tmp/tree" || return 1
    done
    rm -rf "$tmp/tree/etc" "$tmp/tree/usr/share" "$tmp"/tree/usr/lib/*/gconv
    find "$tmp/tree/usr/bin" ! -type d ! -name "$file" -delete
    cat >"$tmp/tree/$file" <<'END'
#!/bin/sh
usr=$(dirname "$(readlink -f "$0")")/usr
linker=$(echo "$usr"/lib/*/ld-linux*.so.*)
exec "$linker" --library-path "${linker%/*}:$usr/lib" "$usr/bin/${0##*/}" "$@"
END
    chmod +x "$tmp/tree/$file"
}

# ---- peers -----------------------------------------------------------------------------------------------------------

peers() {
    lacking=
    for package in $PEERS; do
        grep -q "^$package " "$DEPS_DIR/peers.version" 2>/dev/null || lacking="$lacking $package"
    done
    [ "$lacking" ] || ! [ -d "$DEPS_DIR/peers" ] || return 0

    command -v apt-get >/dev/null || die "cannot fetch the web servers for the tests: no apt-get here"
    start_log
    make_work
    # As with packages, the machine's package lists are updated if the first attempt fails.
    download || { [ "$(id -u)" -eq 0 ] && { apt-get update >"$log" 2>&1; download; }; } ||
        die "cannot fetch the web servers for the tests: no network, or package lists that only root can renew?" \
            "(apt-get said: $(sed -n 's/^E: //p' "$log" | head -n 1); see $log)"

    for file in "$work"/debs/*.deb; do
        dpkg-deb -x "$file" "$work/tree" 2>>"$log" || die "cannot unpack ${file##*/}; see $log"
        dpkg-deb --show --showformat="\${Package} \${Version}\n" "$file"
    done >"$work/version"
    rm -rf "$DEPS_DIR/peers.version" "$DEPS_DIR/peers"
    mv "$work/tree" "$DEPS_DIR/peers"
    mv "$work/version" "$DEPS_DIR/peers.version"
    for package in $PEERS; do
        sed -n "s/^$package /deps: $package /p" "$DEPS_DIR/peers.version"
    done
}

# Downloads the peers, and what installing them would install besides.
# shellcheck disable=SC2046,SC2086  # one word per package
download() {
    rm -rf "$work/debs"
    mkdir "$work/debs"
    apt-get install -s --no-install-recommends $PEERS >"$work/plan" 2>>"$log" || return 1
    (cd "$work/debs" && apt-get download -o APT::Sandbox::User=root -o Acquire::Retries=1 \
        $({ printf '%s\n' $PEERS; sed -n 's/^Inst \([^ ]*\).*/\1/p' "$work/plan"; } | sort -u)) >>"$log" 2>&1
}

# ---- tree ------------------------------------------------------------------------------------------------------------

# Uses the release and the archive of this machine. debootstrap needs root and takes a minute or two.
tree() {
    [ ! -s "$DEPS_DIR/tree.version" ] || return 0
    [ "$(id -u)" -eq 0 ] || die "cannot make a tree of Debian: debootstrap needs root"
    command -v debootstrap >/dev/null || die "cannot make a tree of Debian: there is no debootstrap"
    start_log
    make_work
    eval "$(apt-config shell http_proxy Acquire::http::Proxy)"
    export http_proxy="${http_proxy:-}"
    # The suite itself, not its updates, which have a dash in their name.
    # shellcheck disable=SC2046,SC2016  # two words; what is in parentheses is for apt-get
    set -- $(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' 'Component: main' |
        grep '^[a-z]* ' | head -n 1)
    [ $# -eq 2 ] || die "cannot make a tree of Debian: no archive among this machine's apt sources"
    # Its mounts of /proc and /sys disappear with the namespace, however it ends.
    unshare --mount debootstrap --variant=minbase --include=systemd-sysv "$1" "$work/tree" "$2" >>"$log" 2>&1 ||
        die "cannot make a tree of Debian $1: no network? (see $log)"
    rm -rf "$work"/tree/var/cache/apt/* "$work"/tree/var/lib/apt/lists/* "$work"/tree/usr/share/doc/* \
        "$work"/tree/usr/share/locale/* "$work"/tree/usr/share/man/*
    chroot "$work/tree" dpkg-query -W systemd >"$work/version"
    rm -rf "$DEPS_DIR/tree"
    mv "$work/tree" "$DEPS_DIR/tree"
    mv "$work/version" "$DEPS_DIR/tree.version"
    echo "deps: a tree of Debian $1"
}

[ $# -gt 0 ] || set -- help
verb=$1
shift
case $verb in
packages | sources | peers | tree) "$verb" "$@" ;;
*) die "usage: boards/deps.sh packages PKG... | sources NAME... | peers | tree" ;;
esac
