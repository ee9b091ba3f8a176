# How a deployment gets the lease: whoever holds it is waited for, and refused only if he lives.
# OVERRIDE: 1 = also from a holder that lives; PROCESS: ours, which may have it already.
# needs: prelude state-dir lease heartbeat writable

# make_app_dir: the app's folder, in a state folder of the format that we know
make_app_dir() {
    has_folders || mkdir -p "$app_dir/releases" "$app_dir/objects" "$app_dir/project" 2>/dev/null ||
        refuse_unwritable "$app_dir"
    can_append "$state_dir/format" || refuse_unwritable "$state_dir"
    [ -f "$state_dir/format" ] || printf '1\n' >"$state_dir/format" || refuse_unwritable "$state_dir"
    read_format
    [ "$format" = 1 ] || refuse format "$format"
    [ -d "$app_dir/secrets" ] || mkdir "$app_dir/secrets"
    [ "$state_dir" = /var/lib/lading ] || chmod 700 "$app_dir/secrets"
    can_append "$app_dir/op.lock" || refuse_unwritable "$app_dir"
    has_files || touch "$app_dir/op.lock" "$app_dir/journal" 2>/dev/null || refuse_unwritable "$app_dir"
}

# has_folders: from an earlier deployment
has_folders() {
    [ -d "$app_dir/releases" ] && [ -d "$app_dir/objects" ] && [ -d "$app_dir/project" ]
}

# has_files: likewise, and the journal takes a line
has_files() {
    [ -f "$app_dir/op.lock" ] && [ -f "$app_dir/journal" ] && [ -w "$app_dir/journal" ]
}

# read_format: format, all that the file says: a line more is a format that we do not know
read_format() {
    format=
    while IFS= read -r line || [ -n "$line" ]; do
        format=${format:+$format$newline}$line
    done <"$state_dir/format"
}

# terminate_stale: end what a dead controller left that may be ended: an upload or a pull whose connection is half-open
# would wait for its own time-out. op.info names the parent of such a script, which is its `timeout`, and that passes the
# signal on. A command that changes containers is never ended.
terminate_stale() {
    pid=$(sed -n 's/^ends //p' "$app_dir/op.info" 2>/dev/null)
    [ -n "$pid" ] || return 0
    case $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null) in
    timeout*) kill -TERM "$pid" 2>/dev/null ;;
    esac
}

# look_at_lease: with the lease locked
look_at_lease() {
    lock_lease_or_refuse
    read_lease
    read_uptime
}

# may_take_lease: nobody else holds it who may live
may_take_lease() {
    [ "$OVERRIDE" != 1 ] || return 0
    ! lease_lives || [ "${lease_process:-another}" = "$PROCESS" ]
}

# refuse_if_alive: its controller has renewed it since the first look, or is of an older lading, which does not say
refuse_if_alive() {
    [ -n "$first_beat" ] || first_beat=$lease_process/$lease_fence/$lease_beat
    if [ -z "$lease_process" ] || [ "$first_beat" != "$lease_process/$lease_fence/$lease_beat" ]; then
        refuse held "$(cat "$app_dir/lease")" "left=$((lease_expires - uptime))"
    fi
}

# tell_who_is_awaited: a command that still runs renews the lease, and outlives its controller; without one, the lease ends by
# itself, in `left` seconds. Whoever is about to begin one waits for the lock longer than it is ours.
tell_who_is_awaited() {
    if flock -n 9; then
        flock -u 9
        tell_awaited holder "$(cat "$app_dir/lease" && printf 'left=%s' $((lease_expires - uptime)))"
    else
        tell_awaited command "$(sed 1q "$app_dir/op.info" 2>/dev/null)"
    fi
}

# tell_awaited WORD TEXT: what is waited for, when that changes
tell_awaited() {
    [ "$awaited" != "$1" ] || return 0
    awaited=$1
    printf '\n%s awaited\n%s\n%s\n\n%s waits\n' "$MARKER" "$1" "$2" "$MARKER"
}

# acquire_lease: fd 9 is the lock op.lock, fd 8 the lease's. They are taken in the order of under_lease, so the lease is read
# anew under both.
acquire_lease() {
    exec 9>>"$app_dir/op.lock"
    first_beat='' awaited=''
    while :; do
        look_at_lease
        if ! may_take_lease; then
            refuse_if_alive
            tell_who_is_awaited
        else
            unlock_lease
            flock -n 9 && break
            terminate_stale
            tell_awaited command "$(sed 1q "$app_dir/op.info" 2>/dev/null)"
        fi
        unlock_lease
        wait_alone 1
    done
    look_at_lease
    may_take_lease || refuse held "$(cat "$app_dir/lease")" "left=$((lease_expires - uptime))"
}
