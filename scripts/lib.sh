# Shared by scripts/test, scripts/demo and scripts/bench; read with `source`, not run.
#
# A script runs twice. Outside, as whoever called it (root, or a user with sudo), it installs the missing packages, copies the tree
# into a new folder under /tmp and starts its own copy there: in a mount and PID namespace of its own, as a user PostgreSQL accepts.
# Inside, it builds, starts private servers on Unix sockets, and works. When the inside ends, however it ends, the namespace takes
# every process and mount with it, and the folder is removed. Nothing is installed into the system but Debian's packages.

set -euo pipefail
export LC_ALL=C.UTF-8

# ---- saying things ---------------------------------------------------------------------------------------------------------

say()  { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }
die()  { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# quietly LOG COMMAND...: the output goes to LOG, its end is shown only when the command fails
quietly() {
    local log=$1
    shift
    if "$@" >"$log" 2>&1; then
        return 0
    fi
    printf 'failed: %s\n--- the end of %s\n' "$*" "${log##*/}"
    tail -n "${SNAPBACK_TAIL:-60}" "$log"
    printf -- '---\n'
    return 1
}

# ---- packages --------------------------------------------------------------------------------------------------------------

codename() { (. /etc/os-release && printf '%s' "${VERSION_CODENAME:-unknown}"); }

# the PostgreSQL version that the running release ships
native_pg() {
    case $(codename) in
        bookworm) echo 15 ;;
        trixie)   echo 17 ;;
        forky)    echo 18 ;;
        *)        apt-cache depends postgresql 2>/dev/null | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p' | head -n 1 ;;
    esac
}

# the Debian release that ships a version
release_for_pg() {
    case $1 in
        15) echo bookworm ;;
        17) echo trixie ;;
        18) echo forky ;;
        *)  die "no Debian release ships PostgreSQL $1 (15, 17 and 18 are known)" ;;
    esac
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

can_be_root() { [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && sudo true; }; }

packages_missing() {
    local package
    for package; do
        dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || printf '%s\n' "$package"
    done
}

# need_packages PACKAGE...: installs those that are missing. Debian's PostgreSQL packages make and start a cluster when they come
# in, and an upgrade of them restarts the clusters that run: the first is switched off while we install, the second is refused.
need_packages() {
    local missing plan upgraded status=0 off=/etc/postgresql-common/createcluster.d/pg_snapback_no_cluster.conf
    mapfile -t missing < <(packages_missing "$@")
    [ "${#missing[@]}" -gt 0 ] || return 0
    can_be_root || die "these packages are missing and neither root nor sudo is at hand to install them: ${missing[*]}"
    say "installing ${#missing[@]} packages: ${missing[*]}"
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=600)
    local log
    log=$(mktemp /tmp/pg_snapback_apt.XXXXXX)
    quietly "$log" as_root "${apt[@]}" update || { rm -f "$log"; die "apt-get update failed"; }
    plan=$(as_root "${apt[@]}" -s --no-install-recommends install "${missing[@]}" 2>&1) || {
        rm -f "$log"
        die "apt-get cannot install them:"$'\n'"$(tail -n 20 <<<"$plan")"
    }
    # "Inst postgresql-15 [15.1] (15.2 ...)": in brackets is what is there now
    upgraded=$(sed -n 's/^Inst \(postgresql-\(common\|[0-9][0-9]*\)\) \[.*/\1/p' <<<"$plan" | tr '\n' ' ')
    if [ -n "$upgraded" ] && [ -n "$(find /etc/postgresql -name postgresql.conf 2>/dev/null | head -n 1)" ]; then
        rm -f "$log"
        die "installing ${missing[*]} would upgrade $upgraded and restart the clusters of this machine; upgrade them first"
    fi
    as_root mkdir -p "${off%/*}"
    echo 'create_main_cluster = false' | as_root tee "$off" >/dev/null
    trap 'as_root rm -f "$off"' INT TERM
    quietly "$log" as_root "${apt[@]}" --no-install-recommends install "${missing[@]}" || status=$?
    as_root rm -f "$off"
    as_root rmdir "${off%/*}" 2>/dev/null || true
    trap - INT TERM
    rm -f "$log"
    [ "$status" = 0 ] || die "apt-get install failed"
}

packages_to_build() {
    printf '%s\n' build-essential pkg-config libzstd-dev libssl-dev libxxhash-dev nlohmann-json3-dev zstd jq procps \
        "postgresql-$1" "postgresql-server-dev-$1"
}

