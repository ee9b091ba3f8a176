# What was uploaded: a tar of releases/, objects/ and secrets/, that many bytes of stdin as SIZE says.
# RELEASE: the release's folder.
# needs: prelude

extract() {
    mkdir "$incoming" && head -c "$SIZE" | tar -xpof - -C "$incoming" 2>"$app_dir/tar.err" && return 0
    said=$(tail -n 1 "$app_dir/tar.err")
    rm -rf "$incoming" "$app_dir/tar.err"
    refuse upload "$said"
}

# store_object PATH: what containers have mounted stays where it is. A file that ships again is put right in its place.
store_object() {
    object=$app_dir/objects/${1##*/}
    if [ -f "$object" ] && [ -f "$1" ]; then
        { cat "$1" >"$object"; } 2>/dev/null || mv -f "$1" "$object"
    elif [ ! -e "$object" ]; then
        mv "$1" "$app_dir/objects/"
    fi
}

# store_secret PATH: .../NAME/GENERATION
store_secret() {
    folder=${1%/*}
    folder=$app_dir/secrets/${folder##*/}
    mkdir -p "$folder" && mv "$1" "$folder/"
}

# store_release: in place of the one that is there, whose deployed.json stays
store_release() {
    release=$app_dir/releases/$RELEASE
    rm -rf "$release.old"
    [ ! -d "$release" ] || mv "$release" "$release.old"
    mv "$incoming/releases/$RELEASE" "$app_dir/releases/" || refuse upload "cannot store the release"
    [ ! -f "$release.old/deployed.json" ] || mv "$release.old/deployed.json" "$release/"
    rm -rf "$release.old"
}

# receive_upload: as the folder incoming
receive_upload() {
    incoming=$app_dir/incoming.$DEPLOYMENT
    rm -rf "$app_dir"/incoming.*
    [ "$SIZE" = 0 ] || extract
    rm -f "$app_dir/tar.err"
}

# store_upload: where each part of it belongs
store_upload() {
    [ -d "$incoming" ] || return 0
    chmod -R a+rX "$incoming"
    [ ! -d "$incoming/objects" ] ||
        find "$incoming/objects" -mindepth 1 -type d -exec chmod u=rwx,go=rx,g-s {} +
    for path in "$incoming"/objects/*; do
        [ ! -e "$path" ] || store_object "$path"
    done
    for path in "$incoming"/secrets/*/*; do
        [ ! -f "$path" ] || store_secret "$path"
    done
    [ ! -d "$incoming/releases/$RELEASE" ] || store_release
    rm -rf "$incoming"
    sync -f "$app_dir" 2>/dev/null || sync
}
