# The deployment was undone here, or nothing was done: note it, and free the lease. Where nothing is deployed, the app may be
# another state folder's from now on.
# UNDOING: the line of the journal before it, of one that had come further, though no container was touched; UNDONE: the line.
# needs: prelude state-dir under-lease state-mark
# may need: engine-state-dir

find_state_dir
under_lease
case $phase in
begun | staged | undoing) ;;
*) journal_or_refuse "$UNDOING" ;;
esac
[ -e "$app_dir/current" ] || forget_mark
journal_or_refuse "$UNDONE"
free_lease
finish