packages_to_test() {
    packages_to_build "$1"
    printf '%s\n' cmake clang libclang-rt-dev libgtest-dev gcovr curl locales nodejs perl libipc-run-perl python3-croniter xxd "postgresql-$1-pgtap" "postgresql-$1-cron"
}

# ---- from outside to inside ------------------------------------------------------------------------------------------------

# copy_tree FROM TO: what git knows or would add; without git or a repository, everything but .git and what compilers make
copy_tree() {
    mkdir -p "$2"
    if git -C "$1" rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        (cd "$1" && git ls-files -z -co --exclude-standard | while IFS= read -r -d '' path; do
            [ ! -e "$path" ] || printf '%s\0' "$path"
        done | tar -c --null --no-recursion -T -) | tar -x -C "$2" --no-same-owner
    else
        tar -c -C "$1" --exclude=./.git --exclude='*.o' --exclude='*.d' --exclude='*.so' --exclude='*.gch' . | tar -x -C "$2" --no-same-owner
    fi
}

# leave: ends what is left of the inside and removes its folder
leave() {
    local pid
    trap '' INT TERM HUP
    if [ -n "${SNAPBACK_CHILD:-}" ]; then
        # the namespace dies with the unshare that made it
        if [ -s "$SNAPBACK_OUTER/namespace.pid" ]; then
            as_root kill -KILL "$(cat "$SNAPBACK_OUTER/namespace.pid")" 2>/dev/null || true
        else
            kill -TERM "$SNAPBACK_CHILD" 2>/dev/null || true
        fi
        wait "$SNAPBACK_CHILD" 2>/dev/null || true
    fi
    if [ ! -s "$SNAPBACK_OUTER/namespace.pid" ]; then
        # without a namespace the servers that a killed run left must be asked one by one
        find "$SNAPBACK_OUTER" -name postmaster.pid -exec head -n 1 {} \; 2>/dev/null | while read -r pid; do
            kill -QUIT "$pid" 2>/dev/null || true
        done
    fi
    rm -rf "$SNAPBACK_OUTER" 2>/dev/null || { sleep 1; as_root rm -rf "$SNAPBACK_OUTER"; }
}

# enter SCRIPT ARGUMENTS...: runs the script's copy inside, with SNAPBACK_WORK (its new folder) in the environment
enter() {
    local script=$1 user top status=0
    shift
    top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
    user=$(id -un)
    if [ "$(id -u)" = 0 ]; then
        # PostgreSQL refuses to run as root
        user=postgres
        getent passwd postgres >/dev/null || user=nobody
    fi
    # a short path, because that of a Unix socket may have 107 characters
    SNAPBACK_OUTER=$(mktemp -d /tmp/snapback.XXXXXX)
    trap leave EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    copy_tree "$top" "$SNAPBACK_OUTER/src"
    mkdir -p "$SNAPBACK_OUTER/small_disk" "$SNAPBACK_OUTER/home" "$SNAPBACK_OUTER/tmp"
    [ -z "${SNAPBACK_SERVER:-}" ] || { mkdir "$SNAPBACK_OUTER/server" && tar -x -f "$SNAPBACK_SERVER" -C "$SNAPBACK_OUTER/server"; }
    [ "$(id -u)" != 0 ] || chown -R "$user:$(id -g "$user")" "$SNAPBACK_OUTER"
    local command=(env -i "PATH=$PATH" "HOME=$SNAPBACK_OUTER/home" "TMPDIR=$SNAPBACK_OUTER/tmp" "USER=$user" LC_ALL=C.UTF-8
        "TERM=${TERM:-dumb}"
        "SNAPBACK_WORK=$SNAPBACK_OUTER" "SNAPBACK_TAIL=${SNAPBACK_TAIL:-60}" "SNAPBACK_NIGHTLY=${SNAPBACK_NIGHTLY:-}"
        "SNAPBACK_SIZES=${SNAPBACK_SIZES:-}"
        "$SNAPBACK_OUTER/src/scripts/$script" --inside "$@")
    if can_be_root && as_root unshare --mount --pid --fork --mount-proc true 2>/dev/null; then
        # bash stays as the namespace's process 1, so that it reaps what killed servers leave
        # shellcheck disable=SC2016
        as_root sh -c 'echo $$ >"$1/namespace.pid"; exec unshare --mount --pid --fork --kill-child --mount-proc bash -c "$0" bash "$@"' '
            work=$1 user=$2
            shift 2
            mount -t tmpfs -o "size=24m,mode=0700,uid=$(id -u "$user"),gid=$(id -g "$user")" none "$work/small_disk"
            cd "$work" || exit 1
            setpriv --reuid="$(id -u "$user")" --regid="$(id -g "$user")" --init-groups -- "$@"
            exit $?' "$SNAPBACK_OUTER" "$user" "${command[@]}" &
    elif [ "$(id -u)" = 0 ]; then
        (cd "$SNAPBACK_OUTER" &&
            exec setpriv --reuid="$(id -u "$user")" --regid="$(id -g "$user")" --init-groups -- "${command[@]}") &
    else
        (cd "$SNAPBACK_OUTER" && exec "${command[@]}") &
    fi
    SNAPBACK_CHILD=$!
    wait "$SNAPBACK_CHILD" || status=$?
    SNAPBACK_CHILD=
    return "$status"
}

