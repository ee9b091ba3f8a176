# Where docker's client finds the engine, so that the controller asks the same one.
# needs: prelude plugin

# tell_socket: the path of its socket; "dial-stdio" where `docker` is no binary under its own name, for
# it may lead anywhere; "-" where the client goes to another host, or by a context
tell_socket() {
    part socket
    if ! is_client; then
        printf '%s\n' dial-stdio
        return
    fi
    case ${DOCKER_HOST:-} in
    unix:///*) printf '%s\n' "${DOCKER_HOST#unix://}" ;;
    '') tell_default_socket ;;
    *) printf '%s\n' - ;;
    esac
}

# tell_default_socket: docker's own, unless a context may name another. The client heeds no case in
# what its configuration says, and knows escapes; see is_plain_configuration
tell_default_socket() {
    client_settings=${DOCKER_CONFIG:-${HOME:-}/.docker}/config.json
    if [ -n "${DOCKER_CONTEXT:-}" ] ||
        grep -qsiE '\\|currentContext|[^[:space:] -~]' "$client_settings"; then
        printf '%s\n' -
    else
        printf '%s\n' /var/run/docker.sock
    fi
}
