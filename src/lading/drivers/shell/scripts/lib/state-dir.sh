# Where lading's state lies on this host.
# STATE_DIR: as it is configured, a path or "auto"; KNOWN_STATE_DIR: what the host said before that it is.

# find_state_dir: state_dir, and app_dir, the app's folder in it
find_state_dir() {
    umask 007
    if [ "$STATE_DIR" != auto ]; then
        state_dir=$STATE_DIR
    elif [ -d /var/lib/lading ] && [ -w /var/lib/lading ]; then
        state_dir=/var/lib/lading
    else
        umask 077
        state_dir=${KNOWN_STATE_DIR:-}
        [ -n "$state_dir" ] || find_state_dir_of_engine
    fi
    app_dir=$state_dir/apps/$APP
}
