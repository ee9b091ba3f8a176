# How a deployment gets the lease.
# TAKE: 1 = also from a holder that is not gone; GRACE: seconds that the containers need to stop.
# needs: prelude state-dir lease

# terminate_stale: end what a dead controller left that may be ended: an upload or a pull whose connection is half-open
# would wait for its own time-out. op.info names the parent of such a script, which is its `timeout`, and that passes the
# signal on. Fails where there is none: a command that changes containers is never ended.
terminate_stale() {
    pid=$(sed -n 's/^ends //p' "$app_dir/op.info" 2>/dev/null)
    [ -n "$pid" ] || return 1
    case $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null) in
    timeout*) kill -TERM "$pid" 2>/dev/null ;;
    esac
}

# make_app_dir: the app's folder, in a state folder of the format that we know
make_app_dir() {
    mkdir -p "$app_dir/releases" "$app_dir/objects" "$app_dir/project" 2>/dev/null || refuse state "cannot write $app_dir"
    [ -f "$state_dir/format" ] || printf '1\n' >"$state_dir/format"
    format=$(cat "$state_dir/format")
    [ "$format" = 1 ] || refuse format "$format"
    [ -d "$app_dir/secrets" ] || mkdir "$app_dir/secrets"
    [ "$state_dir" = /var/lib/lading ] || chmod 700 "$app_dir/secrets"
    { : >>"$app_dir/op.lock" && : >>"$app_dir/journal"; } 2>/dev/null || refuse state "cannot write $app_dir"
}

# held_by_another: by a deployment of this start of the machine
held_by_another() {
    [ "$lease_state" = held ] && [ "$lease_deployment" != "$DEPLOYMENT" ] && [ "$lease_boot" = "$boot" ]
}

# lock_lease_for_us: the lease is locked, and may be taken
lock_lease_for_us() {
    lock_lease || refuse busy "the lease file is locked"
    read_lease
    read_uptime
    if [ "$TAKE" != 1 ] && held_by_another && [ "$lease_expires" -gt "$uptime" ]; then
        refuse held "$(cat "$app_dir/lease")" "left=$((lease_expires - uptime))"
    fi
}

# lock_op: as in under_lease, but for a command that is still at it there is as much time as containers need to stop
lock_op() {
    exec 9>>"$app_dir/op.lock"
    ! flock -n 9 || return 0
    patience=$((3 * GRACE))
    [ "$patience" -le 30 ] || patience=30
    ! terminate_stale || patience=15
    flock -w "$patience" 9
}

# acquire_lease: FENCE. The locks are taken in the order of under_lease, so the lease is read anew under the first one.
acquire_lease() {
    make_app_dir
    lock_lease_for_us
    exec 8>&-
    lock_op || refuse busy "$(sed 1q "$app_dir/op.info" 2>/dev/null)"
    lock_lease_for_us
    FENCE=$((lease_fence + 1))
    write_lease $((uptime + 90)) held || refuse state "cannot write $app_dir"
    exec 8>&-
}
