# What changes an app runs under its lease, one command at a time.
# STEP: its name; TIMEOUT: how long it may take; CHANGES: 1 = it changes containers, so that nothing ends it halfway.
# needs: prelude state-dir lease

# under_lease: refused if a command still runs there, or if another deployment holds the lease. Else fd 9 is the lock
# op.lock, which all that this script starts inherits: it lives as long as the last of that does.
under_lease() {
    [ "$CHANGES" != 1 ] || trap '' HUP PIPE
    exec 9>>"$app_dir/op.lock"
    flock -w 3 9 || refuse busy "$(sed 1q "$app_dir/op.info" 2>/dev/null)"
    lock_lease || refuse busy "the lease file is locked"
    read_lease
    read_uptime
    case "$lease_deployment $lease_fence $lease_state" in
    "$DEPLOYMENT $FENCE held") ;;
    *) refuse fence "$(cat "$app_dir/lease" 2>/dev/null)" ;;
    esac
    write_lease $((uptime + TIMEOUT + 30)) held
    exec 8>&-
    printf '%s %s since %s, pid %s\n' "$DEPLOYMENT" "$STEP" "$(now)" $$ >"$app_dir/op.info"
    [ "$CHANGES" = 1 ] || printf 'ends %s\n' $PPID >>"$app_dir/op.info"
}
