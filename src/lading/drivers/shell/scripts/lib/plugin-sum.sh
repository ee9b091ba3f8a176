# The SHA-256 of the plug-in, worked out once: kept in lading's folder by what tells one file from another.
# needs: state-dir plugin

# sum_plugin: plugin_sum; empty where the client is called, or a script, which may call who knows what
sum_plugin() {
    find_plugin
    read_kept_plugin
    [ -z "$plugin_sum" ] || return 0
    { [ -n "$plugin" ] && is_binary "$plugin"; } || return 0
    before=$plugin_stamp
    sum=$(sha256sum <"$plugin") || return 0
    version=$(docker_compose version --short 2>/dev/null </dev/null)
    read_kept_plugin
    [ "$plugin_stamp" = "$before" ] || return 0
    plugin_sum=${sum%% *}
    keep_plugin "$plugin_sum ${version:--} $before"
}

# keep_plugin LINE: where it cannot be kept, it is worked out again
keep_plugin() {
    { printf '%s\n' "$1" >"$state_dir/compose-plugin.$$" &&
        mv "$state_dir/compose-plugin.$$" "$state_dir/compose-plugin"; } 2>/dev/null
}