# ---- a chroot of another release -------------------------------------------------------------------------------------------

# in_chroot ROOT COMMAND...: in namespaces of its own, so that the mounts need no undoing; $SNAPBACK_PIDFILE gets the process to kill
in_chroot() {
    # shellcheck disable=SC2016
    as_root sh -c 'echo $$ >"$1"; shift; exec unshare --mount --pid --fork --kill-child bash -c "$0" bash "$@"' '
        root=$1
        shift
        # bound onto itself, because only a mount point can be the root of the namespaces that are made inside
        mount --bind "$root" "$root" && mount -t proc none "$root/proc" && mount --rbind /dev "$root/dev" &&
            mount -t tmpfs none "$root/dev/shm" && mount --rbind /sys "$root/sys" || exit 1
        chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 "$@"
        exit $?' "$SNAPBACK_PIDFILE" "$1" "TERM=${TERM:-dumb}" "SNAPBACK_TAIL=${SNAPBACK_TAIL:-60}" "SNAPBACK_NIGHTLY=${SNAPBACK_NIGHTLY:-}" \
        "SNAPBACK_SIZES=${SNAPBACK_SIZES:-}" "${@:2}" &
    SNAPBACK_CHILD=$!
    local status=0
    wait "$SNAPBACK_CHILD" || status=$?
    SNAPBACK_CHILD=
    return "$status"
}

