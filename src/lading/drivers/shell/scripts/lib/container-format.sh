# What is asked of a container, as one JSON object a line: parsers.py reads it.

container_format='{"id":{{json .Id}},"name":{{json .Name}},"image":{{json .Config.Image}},"image_id":{{json .Image}},"created":{{json .Created}}'
container_format=$container_format',"labels":{{json .Config.Labels}},"state":{{json .State}}'
container_format=$container_format',"restarts":{{json .RestartCount}},"networks":{{json .NetworkSettings.Networks}}'
container_format=$container_format',"mounts":{{json .Mounts}},"volumes_from":{{json .HostConfig.VolumesFrom}}'
container_format=$container_format',"modes":[{{json .HostConfig.NetworkMode}},{{json .HostConfig.IpcMode}}'
container_format=$container_format',{{json .HostConfig.PidMode}}],"ports":{{json .HostConfig.PortBindings}}}'
