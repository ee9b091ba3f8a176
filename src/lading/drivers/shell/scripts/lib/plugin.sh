# Compose's plug-in, called as docker's client calls it, but without the client: that takes as long
# to start as Compose does.
# needs: prelude state-dir

# Without it, the plug-in takes itself for a program of its own
as_plugin=DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND=docker

# find_plugin: plugin, the one that the client would start; empty where anything is unusual, so that
# the client is called. The first that lies there counts for the client, whether it can be started
# or not.
find_plugin() {
    plugin=
    configuration=${DOCKER_CONFIG:-$HOME/.docker}
    { is_client && is_default_context && is_plain_configuration; } || return 0
    for folder in "$configuration/cli-plugins" \
        /usr/local/lib/docker/cli-plugins /usr/local/libexec/docker/cli-plugins \
        /usr/lib/docker/cli-plugins /usr/libexec/docker/cli-plugins; do
        candidate=$folder/docker-compose
        [ -e "$candidate" ] || [ -L "$candidate" ] || continue
        [ ! -f "$candidate" ] || [ ! -x "$candidate" ] || plugin=$candidate
        return 0
    done
}

# is_client: `docker` is a binary under its own name. A script may set who knows what before it
# calls the client; a link may lead to a program that has folders of its own, such as snap's or
# Podman.
is_client() {
    client=$(command -v docker) || return 1
    case $client in
    /*) [ ! -L "$client" ] && is_binary "$client" ;;
    *) return 1 ;;
    esac
}

is_binary() {
    case $(head -c 4 "$1" 2>/dev/null) in
    ?ELF) return 0 ;;
    *) return 1 ;;
    esac
}

is_default_context() {
    [ "${DOCKER_CONTEXT:-default}" = default ]
}

# is_plain_configuration: the client's configuration names neither a context nor folders of
# plug-ins, in no spelling that the client may take for one: it heeds no case, knows escapes, and
# folds some letters of other alphabets. DOCKER_HOST counts more than a context.
is_plain_configuration() {
    [ ! -d "$configuration" ] || [ -x "$configuration" ] || return 1
    settings=$configuration/config.json
    [ -e "$settings" ] || [ -L "$settings" ] || return 0
    [ -f "$settings" ] && [ -r "$settings" ] || return 1
    unusual='\\|cliPluginsExtraDirs|[^[:space:] -~]'
    [ -n "${DOCKER_HOST:-}" ] || unusual="currentContext|$unusual"
    ! grep -qiE "$unusual" "$settings"
}

# read_kept_plugin: plugin_stamp, what tells the plug-in from others, and what is kept of just that
# one: its SHA-256 as plugin_sum, and plugin_version; empty if nothing is
read_kept_plugin() {
    plugin_sum=
    plugin_version=
    plugin_stamp=
    kept_plugins=$state_dir/compose-plugins
    [ -n "$plugin" ] || return 0
    plugin_stamp=$(stat -L -c '%d %i %s %y %z %n' "$plugin" 2>/dev/null) || return 0
    [ -f "$kept_plugins" ] && [ -r "$kept_plugins" ] || return 0
    while read -r kept_sum kept_version kept_stamp; do
        [ "$kept_stamp" = "$plugin_stamp" ] || continue
        plugin_sum=$kept_sum
        plugin_version=$kept_version
    done <"$kept_plugins"
}

# print_compose_version: as it is kept, or as the plug-in says
print_compose_version() {
    find_plugin
    read_kept_plugin
    case $plugin_version in
    '' | -) docker_compose version --short 2>/dev/null </dev/null ;;
    *) printf '%s\n' "$plugin_version" ;;
    esac
}

# docker_compose WORD…: `docker compose WORD…`
docker_compose() {
    find_plugin
    if [ -n "$plugin" ]; then
        env "$as_plugin" "$plugin" compose "$@"
    else
        docker compose "$@"
    fi
}
