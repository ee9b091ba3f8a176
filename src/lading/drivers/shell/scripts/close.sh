# The deployment was undone here, or nothing was done: note it, and free the lease.
# UNDOING: the line of the journal before it, of one that had come further, though no container was touched; UNDONE: the line.
# needs: prelude state-dir under-lease
# may need: engine-state-dir

find_state_dir
under_lease
case $phase in
begun | staged | undoing) ;;
*) journal_or_refuse "$UNDOING" ;;
esac
journal_or_refuse "$UNDONE"
free_lease
finish
