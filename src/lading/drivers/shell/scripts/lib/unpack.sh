# What was uploaded: a tar of releases/, objects/ and secrets/, that many bytes of stdin as SIZE says.
# RELEASE: the release's folder.
# needs: prelude

extract() {
    mkdir "$incoming" && head -c "$SIZE" | tar -xpof - -C "$incoming" 2>"$app_dir/tar.err" && return 0
    said=$(tail -n 1 "$app_dir/tar.err")
    rm -rf "$incoming" "$app_dir/tar.err"
    refuse upload "$said"
}

# For paths below OBJECT, a folder on the host: a file stays where SHIPPED has a file, a folder where
# it has a folder; all else goes.
# shellcheck disable=SC2016 # its own variables
drop_program='for path do
    shipped=$SHIPPED/${path#"$OBJECT/"}
    if [ ! -L "$path" ]; then
        [ ! -f "$path" ] || [ ! -f "$shipped" ] || continue
        [ ! -d "$path" ] || [ ! -d "$shipped" ] || continue
    fi
    rm -rf "$path" || exit
done'

# For paths below SHIPPED: a folder is made in OBJECT, a file that differs there is exchanged at once.
# shellcheck disable=SC2016 # its own variables
move_program='for path do
    place=$OBJECT/${path#"$SHIPPED/"}
    if [ ! -f "$path" ]; then
        [ -d "$place" ] || mkdir "$place" || exit
        chmod u=rwx,go=rx,g-s "$place" 2>/dev/null
    elif [ ! -f "$place" ] || [ "$(sha256sum <"$path")" != "$(sha256sum <"$place")" ]; then
        mv -f "$path" "$place" || exit
    fi
done
exit 0'

# put_right SHIPPED OBJECT: what lies in the object becomes what ships, and the object itself stays,
# since containers have it mounted.
put_right() {
    {
        SHIPPED=$1 OBJECT=$2 find "$2" -mindepth 1 -depth -exec sh -c "$drop_program" sh {} + &&
            SHIPPED=$1 OBJECT=$2 find "$1" -mindepth 1 -exec sh -c "$move_program" sh {} +
    } 2>"$app_dir/tar.err" && rm -f "$app_dir/tar.err" && return 0
    said=$(tail -n 1 "$app_dir/tar.err")
    rm -rf "$incoming" "$app_dir/tar.err"
    refuse folder "$said"
}

# store_object PATH: what containers have mounted stays where it is, and is put right there.
store_object() {
    object=$app_dir/objects/${1##*/}
    [ ! -L "$object" ] || rm -f "$object"
    if [ -f "$object" ] && [ -f "$1" ]; then
        { cat "$1" >"$object"; } 2>/dev/null || mv -f "$1" "$object"
    elif [ -d "$object" ] && [ -d "$1" ]; then
        put_right "$1" "$object"
    else
        rm -rf "$object"
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
