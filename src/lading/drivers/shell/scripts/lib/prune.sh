# What no kept release needs any more. DROP_OBJECTS, DROP_SECRETS: paths in these folders, a line each.
# needs: each-line

# remove_object NAME: a folder of another SSH user's cannot be removed; with another name no deployment takes it for what
# it was, and it goes with that user's next commit
remove_object() {
    rm -rf "$app_dir/objects/$1" 2>/dev/null || mv "$app_dir/objects/$1" "$app_dir/objects/$1.gone"
}

remove_secret() {
    rm -f "$app_dir/secrets/$1"
}

# remove_gone PATH…: what the pattern found, if it found something
remove_gone() {
    { [ ! -e "$1" ] && [ ! -L "$1" ]; } || rm -rf "$@" 2>/dev/null
}

prune() {
    remove_gone "$app_dir"/objects/*.gone
    each_line remove_object "$DROP_OBJECTS"
    each_line remove_secret "$DROP_SECRETS"
}
