# What the engine says of itself, all in one `docker info`, for that takes ten times what `docker ps` does.
# ENGINE_INFO: what it said before, in another script.

engine_info=${ENGINE_INFO:-}
engine_status=0

# ask_engine: engine_info, lines NAME=VALUE, root the last, and the engine_status with which it was asked; asked once
ask_engine() {
    [ -z "$engine_info" ] || return 0
    engine_info=$(docker info -f 'engine={{.ServerVersion}}
id={{.ID}}
arch={{.Architecture}}
ctx={{.ClientInfo.Context}}
{{range .ClientInfo.Plugins}}{{if eq .Name "compose"}}plugin={{.Version}}{{end}}{{end}}
runtimes={{range $name, $one := .Runtimes}}{{$name}} {{end}}
root={{.DockerRootDir}}' 2>&1)
    engine_status=$?
}

# info_value NAME: value, a line of engine_info. By the shell itself: each program that a look starts costs a host more
# than all that the look reads.
info_value() {
    value=$newline$engine_info$newline
    case $value in
    *"$newline$1="*)
        value=${value#*"$newline$1="}
        value=${value%%"$newline"*}
        ;;
    *) value= ;;
    esac
}
