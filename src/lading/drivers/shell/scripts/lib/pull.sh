# Images from their registries. Credentials lie in memory only, for as long as the script runs.
# LACKS: the word of a refusal for an image that cannot be pulled.
# needs: prelude tell

credentials=

forget_credentials() {
    [ -z "$credentials" ] || rm -rf "$credentials"
}

forget_credentials_at_exit() {
    trap forget_credentials EXIT
    trap 'forget_credentials; exit 143' TERM INT HUP
}

# make_credentials: the folder for a Docker configuration of our own
make_credentials() {
    [ -z "$credentials" ] || return 0
    for folder in /dev/shm "${XDG_RUNTIME_DIR:-/nowhere}"; do
        [ -w "$folder" ] || continue
        rm -rf "$folder/lading.$APP".*
        credentials=$(mktemp -d "$folder/lading.$APP.XXXXXX") && return 0
    done
    refuse login "no folder in memory for registry credentials (/dev/shm, XDG_RUNTIME_DIR)"
}

# write_entries ENTRIES: what nobody can log in with goes into the configuration as it is
write_entries() {
    make_credentials
    printf '{"auths":{%s}}' "$1" >"$credentials/config.json" || refuse login "cannot write $credentials"
}

# log_in REGISTRY USER PASSWORD
log_in() {
    make_credentials
    said=$(printf '%s' "$3" | docker --config "$credentials" login -u "$2" --password-stdin "$1" 2>&1 >/dev/null) ||
        refuse login "$1" "$(printf '%s\n' "$said" | tail -n 1)"
}

has_image() {
    docker image inspect "$1" >/dev/null 2>&1
}

# pull_image REFERENCE: if it is not there
pull_image() {
    ! has_image "$1" || return 0
    make_credentials
    run_told "$1" 1 docker --config "$credentials" pull "$1"
    [ "$status" = 0 ] || refuse "$LACKS" "$1" "$output"
}
