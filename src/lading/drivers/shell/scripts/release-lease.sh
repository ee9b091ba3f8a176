# Note how it ended here, as RECORD, and free the lease; nothing else is changed.
# needs: prelude state-dir lease under-lease
# may need: engine-state-dir

find_state_dir
under_lease
journal_append "$RECORD"
release_lease
finish
