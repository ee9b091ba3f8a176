# The SHA-256 of the plug-in, worked out once: kept in lading's folder by what tells files apart.
# needs: state-dir plugin

# sum_plugin: plugin_sum; empty where the client is called, or a plug-in that is a script, which may
# call who knows what
sum_plugin() {
    find_plugin
    read_kept_plugin
    [ -z "$plugin_sum" ] || return 0
    { [ -n "$plugin" ] && is_binary "$plugin"; } || return 0
    before=$plugin_stamp
    sum=$(sha256sum <"$plugin") || return 0
    version=$(docker_compose version --short 2>/dev/null </dev/null)
    # The plug-in may have been replaced meanwhile
    read_kept_plugin
    [ "$plugin_stamp" = "$before" ] || return 0
    plugin_sum=${sum%% *}
    keep_plugin "$plugin_sum ${version:--} $before"
}

# keep_plugin LINE: before those of other users' plug-ins. Where it cannot be kept, it is worked out
# again.
keep_plugin() {
    {
        printf '%s\n' "$1" >"$kept_plugins.$$"
        grep -vF " $plugin" "$kept_plugins" | head -n 7 >>"$kept_plugins.$$"
        mv "$kept_plugins.$$" "$kept_plugins"
    } 2>/dev/null
}
