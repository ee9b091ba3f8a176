# Where docker's client finds the engine, so that the controller asks the same one.
# needs: prelude

# tell_socket: the path of its socket; "-" where only the client itself knows the way: another host,
# or a context
tell_socket() {
    part socket
    case ${DOCKER_HOST:-} in
    unix:///*) printf '%s\n' "${DOCKER_HOST#unix://}" ;;
    '') tell_default_socket ;;
    *) printf '%s\n' - ;;
    esac
}

# tell_default_socket: docker's own, unless a context may name another
tell_default_socket() {
    client_settings=${DOCKER_CONFIG:-${HOME:-}/.docker}/config.json
    if [ -n "${DOCKER_CONTEXT:-}" ] || grep -qs '"currentContext"' "$client_settings"; then
        printf '%s\n' -
    else
        printf '%s\n' /var/run/docker.sock
    fi
}
