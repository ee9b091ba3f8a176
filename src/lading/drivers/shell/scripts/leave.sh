# Give the lease back; the deployment stays open. LEFT: the line of the journal.
# needs: prelude state-dir under-lease
# may need: engine-state-dir

find_state_dir
under_lease
journal_or_refuse "$LEFT"
free_lease
finish
