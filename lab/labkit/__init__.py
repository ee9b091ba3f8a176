"""The parts of the lab: several real hosts (sshd, containerd, dockerd) on one machine, in namespaces."""
