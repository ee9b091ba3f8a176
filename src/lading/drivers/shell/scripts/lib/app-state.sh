# What lies in lading's folder of an app.
# NONCE: salts the sums of secrets, so that no dictionary helps who reads the answer.
# needs: prelude uptime

# print_file PATH
print_file() {
    cat "$1" 2>/dev/null
}

# tell_releases APP: each that the host keeps, and when it was deployed
tell_releases() {
    for file in "$app_dir"/releases/*/release.json; do
        [ -f "$file" ] || continue
        folder=${file%/release.json}
        part "release:$1:${folder##*/}"
        cat "$file"
        [ -e "$folder/deployed.json" ] || continue
        part "deployed:$1:${folder##*/}"
        print_file "$folder/deployed.json"
    done
}

# tell_secrets APP: of each its name, its generation and a salted sum
tell_secrets() {
    part "secrets:$1"
    for file in "$app_dir"/secrets/*/*; do
        [ -f "$file" ] || continue
        folder=${file%/*}
        sum=$({
            printf '%s' "$NONCE"
            cat "$file"
        } | sha256sum)
        printf '%s %s %s\n' "${folder##*/}" "${file##*/}" "${sum%% *}"
    done
}

# tell_sums APP: of the files of the current release
tell_sums() {
    # the first "release", which stands before any other object: "changed" names releases of earlier deployments
    folder=$(sed -n 's/^{[^{]*"release":"\([0-9a-f]*\)".*/\1/p' "$app_dir/current" 2>/dev/null)
    [ -d "$app_dir/releases/$folder" ] || folder=$(printf %.12s "$folder")
    if [ -z "$folder" ] || [ ! -d "$app_dir/releases/$folder" ]; then
        return 0
    fi
    part "sums:$1:$folder"
    (cd "$app_dir" && find "releases/$folder" objects -type f -exec sha256sum {} +)
}

# tell_lost APP: what is not there, though lading always leaves it
tell_lost() {
    part "lost:$1"
    [ -s "$app_dir/journal" ] || printf 'journal\n'
    [ -s "$app_dir/lease" ] || printf 'lease\n'
}

# tell_busy APP: which command runs there now, if one does
tell_busy() {
    { [ -f "$app_dir/op.lock" ] && [ -r "$app_dir/op.lock" ]; } || return 0
    if ! (
        exec 9<"$app_dir/op.lock"
        flock -n 9
    ) 2>/dev/null; then
        part "busy:$1"
        sed 1q "$app_dir/op.info" 2>/dev/null
    fi
}

# tell_app APP
tell_app() {
    app_dir=$state_dir/apps/$1
    [ -d "$app_dir" ] || return 0
    part "app:$1"
    if [ -e "$app_dir/current" ]; then
        part "current:$1"
        print_file "$app_dir/current"
    fi
    part "lease:$1"
    print_file "$app_dir/lease"
    read_uptime
    printf 'nowboot=%s\nnow=%s\n' "$boot" "$uptime"
    part "journal:$1"
    tail -n 500 "$app_dir/journal" 2>/dev/null
    tell_lost "$1"
    tell_busy "$1"
    tell_releases "$1"
    part "objects:$1"
    for path in "$app_dir"/objects/*; do
        [ ! -e "$path" ] || printf '%s\n' "${path##*/}"
    done
    tell_secrets "$1"
    tell_sums "$1"
}
