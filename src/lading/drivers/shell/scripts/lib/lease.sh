# The app's lease: the file `lease`, lines KEY=VALUE, whose variables are lease_KEY.
# DEPLOYMENT, FENCE: who works here.
#
# It ends by the machine's uptime, and one that would end later than its own length from now is void: the clock has begun
# anew. `beat` counts the renewals that a living controller asked for; `from` is the byte of the journal where the
# deployment begins.
# needs: prelude uptime writable

lease_seconds=30

now() {
    date -u +%Y-%m-%dT%H:%M:%SZ
}

# sync_file PATH: a file, or the names in a folder; it stays there if the power goes
sync_file() {
    sync "$1" 2>/dev/null || sync
}

# read_lease: without one, or with one that cannot be read, it is free, and lease_known is empty
read_lease() {
    lease_deployment='' lease_fence='' lease_boot='' lease_expires='' lease_state=free lease_holder='' lease_since=''
    lease_url='' lease_process='' lease_length='' lease_beat='' lease_from=''
    [ ! -f "$app_dir/lease" ] || while IFS='=' read -r key value; do
        case $key in
        deployment) lease_deployment=$value ;;
        fence) lease_fence=$value ;;
        boot) lease_boot=$value ;;
        expires) lease_expires=$value ;;
        state) lease_state=$value ;;
        holder) lease_holder=$value ;;
        since) lease_since=$value ;;
        url) lease_url=$value ;;
        process) lease_process=$value ;;
        length) lease_length=$value ;;
        beat) lease_beat=$value ;;
        from) lease_from=$value ;;
        esac
    done <"$app_dir/lease"
    lease_known=1
    if ! is_number "$lease_fence" || ! is_number "$lease_expires"; then
        lease_known='' lease_fence=0 lease_expires=0 lease_state=free
    fi
    is_number "$lease_from" || lease_from=0
    is_number "$lease_beat" || lease_beat=0
}

# is_number TEXT: that the shell can count with
is_number() {
    case $1 in
    '' | *[!0-9]* | ????????????????*) return 1 ;;
    esac
}

# write_lease: what the variables say
write_lease() {
    printf '%s\n' "deployment=$lease_deployment" "fence=$lease_fence" "boot=$lease_boot" "expires=$lease_expires" \
        "state=$lease_state" "holder=$lease_holder" "since=$lease_since" "url=$lease_url" "process=$lease_process" \
        "length=$lease_length" "beat=$lease_beat" "from=$lease_from" >"$app_dir/lease.new" &&
        sync_file "$app_dir/lease.new" &&
        mv "$app_dir/lease.new" "$app_dir/lease"
}

# lock_lease: as fd 8, for the short time in which the file is read and written
lock_lease() {
    can_append "$app_dir/lease.lock" || return 1
    exec 8>>"$app_dir/lease.lock"
    flock -w 10 8
}

lock_lease_or_refuse() {
    lock_lease && return 0
    can_append "$app_dir/lease.lock" || refuse_unwritable "$app_dir"
    refuse busy "the lease file is locked"
}

unlock_lease() {
    exec 8>&-
}

# lease_lives: somebody holds it, since this start of the machine, and its time is not over
lease_lives() {
    [ "$lease_state" = held ] && [ "$lease_boot" = "$boot" ] && [ "$lease_expires" -gt "$uptime" ] || return 1
    is_number "$lease_length" || return 0
    [ "$lease_expires" -le $((uptime + lease_length)) ]
}

# is_ours: whoever had it before us, or after us, has another fence
is_ours() {
    [ "$lease_deployment $lease_fence $lease_state" = "$DEPLOYMENT $FENCE held" ]
}

# extend_lease BEATS: from now on, as the lease was read; BEATS: 1 = its controller lives
extend_lease() {
    lease_boot=$boot
    lease_expires=$((uptime + lease_seconds))
    lease_length=$lease_seconds
    lease_beat=$((lease_beat + $1))
    write_lease
}

# keep_lease BEATS: extended, unless that was done in the last three seconds and there is no beat to count: each time the
# lease is synced, and commands often follow each other at once
keep_lease() {
    [ "$1" = 0 ] && [ "$lease_boot $lease_length" = "$boot $lease_seconds" ] &&
        [ "$lease_expires" -ge $((uptime + lease_seconds - 3)) ] && [ "$lease_expires" -le $((uptime + lease_seconds)) ] &&
        return 0
    extend_lease "$1"
}

# renew_lease BEATS: fails if it is not ours any more
renew_lease() {
    lock_lease || return 1
    read_lease
    read_uptime
    is_ours && keep_lease "$1"
    renewed=$?
    unlock_lease
    return "$renewed"
}

# free_lease: and what commands leave for others to read is gone
free_lease() {
    lock_lease_or_refuse
    read_lease
    if is_ours; then
        lease_state=free lease_expires=0
        write_lease
    fi
    unlock_lease
    rm -rf "$app_dir/op.info" "$app_dir"/incoming.* "$app_dir"/answer.* "$app_dir/tar.err" "$app_dir/config.err" "$app_dir/hook.yaml" \
        "/dev/shm/lading.$APP".* "${XDG_RUNTIME_DIR:-/nowhere}/lading.$APP".*
}
