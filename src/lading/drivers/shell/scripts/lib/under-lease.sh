# What changes an app runs under its lease, one command at a time, in a phase that allows it.
# STEP: its name; CHANGES: 1 = it changes containers, so that nothing ends it halfway; ALLOWED: the phases, a word each;
# GRACE: seconds that the containers need to stop.
# needs: prelude state-dir lease journal heartbeat wait-quiet writable

# under_lease: refused if a command still runs there, if somebody else has the lease, or in another phase. Else fd 9 is the
# lock op.lock, which all that this script starts inherits: it lives as long as the last of that does. What changes containers
# renews its lease until hush; after a command of which nobody knows what became of it, it waits until the engine is quiet.
under_lease() {
    [ "$CHANGES" != 1 ] || trap '' HUP PIPE
    can_append "$app_dir/op.lock" || refuse_unwritable "$app_dir"
    exec 9>>"$app_dir/op.lock"
    flock -w 3 9 || refuse busy "$(sed 1q "$app_dir/op.info" 2>/dev/null)"
    check_lease 0
    printf '%s %s since %s, pid %s\n' "$DEPLOYMENT" "$STEP" "$(now)" $$ >"$app_dir/op.info"
    if [ "$CHANGES" != 1 ]; then
        printf 'ends %s\n' "$PPID" >>"$app_dir/op.info"
        return 0
    fi
    renew_while_alive
    [ -z "$unanswered" ] || wait_quiet
}

# check_lease BEATS: that the lease is ours, and the phase is right; then it is renewed
check_lease() {
    lock_lease_or_refuse
    read_lease
    read_uptime
    is_ours || refuse fence "$(cat "$app_dir/lease" 2>/dev/null)"
    read_journal
    [ "${open:-$DEPLOYMENT}" = "$DEPLOYMENT" ] || refuse phase "$open is open"
    case " $ALLOWED " in
    *" $phase "*) ;;
    *) refuse phase "$phase" ;;
    esac
    keep_lease "$1" || refuse_unwritable "$app_dir"
    unlock_lease
}
