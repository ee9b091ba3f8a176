# What a host is, and what it has.
# BINDS: paths that it must have, a line each; DOCKER_ROOT: where its engine keeps everything, as far as the controller knows.
# needs: prelude state-dir engine each-line uptime gone plugin

print_missing() {
    ! is_gone "$1" || printf 'missing=%s\n' "$1"
}

# is_foreign: what answers is not Docker Engine but value. Podman stands in for docker as a program of that name, or at the
# other end of docker's socket.
is_foreign() {
    info_value engine
    case "$engine_status $value" in
    "0 "[2-9][0-9]*) return 1 ;;
    esac
    value=$(docker --version 2>/dev/null </dev/null | head -n 1)
    case $value in
    podman*) return 0 ;;
    esac
    value=$(docker version -f '{{range .Server.Components}}{{.Name}} {{.Version}};{{end}}' 2>/dev/null </dev/null)
    value=${value%%;*}
    case $value in
    *[Pp]odman*) return 0 ;;
    esac
    return 1
}

# print_free PATH NAME: the megabytes that are free there
print_free() {
    df -Pm "$1" 2>/dev/null | {
        read -r _
        read -r _ _ _ free _
        printf '%s=%s\n' "$2" "${free:-}"
    }
}

print_state_dir() {
    printf 'state=%s\n' "$state_dir"
    format=
    [ ! -f "$state_dir/format" ] || read -r format <"$state_dir/format"
    printf 'format=%s\n' "$format"
    near=$state_dir
    while [ ! -d "$near" ]; do
        near=${near%/*}
        [ -n "$near" ] || near=/
    done
    printf 'fs=%s\n' "$(stat -f -c %T "$near" 2>/dev/null)"
    [ -w "$near" ] || printf 'readonly=%s\n' "$near"
    print_free "$near" free
}

# print_client: what only docker's client and the host's files tell of an engine that the controller asks itself
print_client() {
    [ -n "$engine_info" ] || engine_info="ctx=default
plugin=$(print_compose_version)
root=$DOCKER_ROOT"
    print_engine_info
}

print_engine_info() {
    printf '%s\n' "$engine_info"
    info_value plugin
    printf 'compose=%s\n' "${value:-$(print_compose_version)}"
    info_value ctx
    printf 'context=%s %s\n' "$value" "${DOCKER_HOST:-}"
    print_free "${engine_info##*root=}" dockerfree
}

# print_engine: and what it lists, which must come even if it told of itself before
print_engine() {
    print_engine_info
    listed=$(docker ps -a --no-trunc \
        --format 'c={{.ID}} {{.Label "com.docker.compose.project"}} {{.Label "lading.app"}}
port={{.Label "com.docker.compose.project"}} {{.Ports}}
net={{.Names}} {{.Networks}} {{.Label "com.docker.compose.project"}}' 2>&1) ||
        listed=problem=${listed%%"$newline"*}
    printf '%s\n' "$listed"
    docker network ls --format 'there={{.Name}}' 2>/dev/null
}

tell_facts() {
    part facts
    print_state_dir
    read_uptime
    printf 'boot=%s\n' "$boot"
    for tool in flock tar timeout sha256sum head dd stat sed; do
        command -v $tool >/dev/null 2>&1 || printf 'tool=%s\n' $tool
    done
    each_line print_missing "$BINDS"
    if ! command -v docker >/dev/null 2>&1; then
        printf 'problem=docker is not installed\n'
    elif [ "$ENGINE" = 1 ]; then
        print_client
    elif ask_engine && is_foreign; then
        printf 'problem=docker on this host is %s: lading needs Docker Engine\n' "$value"
    elif [ "$engine_status" != 0 ]; then
        printf 'problem=%s\n' "$(docker ps -q 2>&1 >/dev/null | head -n 1)"
    else
        print_engine
    fi
    grep -h ' 0A ' /proc/net/tcp /proc/net/tcp6 2>/dev/null | while read -r _ listener _; do
        printf 'listen=%s\n' "$listener"
    done
}
