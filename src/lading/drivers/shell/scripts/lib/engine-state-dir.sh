# A user's own state folder is one for each engine: needed where the host has not said yet which one it is.
# needs: engine state-dir

# find_state_dir_of_engine: state_dir, named by the engine's id without its colons
find_state_dir_of_engine() {
    ask_engine
    info_value id
    id=
    while [ -n "$value" ]; do
        id=$id${value%%:*}
        case $value in
        *:*) value=${value#*:} ;;
        *) value= ;;
        esac
    done
    state_dir=$HOME/.lading/${id:-none}
}