# in_release PG SCRIPT ARGUMENTS...: runs the script in a chroot of the release that ships this version, made once and kept
in_release() {
    local pg=$1 script=$2 release cache root new top
    shift 2
    release=$(release_for_pg "$pg")
    cache=${XDG_CACHE_HOME:-$HOME/.cache}/pg_snapback
    root=$cache/$release
    new=$root.new
    top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
    can_be_root || die "PostgreSQL $pg needs a chroot of Debian $release, and that needs root or sudo"
    [ -d "$root" ] || need_packages debootstrap
    mkdir -p "$cache"
    SNAPBACK_PIDFILE=$(mktemp)
    SNAPBACK_COPY=
    trap leave_release EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    exec 9>"$cache/$release.lock"
    flock 9
    if [ ! -d "$root" ]; then
        as_root rm -rf --one-file-system "$new"
        say "making a chroot of Debian $release in $root (once)"
        # an older debootstrap has no script named after a newer release; all of Debian's are the one of sid
        quietly "$cache/$release.log" as_root debootstrap --variant=minbase "$release" "$new" "" sid || die "debootstrap failed"
        # nothing is served from there: a mirror of testing that lags some days is good enough, and a power cut may spoil it
        echo 'Acquire::Check-Valid-Until "false";' | as_root tee "$new/etc/apt/apt.conf.d/99pg_snapback" >/dev/null
        echo force-unsafe-io | as_root tee "$new/etc/dpkg/dpkg.cfg.d/pg_snapback" >/dev/null
        put_copy "$top" "$new"
        in_chroot "$new" "${SNAPBACK_COPY#"$new"}/tree/scripts/test" --prepare --pg "$pg" 9>&- || die "no packages for PostgreSQL $pg"
        as_root rm -rf "$SNAPBACK_COPY" "$new"/var/cache/apt/archives/*.deb
        SNAPBACK_COPY=
        as_root mv "$new" "$root"
    fi
    exec 9>&-
    put_copy "$top" "$root"
    in_chroot "$root" "${SNAPBACK_COPY#"$root"}/tree/scripts/$script" "$@"
}

# put_copy TOP ROOT: the tree, in a new folder of the chroot's /tmp
put_copy() {
    SNAPBACK_COPY=$(as_root mktemp -d "$2/tmp/tree.XXXXXX")
    as_root chown "$(id -u)" "$SNAPBACK_COPY"
    copy_tree "$1" "$SNAPBACK_COPY/tree"
    as_root cp -L /etc/resolv.conf "$2/etc/resolv.conf" 2>/dev/null || true
}

leave_release() {
    trap '' INT TERM HUP
    if [ -n "${SNAPBACK_CHILD:-}" ]; then
        as_root kill -KILL "$(cat "$SNAPBACK_PIDFILE")" 2>/dev/null || true
        wait "$SNAPBACK_CHILD" 2>/dev/null || true
        # a killed run could not remove its own folder
        if [ -n "$SNAPBACK_COPY" ]; then
            as_root find "${SNAPBACK_COPY%/*}" -maxdepth 1 -name 'snapback.*' -newer "$SNAPBACK_PIDFILE" \
                -exec rm -rf --one-file-system {} +
        fi
    fi
    rm -f "$SNAPBACK_PIDFILE"
    [ -z "$SNAPBACK_COPY" ] || as_root rm -rf --one-file-system "$SNAPBACK_COPY"
}

# ---- a server with assertions ----------------------------------------------------------------------------------------------

# need_assert_server PG: sets SNAPBACK_SERVER to an archive of this version's server, made once from Debian's source package with
# assertions and kept. Its pgTAP and pg_cron are those of Debian's packages.
need_assert_server() {
    local pg=$1 cache=${XDG_CACHE_HOME:-$HOME/.cache}/pg_snapback new
    SNAPBACK_SERVER=$cache/assert-$pg.tar
    [ ! -s "$SNAPBACK_SERVER" ] || return 0
    need_packages build-essential pkg-config dpkg-dev libzstd-dev liblz4-dev libssl-dev libxml2-dev libicu-dev zlib1g-dev uuid-dev perl \
        libipc-run-perl
    mkdir -p "$cache"
    new=$(mktemp -d /tmp/snapback.XXXXXX)
    say "building PostgreSQL $pg with assertions (once)"
    # not in a condition, where a failing command would not end it
    build_assert_server "$pg" "$new" >"$cache/assert-$pg.log" 2>&1 &
    wait $! || { tail -n 60 "$cache/assert-$pg.log"; rm -rf "$new"; die "PostgreSQL $pg could not be built"; }
    rm -rf "$new"
}

build_assert_server() (
    pg=$1 new=$2
    set -e
    cd "$new"
    # lists of our own, so that the machine's sources stay as they are
    # shellcheck disable=SC2016
    printf 'deb-src %s %s main\n' "$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' | head -n 1)" \
        "$(codename)" >sources.list
    mkdir -p lists/partial
    apt=(apt-get -q -o "Dir::Etc::sourcelist=$new/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$new/lists"
        -o "Dir::Cache::srcpkgcache=" -o "Dir::Cache::pkgcache=" -o APT::Sandbox::User=)
    "${apt[@]}" update
    "${apt[@]}" source --only-source "postgresql-$pg"
    cd "postgresql-$pg"-*/
    ./configure --prefix="/usr/lib/postgresql/$pg" --datadir="/usr/share/postgresql/$pg" --enable-cassert --enable-tap-tests \
        --with-openssl --with-libxml --with-icu --with-lz4 --with-zstd --with-uuid=e2fs --without-readline CFLAGS="-O1 -g1"
    make -j"$(nproc)" world-bin
    make install-world-bin DESTDIR="$new/root"
    make -C src/test/isolation install DESTDIR="$new/root"
    cp "/usr/share/postgresql/$pg/extension"/pgtap* "/usr/share/postgresql/$pg/extension"/pg_cron* "$new/root/usr/share/postgresql/$pg/extension/"
    cp "/usr/lib/postgresql/$pg/lib/pg_cron.so" "$new/root/usr/lib/postgresql/$pg/lib/"
    tar -c -C "$new/root" -f "$SNAPBACK_SERVER.new" .
    mv "$SNAPBACK_SERVER.new" "$SNAPBACK_SERVER"
)

# ---- inside: building ------------------------------------------------------------------------------------------------------

