# The app's lease and its journal.
# DEPLOYMENT, FENCE: who holds the lease; HOLDER, SINCE, URL: what is said of them to others.
# needs: prelude uptime

now() {
    date -u +%Y-%m-%dT%H:%M:%SZ
}

# sync_file PATH: it stays there if the power goes
sync_file() {
    sync "$1" 2>/dev/null || sync
}

# read_lease: lease_deployment, lease_fence, lease_boot, lease_expires and lease_state; without a lease it is free
read_lease() {
    lease_deployment=
    lease_fence=0
    lease_boot=
    lease_expires=0
    lease_state=free
    [ -f "$app_dir/lease" ] || return 0
    while IFS='=' read -r key value; do
        case $key in
        deployment) lease_deployment=$value ;;
        fence) lease_fence=$value ;;
        boot) lease_boot=$value ;;
        expires) lease_expires=$value ;;
        state) lease_state=$value ;;
        esac
    done <"$app_dir/lease"
}

# write_lease EXPIRES STATE: the lease of this deployment
write_lease() {
    printf '%s\n' "deployment=$DEPLOYMENT" "fence=$FENCE" "boot=$boot" "expires=$1" "state=$2" \
        "holder=$HOLDER" "since=$SINCE" "url=$URL" >"$app_dir/lease.new" &&
        mv "$app_dir/lease.new" "$app_dir/lease"
}

# lock_lease: as fd 8, for the short time in which the file is read and written
lock_lease() {
    exec 8>>"$app_dir/lease.lock"
    flock -w 10 8
}

# release_lease: the lease is free, and what commands leave for others to read is gone
release_lease() {
    lock_lease
    read_uptime
    write_lease 0 free
    exec 8>&-
    rm -rf "$app_dir/op.info" "$app_dir"/incoming.* "$app_dir/tar.err" "$app_dir/config.err" "$app_dir/hook.yaml" \
        "/dev/shm/lading.$APP".* "${XDG_RUNTIME_DIR:-/nowhere}/lading.$APP".*
}

# journal_append RECORD: a line more in the journal, a JSON object with the time in it
journal_append() {
    printf '{"at":"%s",%s\n' "$(now)" "${1#?}" >>"$app_dir/journal" && sync_file "$app_dir/journal"
}

# journal_or_refuse RECORD: nothing is done that the journal does not say
journal_or_refuse() {
    journal_append "$1" || refuse state "cannot write the journal"
}

# journal_result STATUS: RESULT, a JSON object, with the status of what was done
journal_result() {
    journal_append "${RESULT%?},\"rc\":$1}"
}
