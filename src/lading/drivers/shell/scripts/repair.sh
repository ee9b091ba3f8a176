# Write the records of releases anew, beside what still lies in their folders; no container is touched.
# SIZE: bytes of a tar of releases/FOLDER/…, on stdin; STAGED: the line of the journal, once they lie there.
# needs: prelude state-dir under-lease unpack
# may need: engine-state-dir

# store_records FOLDER: file by file, for what else is there is kept nowhere else
store_records() {
    place=$app_dir/releases/${1##*/}
    { mkdir -p "$place" && cp -R "$1/." "$place/"; } || refuse_unwritable "$place"
}

find_state_dir
under_lease
receive_upload
if [ -d "$incoming" ]; then
    chmod -R a+rX "$incoming"
    for folder in "$incoming"/releases/*; do
        store_records "$folder"
    done
    rm -rf "$incoming"
    sync_file "$app_dir/releases"
fi
journal_or_refuse "$STAGED"
finish