inside_setup() {
    [ -d "${SNAPBACK_WORK:-}" ] || die "--inside is for the script itself"
    SRC=$SNAPBACK_WORK/src
    LOGS=$SNAPBACK_WORK/logs
    mkdir -p "$LOGS"
    JOBS=$(nproc)
    if mountpoint -q "$SNAPBACK_WORK/small_disk"; then
        export SNAPBACK_SMALL_DISK=$SNAPBACK_WORK/small_disk
    fi
    SERVERS=()
    trap stop_servers EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

# use_pg N: the server to build for and copy: the packaged one, or the one that was brought along
use_pg() {
    local root=
    [ ! -d "$SNAPBACK_WORK/server" ] || root=$SNAPBACK_WORK/server
    PG=$1
    PG_HOME=$root/usr/lib/postgresql/$PG
    PG_SHARE=$root/usr/share/postgresql/$PG
    [ -x "$PG_HOME/bin/pg_config" ] || die "no PostgreSQL $PG in $PG_HOME"
    PG_PERL=$PG_HOME/lib/pgxs/src/test/perl
    PG_REGRESS_PROGRAM=$PG_HOME/lib/pgxs/src/test/regress/pg_regress
}

# build_extension NAME OPTIONS...: builds a flavour in a copy of the tree and installs it into a private prefix, a copy of the
# server's programs, libraries and shared files. The server finds those by their place relative to its binary, so the copy is
# complete in itself and the system's stays as it is. Afterwards $BIN is the folder of its programs.
build_extension() {
    local name=$1 build prefix
    shift
    build=$SNAPBACK_WORK/build-$name
    prefix=$SNAPBACK_WORK/prefix-$name
    cp -a "$SRC" "$build"
    quietly "$LOGS/build-$name.log" make -C "$build" -j"$JOBS" PG_CONFIG="$PG_HOME/bin/pg_config" "$@" || return 1
    mkdir -p "$prefix${PG_HOME%/*}" "$prefix${PG_SHARE%/*}"
    cp -aL "$PG_HOME" "$prefix${PG_HOME%/*}/"
    cp -aL "$PG_SHARE" "$prefix${PG_SHARE%/*}/"
    quietly "$LOGS/install-$name.log" make -C "$build" PG_CONFIG="$PG_HOME/bin/pg_config" DESTDIR="$prefix" "$@" install || return 1
    BIN=$prefix$PG_HOME/bin
    MODULE=$prefix$PG_HOME/lib/pg_snapback.so
}

# sanitize_prefix: the server of $BIN is started with the sanitizers' runtime, whoever starts it; reports go to $LOGS/sanitizer.*
sanitize_prefix() {
    # The runtime wakes at the first malloc. In some servers that comes from a library's constructor inside bindtextdomain, with
    # libc's message lock held, which the runtime then takes as well: so the first malloc is made earlier, here.
    printf '%s\n' '#include <stdlib.h>' \
        '__attribute__((constructor)) static void first(void) { void *volatile p = malloc(1); free(p); }' >"$SNAPBACK_WORK/first.c"
    gcc -O0 -shared -fPIC -Wl,-z,initfirst "$SNAPBACK_WORK/first.c" -o "$SNAPBACK_WORK/first.so"
    mv "$BIN/postgres" "$BIN/postgres.real"
    cat >"$BIN/postgres" <<END
#!/bin/bash
export LD_PRELOAD=$(g++ -print-file-name=libasan.so):$SNAPBACK_WORK/first.so
export ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0:abort_on_error=1:log_path=$LOGS/sanitizer:log_exe_name=1
export UBSAN_OPTIONS=print_stacktrace=1:log_path=$LOGS/sanitizer:log_exe_name=1
exec -a "\$0" "\$0.real" "\$@"
END
    chmod +x "$BIN/postgres"
}

# ---- inside: servers -------------------------------------------------------------------------------------------------------

# start_server NAME: a new cluster of $BIN on a Unix socket; further lines of its configuration are read from standard input.
# Sets PGHOST, PGPORT and PGUSER for it.
start_server() {
    local data=$SNAPBACK_WORK/$1
    quietly "$LOGS/initdb-$1.log" "$BIN/initdb" -D "$data/data" -U postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 \
        --no-sync || return 1
    mkdir -p "$data/socket"
    cat - >>"$data/data/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$data/socket'
logging_collector = off
log_line_prefix = '%m [%p] %q%u@%d/%a '
END
    SERVERS+=("$data/data")
    export PGHOST=$data/socket PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
    quietly "$LOGS/start-$1.log" "$BIN/pg_ctl" -D "$data/data" -l "$LOGS/server-$1.log" -w -t 60 start ||
        { tail -n 30 "$LOGS/server-$1.log"; return 1; }
}

# stop_servers: every server that start_server started, whatever state it is in
stop_servers() {
    local data status=$?
    for data in "${SERVERS[@]}"; do
        if [ -s "$data/postmaster.pid" ]; then
            "$BIN/pg_ctl" -D "$data" -m immediate -w -t 30 stop >/dev/null 2>&1 ||
                kill -KILL "$(head -n 1 "$data/postmaster.pid")" 2>/dev/null || true
        fi
    done
    SERVERS=()
    return "$status"
}

psql_quiet() { "$BIN/psql" -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
