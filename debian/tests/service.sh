# For the tests beside it: the service aforod and a Redis, where no systemd runs. What the unit says is done by hand: its ExecStart,
# its environment, its state directory, a user without rights. Its sandbox is not.
# shellcheck shell=sh
url=http://127.0.0.1:8080
redis=redis://127.0.0.1:6390
user=61184 # the first number of those that systemd gives to such users
scratch=$(mktemp -d)
chmod 0755 "$scratch"
server='' store=''

finish() {
    for process in $server $store; do
        kill "$process" 2>/dev/null || true
        wait "$process" || true
    done
    rm -rf "$scratch"
}
trap finish EXIT

fail() { echo "FAILED: $1"; exit 1; }

# is WHAT EXPECTED SEEN
is() {
    [ "$2" = "$3" ] || fail "$1: expected '$2', seen '$3'"
    echo "ok: $1: $3"
}

# within SECONDS COMMAND ...: until the command succeeds
within() {
    tries=$(($1 * 10))
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || fail "not within the time: $*"
        sleep 0.1
    done
}

of_unit() { # KEY
    for unit in /usr/lib/systemd/system/aforod.service /lib/systemd/system/aforod.service; do
        [ ! -f "$unit" ] || { sed -n "s/^$1=//p" "$unit"; return; }
    done
    fail "there is no aforod.service"
}

start_store() {
    mkdir -p "$scratch/redis"
    redis-server --port 6390 --bind 127.0.0.1 --dir "$scratch/redis" --save '' --maxmemory-policy noeviction >/dev/null &
    store=$!
    within 20 redis-cli -p 6390 ping
}

start_server() {
    command=$(of_unit ExecStart)
    state=$(of_unit Environment | sed -n 's|^AFORO_STATE=%S|/var/lib|p')
    [ "$state" = "/var/lib/$(of_unit StateDirectory)" ] || fail "the unit's AFORO_STATE is not its StateDirectory"
    install -d -m "$(of_unit StateDirectoryMode)" -o $user -g $user "$state"
    # The variables are lines of that file; it has no others.
    sed '/^#/d; /^$/d' /etc/default/aforod >"$scratch/settings"
    ( # shellcheck disable=SC2046,SC2086 # words
        exec setpriv --reuid $user --regid $user --clear-groups --no-new-privs --bounding-set=-all \
            env AFORO_STATE="$state" $(cat "$scratch/settings") $command >>"$scratch/log" 2>&1) &
    server=$!
    within 30 curl -sf "$url/healthz"
}

# As systemd does it: SIGTERM, and wait.
stop_server() {
    kill "$server"
    wait "$server" || fail "aforod ended with status $?: $(tail -n 3 "$scratch/log")"
    server=''
}

# send N: N events, each a request; says how many were acknowledged.
send() {
    n=0 acknowledged=0
    while [ "$n" -lt "$1" ]; do
        n=$((n + 1))
        [ "$(curl -s -o "$scratch/answer" -w '%{http_code}' "$url/" --data "value=$(date -u '+%F %T.%6N')")" != 204 ] ||
            acknowledged=$((acknowledged + 1))
    done
    echo "$acknowledged"
}

total() { aforo total --server "$url"; }
total_of_store() { aforo total --redis "$redis"; }
store_has() { [ "$(total_of_store)" = "$1" ]; }
mode() { stat -c %a:%U:%G "$1"; }
